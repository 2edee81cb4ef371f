//! Scrubs an app's own logs: records of `tracing` pass the PII engine before anything formats, prints or exports them.
//!
//! [`ScrubLayer`] wraps any layer and passes it events and spans with scrubbed fields, each with its name as context.
//! [`ScrubWriter`] wraps the writer of a formatting layer and scrubs the finished line: it covers text that something
//! else formatted, and findings that appear only when fields are combined. Use both:
//!
//! ```
//! use engines_pii::{Scrubber, logs::{ScrubLayer, ScrubWriter}};
//! use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _};
//!
//! let scrubber = Scrubber::default();
//! let format = fmt::layer().with_writer(ScrubWriter::new(std::io::stderr, scrubber.clone()));
//! let subscriber = tracing_subscriber::registry().with(EnvFilter::new("info")).with(ScrubLayer::new(format, scrubber));
//! # let _ = subscriber;
//! ```
//!
//! Names of spans, fields and targets are not scrubbed, because they are part of the program. A text that cannot be
//! scrubbed is withheld, and a note replaces it.

mod fields;
mod layer;
mod writer;

pub use self::{
    layer::ScrubLayer,
    writer::{ScrubWriter, ScrubbedLineWriter},
};
