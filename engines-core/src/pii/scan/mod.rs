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
mod words;

pub(crate) use again::Ahead;
pub(crate) use block::{Name, name, next_quoted, suspicious};
pub(crate) use scanner::{LOOKBACK, Scan};
