//! The scanner and what it works with: byte classes, cue words, findings in packed form, and the plain copy of encoded text.

mod again;
mod block;
pub(crate) mod class;
pub(crate) mod cue;
pub(crate) mod hits;
#[cfg(test)]
mod linear;
pub(crate) mod normal;
pub(crate) mod ring;
mod scanner;
mod table;
mod words;

pub(crate) use again::Ahead;
pub(crate) use block::{is_name, next_quoted, packed, run_end, suspicious, value_end};
pub(crate) use scanner::{LOOKBACK, Scan};
