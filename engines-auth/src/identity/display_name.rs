//! Text that people see and compare by eye: names and addresses without characters that nobody sees.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The joiners of Indic scripts, Persian and emoji (U+200C, U+200D). They are the only format characters a name needs.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Letters without a shape of their own, though their category is that of letters: the Hangul fillers.
const BLANK_LETTERS: [char; 4] = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'];

/// Whether a character has no shape, or changes the order or the meaning of what is around it: control and format characters (zero-width
/// characters, bidirectional controls, tags), separators of lines, private use, unassigned code points, and fillers.
pub(crate) fn is_invisible(c: char) -> bool {
    use GeneralCategory as G;
    matches!(
        c.general_category(),
        G::Control | G::Format | G::LineSeparator | G::ParagraphSeparator | G::PrivateUse | G::Surrogate | G::Unassigned
    ) || BLANK_LETTERS.contains(&c)
        // The combining grapheme joiner and the invisible vowels of Khmer are marks by category.
        || matches!(c, '\u{34f}' | '\u{17b4}' | '\u{17b5}')
}

/// A name in Unicode's form NFC, without blanks around it; none if it is empty, or has a character that is not seen. A joiner is allowed
/// between two other characters.
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
