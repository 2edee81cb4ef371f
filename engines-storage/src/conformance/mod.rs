//! The suite that proves a backend: run it on yours, as it is run on ours. Behind the feature `conformance`.
//!
//! [`run`] takes a factory: an async function that opens the database of a given name, empty the first time, the same data when it
//! is called again with that name after everything of the first was dropped. It runs every case, and either returns a [`Report`] of what
//! passed and what was left out because [`Capabilities`](engines_core::nexus::Capabilities) does not promise it, or
//! [`SuiteFailure`] with every case that failed and why; `unwrap` prints them readably. Nothing is skipped in silence.
//! The cases are public functions too, a room for each part of the contract, so that one can be run alone.
//!
//! What a backend must be able to hold at least: 64 writes and 16 KiB in a batch, 2 KiB in an event, 3 tags on a document.
//!
//! Call it in a multi-threaded tokio runtime: the races are real ones.
//!
//! ```
//! use std::sync::Arc;
//! use engines_core::{clock::IdGenerator, nexus::Backend};
//! use engines_storage::{MemoryStore, conformance};
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let report = conformance::run(|_name| async {
//!     Ok(Arc::new(MemoryStore::new(&IdGenerator::from_os()?)) as Arc<dyn Backend>)
//! })
//! .await?;
//! assert!(report.passed.contains(&"cas::heads_race"));
//! assert!(report.left_out.iter().all(|left_out| left_out.reason.contains("durable")));
//! # Ok(()) }
//! ```
//!
//! For an [`EventSink`](engines_core::nexus::EventSink) there is [`sink()`].

pub mod archive;
pub mod audit;
pub mod backup;
pub mod batches;
pub mod cas;
pub mod changes;
pub mod documents;
pub mod events;
mod fixture;
pub mod health;
pub mod idempotency;
pub mod isolation;
pub mod limits;
pub mod ordering;
pub mod paging;
pub mod readers;
pub mod removal;
pub mod reopen;
mod report;
mod runner;
mod sink;
pub mod streams;
pub mod text;

pub use self::{
    fixture::Fixture,
    report::{CaseFailure, CaseOutcome, CaseResult, FailedCase, Report, SkippedCase, SuiteFailure},
    runner::{StoreFactory, SuiteSettings, run, run_with},
    sink::{ReadBack, sink},
};
