//! The table, an area a file.

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
