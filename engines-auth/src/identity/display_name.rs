//! Names that people compare by eye, and detection of invisible characters.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The zero-width joiners (U+200C, U+200D) of Indic scripts, Persian and emoji. Names need no other format characters.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// The Hangul fillers. Their category is that of letters, but they have no glyph.
const BLANK_LETTERS: [char; 4] = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'];

/// Returns whether a character has no glyph, or changes the order or the meaning of the characters around it: control
/// and format characters (zero-width characters, bidirectional controls, tags), line and paragraph separators, private
/// use, unassigned code points, and fillers.
pub(crate) fn is_invisible(c: char) -> bool {
    use GeneralCategory as G;
    matches!(
        c.general_category(),
        G::Control | G::Format | G::LineSeparator | G::ParagraphSeparator | G::PrivateUse | G::Surrogate | G::Unassigned
    ) || BLANK_LETTERS.contains(&c)
        // By category, the combining grapheme joiner and the invisible vowels of Khmer are marks.
        || matches!(c, '\u{34f}' | '\u{17b4}' | '\u{17b5}')
}

/// Normalises a name: Unicode's form NFC without surrounding white space. Returns `None` if it is empty or has an
/// invisible character. A joiner is allowed between two other characters.
pub(crate) fn normalised_name(text: &str) -> Option<String> {
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
