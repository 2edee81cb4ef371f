//! The table of routes, in one file for each area.

mod accounts;
mod all;
mod auth;
mod builders;
mod canvas;
mod chat;
mod events;
mod keys;
mod pii;
mod retention;
mod service;
mod streams;
mod tenants;

pub use self::all::all;
pub(crate) use self::all::entries;
