//! An app's own logs through the PII engine: what `tracing` records is scrubbed before anything formats, prints or exports it.
//!
//! [`ScrubLayer`] wraps any layer and hands it events and spans whose fields have been scrubbed, each with its name as context.
//! [`ScrubWriter`] wraps where a formatting layer writes, and scrubs the finished line: what was formatted by something else, or shows only
//! when fields stand together. Use both:
//!
//! ```
//! use engines_pii::{logs::{ScrubLayer, ScrubWriter}, pii::Scrubber};
//! use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _};
//!
//! let scrubber = Scrubber::default();
//! let format = fmt::layer().with_writer(ScrubWriter::new(std::io::stderr, scrubber.clone()));
//! let subscriber = tracing_subscriber::registry().with(EnvFilter::new("info")).with(ScrubLayer::new(format, scrubber));
//! # let _ = subscriber;
//! ```
//!
//! Names are not scrubbed: those of spans, fields and targets are part of the program. A text that cannot be scrubbed is withheld, and says so.

mod fields;
mod layer;
mod writer;

pub use self::{
    layer::ScrubLayer,
    writer::{ScrubWriter, ScrubbedLineWriter},
};
