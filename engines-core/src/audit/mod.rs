//! Audit records of actions, written in the same transaction as their effect.

mod entry;

pub use self::entry::{AuditEntry, AuditFilter, AuditOutcome};
