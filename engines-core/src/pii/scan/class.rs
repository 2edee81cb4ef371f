//! The class of every byte, looked up once per byte by the scanner.

/// `0`–`9`.
pub(crate) const DIGIT: u8 = 1;
/// `A`–`Z`.
pub(crate) const UPPER: u8 = 2;
/// `a`–`z`.
pub(crate) const LOWER: u8 = 4;
/// `_`.
pub(crate) const UNDER: u8 = 8;
/// Part of a character outside ASCII.
pub(crate) const HIGH: u8 = 16;

/// Letters and digits of ASCII.
pub(crate) const ALNUM: u8 = DIGIT | UPPER | LOWER;
/// Letters of ASCII.
pub(crate) const ALPHA: u8 = UPPER | LOWER;
/// What words are made of.
pub(crate) const WORD: u8 = ALNUM | UNDER | HIGH;

/// The class of each byte.
pub(crate) const CLASS: [u8; 256] = table();

const fn table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        table[i] = match b {
            b'0'..=b'9' => DIGIT,
            b'A'..=b'Z' => UPPER,
            b'a'..=b'z' => LOWER,
            b'_' => UNDER,
            0x80.. => HIGH,
            _ => 0,
        };
        i += 1;
    }
    table
}

/// The class of a byte.
#[inline]
pub(crate) const fn class(b: u8) -> u8 {
    CLASS[b as usize]
}

/// Whether it is a letter or digit of ASCII.
#[inline]
pub(crate) const fn is_alnum(b: u8) -> bool {
    class(b) & ALNUM != 0
}

/// Whether it can be part of a word: ASCII letters and digits, `_`, anything outside ASCII.
#[inline]
pub(crate) const fn is_word(b: u8) -> bool {
    class(b) & WORD != 0
}

/// Whether it is a hexadecimal digit.
#[inline]
pub(crate) const fn is_hex(b: u8) -> bool {
    (b.wrapping_sub(b'0') < 10) | ((b | 0x20).wrapping_sub(b'a') < 6)
}

/// The byte in lower case, if it is a letter of ASCII.
#[inline]
pub(crate) const fn fold(b: u8) -> u8 {
    b.to_ascii_lowercase()
}
