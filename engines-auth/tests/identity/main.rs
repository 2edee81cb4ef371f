//! Identity through its public API, on the store in memory; the same tests run on SQLite in `identity_sqlite`.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly, also in its helpers")]

mod accounts;
mod addresses;
mod api_keys;
mod backend;
mod bootstrap;
mod consent;
mod directory;
mod external;
mod invites;
mod isolation;
mod kit;
mod login_limits;
mod members;
mod own_account;
mod password;
mod recovery;
mod rejections;
mod secrets;
mod sessions;
mod tenant_quota;
mod ticket_reuse;
mod tickets;
mod watch;
