//! What is counted. No label names a tenant, a user or an id.

mod backup;
mod counters;
mod engine;
mod mail;

pub(crate) use self::counters::{Held, MEDIA_TYPE, Metrics};
