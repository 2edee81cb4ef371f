//! Canvases through their public API.
#![expect(clippy::unwrap_used, reason = "tests")]

mod commands;
mod faults;
mod faulty_store;
mod fixture;
mod history;
mod several_nodes;
mod sqlite;
