//! Identity over HTTP, by the wire contract alone.
#![expect(clippy::unwrap_used, reason = "tests")]

mod accounts;
mod addresses;
mod bootstrap;
mod equal_work;
mod fixture;
mod hash_waiting;
mod invite_consent;
mod invites;
mod keys;
mod limits;
mod mails;
mod members;
mod own_account;
mod sessions;
mod smtp;
#[path = "../support/mod.rs"]
mod support;
mod tickets;
