//! Dataset events: records of what agents did, as training data. A [`DatasetEvent`] is raw; only the PII engine makes a
//! [`CleanEvent`] from it, and only clean events can be stored or forwarded.
//!
//! An [`EventLog`] records events one by one, or as the lines of an [`EventBatch`]. [`TrainPrefs`] holds which tenants
//! and users allow training, and an [`EventExport`] exports the events that may be used. [`EventLogEntry`] builds an
//! agent's event in one expression.

mod batch;
mod clean_event;
mod dataset;
mod event_log;
mod event_log_entry;
mod export;
mod line_result;
mod line_splitter;
mod stored_event;
mod train_prefs;

pub use self::{
    batch::{BatchSummary, EventBatch},
    clean_event::{CleanEvent, EventStamp, rescrub, scrub_event},
    dataset::DatasetEvent,
    event_log::{EventLog, RecordedEvent},
    event_log_entry::EventLogEntry,
    export::EventExport,
    line_result::LineResult,
    stored_event::{EventFilter, StoredEvent},
    train_prefs::{TrainPref, TrainPrefs, TrainPrefsView, training_allowed},
};
