//! Dataset events: what may be learned from. A [`DatasetEvent`] is raw; only the PII engine makes a [`CleanEvent`] out of
//! it, and nothing else can be stored or forwarded.
//!
//! An [`EventLog`] records them one by one, or as the lines of an [`EventBatch`]; [`TrainPrefs`] says whose may be learned from, and
//! an [`EventExport`] takes those out. An [`EventLogEntry`] makes the common one in one expression.

mod batch;
mod clean;
mod dataset;
mod entry;
mod export;
mod line;
mod lines;
mod log;
mod prefs;
mod stored;

pub use self::{
    batch::{BatchEnd, EventBatch},
    clean::{CleanEvent, EventStamp, clean, clean_again},
    dataset::DatasetEvent,
    entry::EventLogEntry,
    export::EventExport,
    line::LineResult,
    log::{EventLog, Recorded},
    prefs::{TrainPref, TrainPrefs, TrainPrefsView, may_learn},
    stored::{EventFilter, StoredEvent},
};
