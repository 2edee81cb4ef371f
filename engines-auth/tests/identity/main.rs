//! Identity through its public API, on the store in memory. `identity_sqlite` runs the same tests on SQLite.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly, also in its helpers")]

mod accounts;
mod addresses;
mod api_keys;
mod auth_failures;
mod backend;
mod bootstrap;
mod directory;
mod external;
mod fixture;
mod invite_consent;
mod invites;
mod isolation;
mod key_reach;
mod login_limits;
mod members;
mod own_account;
mod password;
mod recovery;
mod secrets;
mod session_monitor;
mod sessions;
mod tenant_quota;
mod ticket_reuse;
mod tickets;
