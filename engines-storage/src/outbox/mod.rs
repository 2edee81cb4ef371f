//! The outbox delivers recorded events to sinks: in order, and at least once.
//!
//! One worker per sink reads the store's [`EventFeed`](engines_core::nexus::EventFeed). It reads a chunk of events,
//! scrubs them again, writes each scope's part to the sink, and then stores its checkpoint as a document in the
//! system scope (kind `outbox_place`, id `sink.` and the sink's name). This has the following consequences:
//!
//! - A sink that is down loses no event: its worker waits, with a delay that grows up to a limit, and writes the same
//!   batch again.
//! - After a crash between a write and the saving of the checkpoint, the worker delivers that chunk again. Sinks
//!   recognise repeated events by `event_id`.
//! - Workers are independent: a slow sink delays no other sink.
//! - An event that a sink rejects, or that cannot be scrubbed any more, is counted and skipped; it stays in the
//!   store.
//!
//! A worker reads the feed when [`OutboxHandle::wake`] is called, which code that records events does, and at every
//! poll interval. Run one outbox per database: with two, no event is lost, but events are delivered more than once.
//!
//! ```
//! use std::sync::Arc;
//! use engines_core::{IdGenerator, SystemClock, pii::Scrubber};
//! use engines_storage::{MemoryStore, NoopSink, event_log::privacy::PrivacyPolicies, outbox::{Outbox, OutboxSettings}};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ids = IdGenerator::from_os()?;
//! let store = Arc::new(MemoryStore::new(&ids));
//! let sinks: Vec<Arc<dyn engines_core::nexus::EventSink>> = vec![Arc::new(NoopSink::default())];
//! let policies = PrivacyPolicies::new(store.clone(), Arc::new(SystemClock), Scrubber::default());
//! let outbox = Outbox::new(store, sinks, policies, Arc::new(SystemClock), ids, OutboxSettings::default())?;
//! let handle = outbox.handle();
//! let running = tokio::spawn(outbox.run());
//! handle.wake();
//! handle.stop(); // each worker finishes its current batch
//! running.await?;
//! assert_eq!(handle.status()[0].delivered, 0);
//! # Ok(()) }
//! ```

mod checkpoint;
mod runner;
mod settings;
mod status;
mod worker;

pub use self::{
    runner::{Outbox, OutboxHandle},
    settings::OutboxSettings,
    status::OutboxStatus,
};
