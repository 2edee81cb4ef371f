//! An app whose logs pass through the PII engine: `cargo run -p engines-pii --features logs --example scrub_logs`.

use std::error::Error;

use engines_pii::{
    Scrubber,
    logs::{ScrubLayer, ScrubWriter},
};
use tracing_subscriber::{EnvFilter, Layer as _, fmt, layer::SubscriberExt as _};

fn main() -> Result<(), Box<dyn Error>> {
    let scrubber = Scrubber::default();
    let layer = fmt::layer().with_writer(ScrubWriter::new(std::io::stderr, scrubber.clone()));
    let layer = ScrubLayer::new(layer, scrubber).with_filter(EnvFilter::new("info"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;

    let _span = tracing::info_span!("signup", user = "ana@example.org").entered();
    tracing::info!(dob = "1980-05-17", "mail sent to {}", "ana@example.org");
    let error = std::io::Error::other("no such mailbox: ana@example.org");
    tracing::warn!(error = &error as &dyn Error, password = "hunter2!x", "it came back");
    Ok(())
}
