//! The class of each byte, which the scanner looks up once per byte.

/// `0`–`9`.
pub(crate) const DIGIT: u8 = 1;
/// `A`–`Z`.
pub(crate) const UPPER: u8 = 2;
/// `a`–`z`.
pub(crate) const LOWER: u8 = 4;
/// `_`.
pub(crate) const UNDERSCORE: u8 = 8;
/// A byte of a character outside ASCII.
pub(crate) const NON_ASCII: u8 = 16;

/// Letters and digits of ASCII.
pub(crate) const ALNUM: u8 = DIGIT | UPPER | LOWER;
/// Letters of ASCII.
pub(crate) const ALPHA: u8 = UPPER | LOWER;
/// Bytes of words.
pub(crate) const WORD: u8 = ALNUM | UNDERSCORE | NON_ASCII;

/// The class of each byte.
pub(crate) const CLASS: [u8; 256] = build_table();

const fn build_table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        table[i] = match b {
            b'0'..=b'9' => DIGIT,
            b'A'..=b'Z' => UPPER,
            b'a'..=b'z' => LOWER,
            b'_' => UNDERSCORE,
            0x80.. => NON_ASCII,
            _ => 0,
        };
        i += 1;
    }
    table
}

/// The class of a byte.
#[inline]
pub(crate) const fn class_of(byte: u8) -> u8 {
    CLASS[byte as usize]
}

/// Whether it is a letter or digit of ASCII.
#[inline]
pub(crate) const fn is_alnum(byte: u8) -> bool {
    class_of(byte) & ALNUM != 0
}

/// Whether it can be part of a word: ASCII letters and digits, `_`, anything outside ASCII.
#[inline]
pub(crate) const fn is_word(byte: u8) -> bool {
    class_of(byte) & WORD != 0
}

/// Whether it is a hexadecimal digit.
#[inline]
pub(crate) const fn is_hex(byte: u8) -> bool {
    (byte.wrapping_sub(b'0') < 10) | ((byte | 0x20).wrapping_sub(b'a') < 6)
}

/// The byte in lower case, if it is a letter of ASCII.
#[inline]
pub(crate) const fn to_lower(byte: u8) -> u8 {
    byte.to_ascii_lowercase()
}

/// Characters that may separate the groups of a number.
#[inline]
pub(crate) fn joins_groups(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'+' | b',')
}

/// Characters that may join two values.
#[inline]
pub(crate) fn separates_values(byte: u8) -> bool {
    joins_groups(byte) || matches!(byte, b':' | b';' | b'=' | b'&' | b'#' | b'\'' | b'?')
}
