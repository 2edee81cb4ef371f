//! The rules: each examines a position at which the scanner stopped and decides whether a finding begins there.

pub(crate) mod address;
pub(crate) mod alphanumeric_ids;
pub(crate) mod card;
mod char_stats;
pub(crate) mod check_digits;
mod command_line;
pub(crate) mod crypto;
pub(crate) mod cue_values;
pub(crate) mod date;
mod digit_run;
pub(crate) mod email;
mod extension;
mod fast_reject;
mod hyphenated_ids;
pub(crate) mod iban;
mod labelled_address;
mod mask;
mod national_checks;
pub(crate) mod national_ids;
pub(crate) mod network;
pub(crate) mod number;
pub(crate) mod number_start;
pub(crate) mod password;
pub(crate) mod password_hash;
pub(crate) mod pem;
pub(crate) mod phone_automata;
mod phone_match;
mod postal;
pub(crate) mod secret;
mod secret_body;
mod secret_prefixes;
mod street_words;
pub(crate) mod url;

pub(crate) use mask::{MAX_SEALED_LETTERS, mask_at, mask_end};
pub(crate) use network::{hex_address, may_begin_address};
