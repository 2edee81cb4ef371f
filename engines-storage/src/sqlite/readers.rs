//! Threads that read, each with a connection of its own, and the line before them.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use engines_core::Result;
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::{
    error::{Failure, closed, unavailable},
    open,
    options::SqliteOptions,
    store::{Shared, Worker},
};

/// What a reader is asked to do, with its connection or with why it has none. Says whether to open a new one.
type Task = Box<dyn FnOnce(Result<&Connection, Failure>) -> bool + Send>;

/// The pool.
#[derive(Debug)]
pub(super) struct Readers {
    tasks: Mutex<Option<mpsc::Sender<Task>>>,
    room: Arc<Semaphore>,
    shared: Arc<Shared>,
}

impl Readers {
    /// Starts the threads.
    pub(super) fn start(
        path: &Path,
        options: &SqliteOptions,
        shared: &Arc<Shared>,
    ) -> std::io::Result<(Self, Vec<Worker>)> {
        let (sender, receiver) = mpsc::channel::<Task>();
        let receiver = Arc::new(Mutex::new(receiver));
        let workers = (0..options.readers.max(1))
            .map(|_| {
                let (receiver, path, options) = (Arc::clone(&receiver), path.to_owned(), options.clone());
                Worker::spawn("sqlite-reader", move |ended| {
                    serve(&receiver, &path, &options);
                    let _ = ended.send(());
                })
            })
            .collect::<std::io::Result<_>>()?;
        let room = Arc::new(Semaphore::new(options.read_queue.clamp(1, Semaphore::MAX_PERMITS)));
        Ok((Self { tasks: Mutex::new(Some(sender)), room, shared: Arc::clone(shared) }, workers))
    }

    /// Runs `read` on one of them.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(|_| closed(operation))?;
        let (answer, answered) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        let task = move |connection: Result<&Connection, Failure>| {
            let _permit = permit;
            if answer.is_closed() {
                return false;
            }
            let result = connection.and_then(read);
            shared.settled();
            let reopen = result.as_ref().is_err_and(|failure| failure.reopen);
            // Whoever has stopped waiting does not need it.
            let _ = answer.send(result);
            reopen
        };
        let sent = match &*self.tasks.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(tasks) => tasks.send(Box::new(task)).is_ok(),
            None => false,
        };
        if !sent {
            return Err(closed(operation));
        }
        match answered.await {
            Ok(result) => result.map_err(|failure| unavailable(operation, failure)),
            Err(_) => Err(closed(operation)),
        }
    }

    /// Lets nothing more in; what waits is still answered.
    pub(super) fn close(&self) {
        self.room.close();
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn serve(tasks: &Mutex<mpsc::Receiver<Task>>, path: &Path, options: &SqliteOptions) {
    let mut connection = None;
    loop {
        let next = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(task) = next else { return };
        // A read that panics is a defect; it must not take the thread with it. Its caller finds its answer gone.
        let reopen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match &connection {
            Some(open) => task(Ok(open)),
            None => match open::reader(path, options) {
                Ok(opened) => task(Ok(connection.insert(opened))),
                Err(failure) => task(Err(failure)),
            },
        }));
        if reopen.unwrap_or(true) {
            connection = None;
        }
    }
}

impl Worker {
    /// Starts a thread that sends when it ends.
    pub(super) fn spawn(name: &str, body: impl FnOnce(oneshot::Sender<()>) + Send + 'static) -> std::io::Result<Self> {
        let (ended, done) = oneshot::channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || body(ended))?;
        Ok(Self { done, thread })
    }
}
