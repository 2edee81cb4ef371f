//! Logs on standard error: for people on a terminal, otherwise one JSON object on each line. They contain no payloads,
//! queries or credentials. Messages and errors of other libraries may quote such data, so the PII engine scrubs all
//! messages.

use std::io::IsTerminal;

use engines::core::{
    logs::{ScrubLayer, ScrubWriter},
    pii::{Policy, Scrubber},
};
use tracing_subscriber::{EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{LogFormat, Settings};

/// Sets up logging. It does nothing if the process already has a logger.
///
/// # Errors
/// The level is malformed. The error describes its form.
pub fn init(settings: &Settings) -> Result<(), String> {
    let log = &settings.log;
    let filter = EnvFilter::try_new(&log.level).map_err(|error| format!("log.level: {error}"))?;
    let terminal = std::io::stderr().is_terminal();
    let pretty = match log.format {
        LogFormat::Auto => terminal,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let layer = fmt::layer();
    let layer = if log.scrub {
        // The addresses of the server's listeners are no personal data.
        let own = [Some(settings.listen), settings.metrics.listen].into_iter().flatten();
        let policy = Policy { allow: own.map(|address| address.ip().to_string()).collect(), ..Policy::default() };
        let scrubber = Scrubber::builder().policy(policy).build().map_err(|error| error.to_string())?;
        let layer = layer.with_writer(ScrubWriter::new(std::io::stderr, scrubber.clone()));
        if pretty {
            ScrubLayer::new(layer.with_ansi(terminal).with_target(false), scrubber).boxed()
        } else {
            ScrubLayer::new(layer.json().flatten_event(true), scrubber).boxed()
        }
    } else {
        let layer = layer.with_writer(std::io::stderr);
        if pretty {
            layer.with_ansi(terminal).with_target(false).boxed()
        } else {
            layer.json().flatten_event(true).boxed()
        }
    };
    // Setting it fails only when another subscriber is set, which then stays.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
    Ok(())
}
