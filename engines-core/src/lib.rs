//! engines: core.

pub mod command;
