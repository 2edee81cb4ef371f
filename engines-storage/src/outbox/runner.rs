//! All sinks' workers together.

use std::{fmt, sync::Arc};

use engines_core::{
    Clock, Code, Error, IdGenerator, Result,
    nexus::{Backend, EventSink},
    privacy::PrivacyPolicies,
};
use futures_util::future::join_all;
use tokio::sync::watch;

use super::{
    OutboxSettings, OutboxStatus,
    checkpoint::CheckpointStore,
    status::SharedStatus,
    worker::{SinkWorker, StopRequested},
};

/// Brings recorded events to sinks. See the [module](super).
pub struct Outbox {
    workers: Vec<SinkWorker>,
    handle: OutboxHandle,
}

/// Wakes, watches and stops an outbox; cheap to clone, and it may outlive the outbox.
#[derive(Clone)]
pub struct OutboxHandle {
    wake: Arc<watch::Sender<u64>>,
    stop: Arc<watch::Sender<bool>>,
    status: Arc<[Arc<SharedStatus>]>,
}

impl Outbox {
    /// An outbox that brings what `store` has recorded to `sinks`, scrubbed once more as its tenants' policies say by then; nothing moves before
    /// [`Outbox::run`].
    ///
    /// # Errors
    /// `ID_INVALID` when a sink's name is not 1 to 48 lower-case letters, digits and `_`, or when two have the same.
    pub fn new(
        store: Arc<dyn Backend>,
        sinks: Vec<Arc<dyn EventSink>>,
        policies: PrivacyPolicies,
        clock: Arc<dyn Clock>,
        ids: IdGenerator,
        settings: OutboxSettings,
    ) -> Result<Self> {
        let ((wake, woken), (stop, stopped)) = (watch::channel(0), watch::channel(false));
        let mut workers: Vec<SinkWorker> = Vec::with_capacity(sinks.len());
        for sink in sinks {
            if workers.iter().any(|other| other.sink.name() == sink.name()) {
                let detail = format!("two sinks are called {:?}; each needs a name of its own", sink.name());
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
                stop: stopped.clone(),
                sink,
            });
        }
        let status = workers.iter().map(|worker| Arc::clone(&worker.status)).collect();
        Ok(Self { workers, handle: OutboxHandle { wake: Arc::new(wake), stop: Arc::new(stop), status } })
    }

    /// A handle to it.
    #[must_use]
    pub fn handle(&self) -> OutboxHandle {
        self.handle.clone()
    }

    /// Delivers until [`OutboxHandle::stop`]; then every worker finishes the batch its sink has in hand, keeps its place and ends. A
    /// worker whose sink is down does not wait for it: the batch comes again after the next start.
    ///
    /// Cancel-safe: dropping the future loses nothing; what was not kept comes again.
    pub async fn run(self) {
        let Self { workers, handle } = self;
        let _: Vec<StopRequested> = join_all(workers.into_iter().map(SinkWorker::run)).await;
        drop(handle);
    }
}

impl OutboxHandle {
    /// Says that something was recorded. Cheap, never blocks, and many calls are as one.
    pub fn wake(&self) {
        self.wake.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Tells the outbox to stop, once and for all.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// How each sink is doing, in the order in which they were given.
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
