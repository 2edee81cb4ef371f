//! Cue words: words before a value that tell what it is ("SSN", "Telefonnummer", "order").
//!
//! The scanner looks each word up once, behind a filter on its beginning and its length, and keeps the last few cues in
//! a window. Rules then ask for the distance of the nearest cue of a kind. So the cost of cues does not depend on the
//! text.

use std::sync::LazyLock;

use super::cue_words;
use crate::entity::EntityKind;

pub(crate) use super::cue_bits::{Cues, bit};
pub(crate) use super::cue_table::{CueTable, WordKey};

static TABLE: LazyLock<CueTable> = LazyLock::new(|| CueTable::compile(cue_words::CUE_WORDS));

/// The table, compiled at the first use.
pub(crate) fn table() -> &'static CueTable {
    &TABLE
}

/// The cue that a finding is for the following text.
pub(crate) fn carried_cues(kind: EntityKind) -> Cues {
    match kind {
        EntityKind::EmailAddress => bit::EMAIL | bit::NUMBER,
        EntityKind::PhoneNumber => bit::PHONE,
        EntityKind::CreditCard => bit::CARD,
        EntityKind::IbanCode => bit::BANK,
        EntityKind::IpAddress => bit::IP | bit::MAC,
        EntityKind::StreetAddress => bit::ADDRESS | bit::ZIP,
        _ => 0,
    }
}
