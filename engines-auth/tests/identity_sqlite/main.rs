//! The tests of `identity`, on the embedded store. Those that know no store are left out, and those of time that is made to pass: the
//! store's own threads would not see it.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly, also in its helpers")]

#[path = "../identity/accounts.rs"]
mod accounts;
#[path = "../identity/addresses.rs"]
mod addresses;
#[path = "../identity/api_keys.rs"]
mod api_keys;
mod backend;
#[path = "../identity/bootstrap.rs"]
mod bootstrap;
#[path = "../identity/consent.rs"]
mod consent;
#[path = "../identity/directory.rs"]
mod directory;
#[path = "../identity/external.rs"]
mod external;
#[path = "../identity/invites.rs"]
mod invites;
#[path = "../identity/isolation.rs"]
mod isolation;
#[path = "../identity/kit.rs"]
mod kit;
#[path = "../identity/members.rs"]
mod members;
#[path = "../identity/own_account.rs"]
mod own_account;
#[path = "../identity/recovery.rs"]
mod recovery;
#[path = "../identity/rejections.rs"]
mod rejections;
mod restart;
#[path = "../identity/sessions.rs"]
mod sessions;
#[path = "../identity/tickets.rs"]
mod tickets;
