//! Logs: for people on a terminal, one JSON object a line otherwise, on standard error. Never payloads, queries or credentials.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogFormat, LogSettings};

/// Begins to log. Does nothing if something else in the process logs already.
///
/// # Errors
/// When the level is malformed; the text says how.
pub fn init(settings: &LogSettings) -> Result<(), String> {
    let filter = EnvFilter::try_new(&settings.level).map_err(|error| format!("log.level: {error}"))?;
    let terminal = std::io::stderr().is_terminal();
    let pretty = match settings.format {
        LogFormat::Auto => terminal,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It fails only when a subscriber is set, and then that one has the say.
    let _ = if pretty {
        builder.with_ansi(terminal).with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    Ok(())
}
