//! The sets of characters that secrets consist of.

use super::block::run_end;
use super::byte_class::is_alnum;

/// The characters of the part behind a prefix.
#[derive(Clone, Copy)]
pub(crate) enum BodySet {
    /// Letters and digits.
    Alnum,
    /// And `-`, `_`.
    Url,
    /// And `-`, `_`, `.`.
    Dotted,
    /// Capitals and digits.
    Upper,
    Hex,
    /// Base64 with `+`, `/`, `=`.
    Base64,
}

/// The number of sets.
pub(crate) const BODY_SETS: usize = 6;

impl BodySet {
    pub(crate) fn contains(self, byte: u8) -> bool {
        match self {
            Self::Alnum => is_alnum(byte),
            Self::Url => is_alnum(byte) || byte == b'-' || byte == b'_',
            Self::Dotted => is_alnum(byte) || matches!(byte, b'-' | b'_' | b'.'),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Base64 => is_alnum(byte) || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'),
        }
    }

    /// The end of a run of such bytes.
    pub(crate) fn run_end_from(self, bytes: &[u8], from: usize) -> usize {
        match self {
            Self::Alnum => run_end(bytes, from, []),
            Self::Url => run_end(bytes, from, [b'-', b'_']),
            Self::Dotted => run_end(bytes, from, [b'-', b'_', b'.']),
            Self::Base64 => run_end(bytes, from, [b'+', b'/', b'=', b'-', b'_']),
            Self::Upper | Self::Hex => {
                bytes.get(from..).map_or(from, |rest| from + rest.iter().take_while(|b| self.contains(**b)).count())
            }
        }
    }
}
