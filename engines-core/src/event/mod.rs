//! Dataset events: records of what agents did, as training data. A [`DatasetEvent`] is raw; only the PII engine makes a
//! [`CleanEvent`] from it, and only clean events can be stored or forwarded. [`EventLogEntry`] builds an agent's event in
//! one expression.
//!
//! The service that records events, `EventLog`, is in `engines_storage::event_log`.

mod clean_event;
mod dataset;
mod event_log_entry;
mod stored_event;

pub use self::{
    clean_event::{CleanEvent, EventStamp, rescrub, scrub_archived, scrub_event},
    dataset::DatasetEvent,
    event_log_entry::EventLogEntry,
    stored_event::{EventFilter, StoredEvent},
};
