//! Identity through its public API, on the store in memory and on SQLite.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly, also in its helpers")]

mod accounts;
mod api_keys;
mod bootstrap;
mod directory;
mod external;
mod invites;
mod isolation;
mod kit;
mod members;
mod password;
mod rejections;
mod secrets;
mod sessions;
mod sqlite;
mod tickets;
mod watch;
