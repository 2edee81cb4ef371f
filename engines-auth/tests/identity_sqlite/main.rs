//! The tests of `identity` on SQLite. Tests without a store are left out, and so are tests that advance the time of
//! tokio, because the threads of the store do not see it.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly, also in its helpers")]

#[path = "../identity/accounts.rs"]
mod accounts;
#[path = "../identity/addresses.rs"]
mod addresses;
#[path = "../identity/api_keys.rs"]
mod api_keys;
#[path = "../identity/auth_failures.rs"]
mod auth_failures;
mod backend;
#[path = "../identity/bootstrap.rs"]
mod bootstrap;
#[path = "../identity/directory.rs"]
mod directory;
#[path = "../identity/external.rs"]
mod external;
#[path = "../identity/fixture.rs"]
mod fixture;
#[path = "../identity/invite_consent.rs"]
mod invite_consent;
#[path = "../identity/invites.rs"]
mod invites;
#[path = "../identity/isolation.rs"]
mod isolation;
#[path = "../identity/members.rs"]
mod members;
#[path = "../identity/own_account.rs"]
mod own_account;
#[path = "../identity/recovery.rs"]
mod recovery;
mod restart;
#[path = "../identity/sessions.rs"]
mod sessions;
#[path = "../identity/tickets.rs"]
mod tickets;
