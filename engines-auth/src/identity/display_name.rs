//! Display names of people and tenants, which others compare by eye.

use engines_core::{Error, Result};
use unicode_normalization::UnicodeNormalization;

use crate::invisible_characters::is_invisible;

/// The longest name of a person or a tenant, in characters.
const MAX_NAME: usize = 200;

/// The zero-width joiners (U+200C, U+200D) of Indic scripts, Persian and emoji. Names need no other format characters.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Normalises a name: Unicode's form NFC without surrounding white space. Returns `None` if it is empty or has an
/// invisible character. A joiner is allowed between two other characters.
fn normalised_name(text: &str) -> Option<String> {
    let text: String = text.trim().nfc().collect();
    let joins = |at: usize, c: char| {
        let before = text[..at].chars().next_back().is_some_and(|c| !c.is_whitespace() && !JOINERS.contains(&c));
        let after = text[at + c.len_utf8()..].chars().next();
        before && after.is_some_and(|c| !c.is_whitespace() && !JOINERS.contains(&c))
    };
    let fits = text.char_indices().all(|(at, c)| match JOINERS.contains(&c) {
        true => joins(at, c),
        false => !is_invisible(c),
    });
    (fits && !text.is_empty()).then_some(text)
}

/// Validates a name: 1 to 200 visible characters in Unicode's form NFC. Surrounding white space is removed.
pub(crate) fn validate_name(operation: &'static str, field: &str, name: &str) -> Result<String> {
    let refused = |detail: &'static str| Error::invalid_body(operation, field, detail);
    if name.chars().count() > MAX_NAME {
        return Err(refused("a name has at most 200 characters"));
    }
    normalised_name(name).filter(|name| name.chars().count() <= MAX_NAME).ok_or_else(|| {
        refused("a name has 1 to 200 characters, without control characters, zero-width characters and marks that change the direction")
    })
}
