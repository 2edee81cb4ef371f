//! The error of a command.

/// The error of a command: one sentence for people.
pub(super) type CliError = Box<dyn std::error::Error>;
