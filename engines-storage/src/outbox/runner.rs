//! [`Outbox`]: runs the workers of all sinks.

use std::{fmt, sync::Arc};

use engines_core::{
    Clock, Code, Error, IdGenerator, Result,
    nexus::{Backend, EventSink},
};
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    OutboxSettings, OutboxStatus,
    checkpoint::CheckpointStore,
    status::SharedStatus,
    worker::{SinkWorker, StopRequested},
};
use crate::event_log::privacy::PrivacyPolicies;

/// Delivers recorded events to sinks. See the [module](super).
pub struct Outbox {
    workers: Vec<SinkWorker>,
    handle: OutboxHandle,
}

/// A handle that wakes, observes and stops an outbox. Clones are cheap, and a handle may outlive the outbox.
#[derive(Clone)]
pub struct OutboxHandle {
    wake: Arc<watch::Sender<u64>>,
    stop: CancellationToken,
    status: Arc<[Arc<SharedStatus>]>,
}

impl Outbox {
    /// Creates an outbox that delivers the events recorded in `store` to `sinks`. Events are scrubbed again with the
    /// tenant's policy at the time of delivery. Nothing is delivered before [`Outbox::run`].
    ///
    /// # Errors
    ///
    /// `ID_INVALID` when a sink's name is not 1 to 48 lower-case letters, digits and `_`, or when two sinks have the
    /// same name.
    pub fn new(
        store: Arc<dyn Backend>,
        sinks: Vec<Arc<dyn EventSink>>,
        policies: PrivacyPolicies,
        clock: Arc<dyn Clock>,
        ids: IdGenerator,
        settings: OutboxSettings,
    ) -> Result<Self> {
        let ((wake, woken), stop) = (watch::channel(0), CancellationToken::new());
        let mut workers: Vec<SinkWorker> = Vec::with_capacity(sinks.len());
        for sink in sinks {
            if workers.iter().any(|other| other.sink.name() == sink.name()) {
                let detail = format!("two sinks have the name {:?}; give each its own", sink.name());
                return Err(Error::new(Code::IdInvalid, "outbox.sink", detail));
            }
            workers.push(SinkWorker {
                checkpoints: CheckpointStore::for_sink(sink.name())?,
                status: Arc::new(SharedStatus::new(sink.name())),
                store: Arc::clone(&store),
                policies: policies.clone(),
                clock: Arc::clone(&clock),
                ids: ids.clone(),
                settings: settings.clone(),
                wake: woken.clone(),
                stop: stop.clone(),
                sink,
            });
        }
        let status = workers.iter().map(|worker| Arc::clone(&worker.status)).collect();
        Ok(Self { workers, handle: OutboxHandle { wake: Arc::new(wake), stop, status } })
    }

    /// Returns a handle to the outbox.
    #[must_use]
    pub fn handle(&self) -> OutboxHandle {
        self.handle.clone()
    }

    /// Delivers events until [`OutboxHandle::stop`] is called. Then each worker finishes the batch that its sink is
    /// writing, saves its checkpoint and ends. A worker whose sink is down does not wait for it: it delivers the
    /// batch after the next start.
    ///
    /// Cancel-safe: dropping the future loses no event; events after the last saved checkpoint are delivered again.
    pub async fn run(self) {
        let Self { workers, handle } = self;
        let _: Vec<StopRequested> = join_all(workers.into_iter().map(SinkWorker::run)).await;
        drop(handle);
    }
}

impl OutboxHandle {
    /// Wakes the workers because an event was recorded. Never blocks; several calls before a worker runs wake it
    /// once.
    pub fn wake(&self) {
        self.wake.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Stops the outbox. It cannot be started again.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Returns the status of each sink, in the order in which the sinks were given to [`Outbox::new`].
    #[must_use]
    pub fn status(&self) -> Vec<OutboxStatus> {
        self.status.iter().map(|status| status.snapshot()).collect()
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("sinks", &self.handle.status()).finish_non_exhaustive()
    }
}

impl fmt::Debug for OutboxHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxHandle").field("sinks", &self.status()).finish_non_exhaustive()
    }
}
