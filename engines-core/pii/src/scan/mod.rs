//! The parts of a scan: byte classes, cue words, packed findings, and the plain copy of encoded text.

pub(crate) mod block;
pub(crate) mod body_set;
pub(crate) mod byte_class;
pub(crate) mod cue;
mod cue_bits;
mod cue_table;
pub(crate) mod cue_window;
mod cue_words;
pub(crate) mod deny_list;
pub(crate) mod findings;
pub(crate) mod lookahead;
pub(crate) mod normalization;
mod scan_state;
pub(crate) mod word_parts;

pub(crate) use block::{is_short_name, may_need_decoding, next_json_special, pack_name, value_end};
pub(crate) use lookahead::Lookahead;
pub(crate) use scan_state::{LOOKBACK, Scan, ScannerCalls};
pub(crate) use word_parts::cues_of_key;
