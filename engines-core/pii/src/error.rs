//! What can go wrong: a policy that makes no sense, or a text that could not be scrubbed.

use thiserror::Error;

/// A text could not be scrubbed; nothing of it may be stored. No variant carries any of the text.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScrubError {
    /// The text is longer than the policy allows.
    #[error("the text has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes ([`ScrubberBuilder::max_bytes`](super::ScrubberBuilder::max_bytes)).
        limit: usize,
    },
    /// JSON nested more deeply than the policy allows.
    #[error("the JSON is nested more deeply than {limit} levels")]
    TooDeep {
        /// The limit in levels ([`ScrubberBuilder::max_depth`](super::ScrubberBuilder::max_depth)).
        limit: usize,
    },
    /// The text given as JSON is not JSON.
    #[error("not valid JSON at byte {offset}")]
    NotJson {
        /// Where the reader stopped, in bytes.
        offset: usize,
    },
    /// A detector failed; the write that asked for the scrub has to fail too.
    #[error("the detector `{detector}` failed: {reason}")]
    Detector {
        /// Its [`Detector::name`](super::Detector::name).
        detector: String,
        /// What it said, without any of the text.
        reason: String,
    },
    /// A detector named a span that is outside the text, empty, or splits a character.
    #[error("the detector `{detector}` gave a span that is not in the text")]
    DetectorSpan {
        /// Its [`Detector::name`](super::Detector::name).
        detector: String,
    },
    /// The detectors took longer than the policy allows.
    #[error("the detector `{detector}` ran out of time")]
    OutOfTime {
        /// Its [`Detector::name`](super::Detector::name).
        detector: String,
    },
    /// A sealed value could not be sealed or opened: another key, or not a sealed value.
    #[error("the sealed value cannot be opened with this key")]
    Seal,
    /// Reading from the source of a stream failed.
    #[error("reading the stream failed: {0}")]
    Read(String),
}

/// A policy that cannot be used.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// An operator needs a key and the builder was given none.
    #[error("the operator for `{entity}` needs a key: call ScrubberBuilder::key")]
    KeyMissing {
        /// The entity whose operator needs it, or `default`.
        entity: String,
    },
    /// A name that no detector here can produce.
    #[error("`{0}` is not the name of an entity")]
    UnknownEntity(String),
    /// A limit of the policy document itself.
    #[error("the policy has too many or too long `{what}`: the limit is {limit}")]
    TooMany {
        /// Which part.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// An empty version, or one with characters other than letters, digits, `.`, `_`, `-`.
    #[error("a policy version has 1 to 64 letters, digits, `.`, `_` or `-`")]
    Version,
    /// A score outside 0 to 1.
    #[error("the minimum score for `{0}` is not between 0 and 1")]
    Score(String),
    /// A deny-list term that could not be compiled.
    #[error("the deny list cannot be compiled: {0}")]
    DenyList(String),
    /// Detectors of one's own see whole texts and cannot work on chunks.
    #[error("the detector `{0}` cannot work on a stream of chunks")]
    DetectorStream(String),
}
