//! Dataset events: what may be learned from. A [`DatasetEvent`] is raw; only the PII engine makes a [`CleanEvent`] out of
//! it, and nothing else can be stored or forwarded.
//!
//! An [`EventLog`] records them one by one, or as the lines of an [`EventBatch`]; [`TrainPrefs`] says whose may be learned from, and
//! an [`EventExport`] takes those out. An [`EventLogEntry`] makes the common one in one expression.

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
