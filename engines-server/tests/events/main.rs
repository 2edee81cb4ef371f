//! Dataset events over HTTP: batches, preferences, exports.
#![expect(clippy::unwrap_used, reason = "tests")]

mod batch;
mod export;
mod failures;
mod fixture;
mod prefs;
#[path = "../support/mod.rs"]
mod support;
