//! `redact`: the PII engine as a filter for pipes.

mod filter;
mod open;
mod report;
mod run;

pub(super) use self::run::run;
