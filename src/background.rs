//! Work that goes on beside requests, and ends with the engine.

use std::{sync::PoisonError, time::Duration};

use engines_auth::{
    Identity,
    identity::{MailWorker, RejectionWriter},
};
use tokio::{sync::watch, task::JoinHandle, time::sleep};

/// Time from the start to the first sweep: a process that never lives an hour sweeps too.
const FIRST_SWEEP: Duration = Duration::from_secs(60);

/// Time between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Tasks on the current tokio runtime, and the switch that stops them.
#[derive(Debug)]
pub(crate) struct Background {
    stop: watch::Sender<bool>,
    tasks: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl Background {
    pub(crate) fn new() -> Self {
        Self { stop: watch::Sender::new(false), tasks: std::sync::Mutex::default() }
    }

    /// Writes refused attempts down.
    pub(crate) fn record(&self, writer: RejectionWriter) {
        let stopped = self.stopped();
        self.spawn(async move {
            if let Err(error) = writer.run_until(stopped).await {
                tracing::error!(%error, "refused attempts are not recorded any more");
            }
        });
    }

    /// Sends mails.
    pub(crate) fn mail(&self, worker: MailWorker) {
        self.spawn(worker.run_until(self.stopped()));
    }

    /// Takes away, every hour, what has ended.
    pub(crate) fn sweep(&self, identity: Identity) {
        let stopped = self.stopped();
        self.spawn(async move {
            let sweeping = async {
                let mut wait = FIRST_SWEEP;
                loop {
                    sleep(wait).await;
                    wait = SWEEP_EVERY;
                    match identity.sweep().await {
                        Ok(count) => tracing::debug!(count, "swept sessions, invites and tickets that have ended"),
                        Err(error) => tracing::warn!(%error, "sessions, invites and tickets could not be swept"),
                    }
                }
            };
            tokio::select! {
                () = sweeping => {}
                () = stopped => {}
            }
        });
    }

    /// Runs `work` until it ends or is stopped.
    pub(crate) fn until_stopped(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopped = self.stopped();
        self.spawn(async move {
            tokio::select! {
                () = work => {}
                () = stopped => {}
            }
        });
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(tokio::spawn(work));
    }

    /// Ends when the switch is thrown, or gone.
    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stop = self.stop.subscribe();
        async move {
            let _ = stop.wait_for(|stop| *stop).await;
        }
    }

    /// Stops all, and waits until what is in hand is done.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // An error means that it panicked: it has stopped all the same.
            let _ = task.await;
        }
    }
}
