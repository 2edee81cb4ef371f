//! The table, an area a file.

mod all;
mod canvas;
mod chat;
mod events;
mod live;
mod row;
mod service;

pub use self::all::all;
