//! Detection and removal of personal data and secrets in text and JSON.
//!
//! A [`Scrubber`] is built once with its policy and is cheap to clone. It does no I/O and never waits:
//!
//! ```
//! use engines_pii::Scrubber;
//!
//! let scrubber = Scrubber::default();
//! let clean = scrubber.scrub_text("write to ana@example.org or call +1 212-555-0199")?;
//! assert_eq!(clean.value, "write to [EMAIL_ADDRESS] or call [PHONE_NUMBER]");
//! assert_eq!(clean.receipt.total(), 2);
//! # Ok::<(), engines_pii::ScrubError>(())
//! ```
//!
//! How it works: one pass over the bytes stops at words and at a few anchor bytes (`scanner`). Rules examine a bounded
//! window there and verify candidates by check digits, issuer ranges and numbering plans, and by the cue words around
//! them (`rule`). Encoded characters are first decoded into a plain copy, and positions of findings are mapped back.
//!
//! It fails closed: a text that cannot be scrubbed gives an error, never the text itself.

mod allow_list;
mod builder;
mod chunks;
mod detector;
mod entity;
mod error;
mod finding;
mod json;
mod key;
#[cfg(feature = "logs")]
pub mod logs;
mod policy;
mod reader;
mod replacement;
mod rule;
mod rule_table;
mod scan;
mod scanner;
mod scrubber;
mod stream;
mod tenant;
mod vault;

pub use builder::ScrubberBuilder;
pub use chunks::{ChunkError, ScrubbedChunks};
pub use detector::{DetectedSpan, Detector, DetectorBudget, DetectorError};
pub use entity::{Entity, EntityKind};
pub use error::{PolicyError, ScrubError};
pub use finding::{Finding, JsonFinding, ScrubReport, Scrubbed};
pub use key::PiiKey;
pub use policy::{EntityRule, Operator, Policy};
pub use reader::ScrubbedReader;
pub use scrubber::Scrubber;
pub use stream::{StreamScrubber, scrub_reader};
pub use vault::Vault;
