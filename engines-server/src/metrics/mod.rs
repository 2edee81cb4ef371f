//! The metrics. No label contains a tenant, a user or an id.

mod backup;
mod counters;
mod engine;
mod mail;

pub(crate) use self::counters::Metrics;
