//! Errors: a policy that cannot be used, or a text that could not be scrubbed.

use thiserror::Error;

/// A text could not be scrubbed, so nothing of it may be stored. No variant contains any of the text.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScrubError {
    /// The text is longer than the policy allows.
    #[error("the text has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// The text's size in bytes.
        size: usize,
        /// The limit in bytes ([`ScrubberBuilder::max_bytes`](super::ScrubberBuilder::max_bytes)).
        limit: usize,
    },
    /// The JSON is nested more deeply than the limit allows.
    #[error("the JSON is nested more deeply than {limit} levels")]
    TooDeep {
        /// The limit in levels ([`ScrubberBuilder::max_depth`](super::ScrubberBuilder::max_depth)).
        limit: usize,
    },
    /// The text is not valid JSON.
    #[error("not valid JSON at byte {offset}")]
    NotJson {
        /// The offset at which the reader stopped, in bytes.
        offset: usize,
    },
    /// A detector failed. The write that needs the scrub must fail too.
    #[error("the detector `{detector}` failed: {reason}")]
    Detector {
        /// Its [`Detector::name`](super::Detector::name).
        detector: String,
        /// The detector's reason, without any of the text.
        reason: String,
    },
    /// A detector returned a span that is outside the text, empty, or splits a character.
    #[error("the detector `{detector}` gave a span that is not in the text")]
    DetectorSpan {
        /// Its [`Detector::name`](super::Detector::name).
        detector: String,
    },
    /// The detectors took longer than the limit allows.
    #[error("the detector `{detector}` ran out of time")]
    OutOfTime {
        /// Its [`Detector::name`](super::Detector::name).
        detector: String,
    },
    /// A sealed value could not be sealed or opened: the key is another one, or the value is not sealed.
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
    /// An operator needs a key and the builder has none.
    #[error("the operator for `{entity}` needs a key: call ScrubberBuilder::key")]
    KeyMissing {
        /// The entity whose operator needs it, or `default`.
        entity: String,
    },
    /// No detector can return an entity with this name.
    #[error("`{0}` is not the name of an entity")]
    UnknownEntity(String),
    /// The policy exceeds a limit on its size.
    #[error("the policy has too many or too long `{what}`: the limit is {limit}")]
    TooMany {
        /// The part of the policy.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The version is empty, or has characters other than letters, digits, `.`, `_`, `-`.
    #[error("a policy version has 1 to 64 letters, digits, `.`, `_` or `-`")]
    Version,
    /// The score is not between 0 and 1.
    #[error("the minimum score for `{0}` is not between 0 and 1")]
    Score(String),
    /// A term of the deny list could not be compiled.
    #[error("the deny list cannot be compiled: {0}")]
    DenyList(String),
    /// Custom detectors need whole texts and cannot scrub chunks.
    #[error("the detector `{0}` cannot work on a stream of chunks")]
    DetectorStream(String),
}
