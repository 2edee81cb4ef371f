//! What is known at a group of digits before a number is read there.

use crate::scan::cue::Cues;

/// The longest distance from the end of a cue to a number, in bytes.
pub(crate) const CUE_REACH: usize = 48;

/// The context of the number that may begin at a group.
pub(super) struct NumberStart {
    /// Its start: the first digit.
    pub(super) start: usize,
    /// Whether a `+` directly precedes it.
    pub(super) plus: bool,
    /// It begins with `(` and the first group ends with `)`.
    pub(super) bracketed: bool,
    /// Whether it is joined to a word or a number before it.
    pub(super) glued: bool,
    /// Whether digits that are not a number of their own precede it.
    pub(super) inside_run: bool,
    /// The cues within reach.
    pub(super) cues: Cues,
}
