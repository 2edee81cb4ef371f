//! Dataset events: what may be learned from. A [`DatasetEvent`] is raw; only the PII engine makes a [`CleanEvent`] out of
//! it, and nothing else can be stored or forwarded.

mod clean;
mod dataset;
mod log;
mod stored;

pub use self::{
    clean::{CleanEvent, EventStamp, clean, clean_again},
    dataset::DatasetEvent,
    log::{EventLog, Recorded},
    stored::{EventFilter, StoredEvent},
};
