//! The conformance suite: it checks that a backend implements the contract of
//! [`Store`](engines_core::Store). Requires the feature `conformance`.
//!
//! [`run`] takes a factory: an async function that opens the database of a given name. The database is empty the
//! first time. When the factory is called again with the same name, after everything from the first call was dropped,
//! the database contains the same data. [`run`] runs every case. It returns a [`Report`] that lists the cases that
//! passed and the cases that were skipped because [`Capabilities`](engines_core::nexus::Capabilities) does not
//! promise the feature, or a [`SuiteFailure`] that lists every failed case with its reason. A case is never skipped
//! without an entry in the report. The cases are public functions, in one module for each part of the contract, so
//! that a test can run one alone.
//!
//! A case that takes longer than [`SuiteSettings::patience`] fails and ends its group: the other cases of the group use
//! the same database, and are listed as skipped.
//!
//! A backend must support at least 64 writes and 16 KiB in a batch, 2 KiB in an event, and 3 tags on a document.
//!
//! Run the suite on a multi-threaded tokio runtime, because some cases race tasks on several threads.
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
//! assert!(report.passed.contains(&"compare_and_swap::heads_race"));
//! assert!(report.skipped.iter().all(|skipped| skipped.reason.contains("durable")));
//! # Ok(()) }
//! ```
//!
//! [`sink()`] is the suite for an [`EventSink`](engines_core::nexus::EventSink).

pub mod archive;
mod assertions;
pub mod audit;
pub mod backup;
pub mod batches;
mod case;
mod case_loop;
pub mod changes;
pub mod compare_and_swap;
pub mod documents;
pub mod events;
mod fixture;
mod groups;
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
mod suite_settings;
pub mod text;

pub use self::{
    case::StoreFactory,
    fixture::Fixture,
    report::{CaseFailure, CaseOutcome, CaseResult, FailedCase, Report, SkippedCase, SuiteFailure},
    runner::{run, run_with},
    sink::{ReadBack, sink},
    suite_settings::SuiteSettings,
};
