//! `redact`: the PII engine as a filter for pipes.

mod filter;
mod report;
mod run;
mod unseal;

pub(super) use self::run::run;
