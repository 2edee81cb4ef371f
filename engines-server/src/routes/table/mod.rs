//! The table, an area a file.

mod accounts;
mod all;
mod auth;
mod canvas;
mod chat;
mod events;
mod keys;
mod live;
mod pii;
mod retention;
mod row;
mod service;
mod tenants;

pub use self::all::all;
