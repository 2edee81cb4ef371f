//! The scanner and its parts: byte classes, cue words, packed findings, and the plain copy of encoded text.

mod block;
pub(crate) mod byte_class;
#[cfg(test)]
mod complexity;
pub(crate) mod cue;
mod cue_table;
pub(crate) mod cue_window;
mod cue_words;
pub(crate) mod findings;
pub(crate) mod normalization;
mod rescan;
mod scanner;

pub(crate) use block::{is_short_name, may_need_decoding, next_json_special, pack_name, run_end, value_end};
pub(crate) use rescan::Lookahead;
pub(crate) use scanner::{LOOKBACK, Scan};
