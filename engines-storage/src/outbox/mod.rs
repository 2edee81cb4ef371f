//! The outbox: brings recorded events to the sinks, at least once, in order, whatever goes down.
//!
//! One worker per sink follows the store's [`EventFeed`](engines_core::nexus::EventFeed). It takes a chunk, scrubs it once more, hands each scope's
//! part to the sink, and then keeps its place in the store as a document of the control plane (kind `outbox_place`, id the sink's name). So:
//!
//! - a sink that is down loses nothing: its worker waits, longer each time within named limits, and hands over the same batch again;
//! - after a crash between a write and the keeping of the place, that chunk comes again: sinks recognise `event_id`;
//! - workers do not wait for each other: a slow sink holds up nobody;
//! - what a sink rejects, or what cannot be scrubbed any more, is counted and passed over; it stays in the store.
//!
//! A worker looks when [`OutboxHandle::wake`] is called (by whoever records events) and at every poll interval. Run one outbox for a
//! database; two of them lose nothing either, but deliver more than once.
//!
//! ```
//! use std::sync::Arc;
//! use engines_core::{clock::{IdGenerator, SystemClock}, pii::Scrubber, privacy::Policies};
//! use engines_storage::{MemoryStore, NoopSink, outbox::{Outbox, OutboxSettings}};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ids = IdGenerator::from_os()?;
//! let store = Arc::new(MemoryStore::new(&ids));
//! let sinks: Vec<Arc<dyn engines_core::nexus::EventSink>> = vec![Arc::new(NoopSink::default())];
//! let policies = Policies::new(store.clone(), Arc::new(SystemClock), Scrubber::default());
//! let outbox = Outbox::new(store, sinks, policies, Arc::new(SystemClock), ids, OutboxSettings::default())?;
//! let handle = outbox.handle();
//! let running = tokio::spawn(outbox.run());
//! handle.wake();
//! handle.stop(); // finishes the batch in hand
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
