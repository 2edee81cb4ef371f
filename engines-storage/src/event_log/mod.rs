//! The event log: recording, reading, exporting and deleting dataset events.
//!
//! An [`EventLog`] records events one by one, or as the lines of an [`EventBatch`]. It scrubs each event by the policy of
//! its tenant ([`privacy`]) before the store gets it. [`TrainPrefs`] holds which tenants and users allow training, and an
//! [`EventExport`] exports the events that may be used.

mod batch;
mod export;
mod line_result;
mod line_splitter;
pub mod privacy;
mod service;
mod train_prefs;

pub use self::{
    batch::{BatchSummary, EventBatch},
    export::EventExport,
    line_result::LineResult,
    service::{EventLog, RecordedEvent},
    train_prefs::{TrainPref, TrainPrefs, TrainPrefsView, training_allowed},
};
