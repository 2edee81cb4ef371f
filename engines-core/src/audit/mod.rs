//! The audit log: records of actions, written in the same transaction as their effect.

mod entry;
mod log;

pub use self::{
    entry::{AuditEntry, AuditFilter, AuditOutcome},
    log::AuditLog,
};
