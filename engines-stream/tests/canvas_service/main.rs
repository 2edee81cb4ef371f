//! Canvases through their public API.
#![expect(clippy::unwrap_used, reason = "tests")]

mod commands;
mod faults;
mod faulty;
mod history;
mod nodes;
mod sqlite;
mod support;
