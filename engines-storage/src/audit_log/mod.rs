//! Reading the audit log: records of actions, written in the same transaction as their effect.

mod reader;

pub use self::reader::AuditLog;
