//! Detection of characters that are not visible in text which people compare by eye.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The Hangul fillers. Their category is that of letters, but they have no glyph.
const BLANK_LETTERS: [char; 4] = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'];

/// Returns whether a character has no glyph, or changes the order or the meaning of the characters around it.
///
/// These are control and format characters (zero-width characters, bidirectional controls, tags), line and paragraph
/// separators, private use, unassigned code points, and fillers.
pub(crate) fn is_invisible(c: char) -> bool {
    use GeneralCategory as G;
    matches!(
        c.general_category(),
        G::Control | G::Format | G::LineSeparator | G::ParagraphSeparator | G::PrivateUse | G::Surrogate | G::Unassigned
    ) || BLANK_LETTERS.contains(&c)
        // By category, the combining grapheme joiner and the invisible vowels of Khmer are marks.
        || matches!(c, '\u{34f}' | '\u{17b4}' | '\u{17b5}')
}
