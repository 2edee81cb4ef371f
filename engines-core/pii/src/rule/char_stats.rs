//! Statistics of the characters of a value: whether it is random, a word of prose, or a piece of code.

use crate::scan::byte_class::{DIGIT as IS_DIGIT, LOWER, NON_ASCII, UPPER, class_of, is_hex, is_word};
use crate::scan::cue::{bit, table};

/// A set of characters of ASCII.
pub(super) const fn ascii_set(characters: &[u8]) -> u128 {
    let mut set = 0;
    let mut i = 0;
    while i < characters.len() {
        set |= 1 << characters[i];
        i += 1;
    }
    set
}

pub(super) const DIGITS: u128 = ascii_set(b"0123456789");
pub(super) const CAPITALS: u128 = ascii_set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ");
pub(super) const SMALL: u128 = ascii_set(b"abcdefghijklmnopqrstuvwxyz");
pub(super) const HEX: u128 = DIGITS | ascii_set(b"ABCDEFabcdef");

/// Statistics of a value's characters.
#[derive(Default)]
pub(super) struct CharStats {
    pub(super) digits: usize,
    pub(super) upper: usize,
    pub(super) lower: usize,
    pub(super) other: usize,
    pub(super) non_ascii: usize,
    /// The characters that occur; a byte outside ASCII counts as the one 128 below it.
    pub(super) set: u128,
    /// Whether the case changes inside, other than one capital at the start.
    pub(super) camel_case: bool,
}

impl CharStats {
    /// Whether all characters are from a set.
    pub(super) fn only_from(&self, set: u128) -> bool {
        self.non_ascii == 0 && self.set & !set == 0
    }

    /// Whether a character may occur; exact for ASCII text.
    pub(super) fn may_contain(&self, character: u8) -> bool {
        self.set >> character & 1 != 0
    }

    /// The number of different bytes.
    pub(super) fn distinct_count(&self) -> usize {
        self.set.count_ones() as usize
    }
}

pub(super) fn char_stats(value: &[u8]) -> CharStats {
    let mut l = CharStats::default();
    let (mut before, mut humps) = (0, 0);
    for &b in value {
        let class = class_of(b);
        let has = |which: u8| usize::from(class & which != 0);
        l.digits += has(IS_DIGIT);
        l.upper += has(UPPER);
        l.lower += has(LOWER);
        l.non_ascii += has(NON_ASCII);
        humps |= has(UPPER) & before;
        before = has(LOWER);
        l.set |= 1 << (b & 127);
    }
    l.other = value.len() - l.digits - l.upper - l.lower - l.non_ascii;
    l.camel_case = humps != 0;
    l
}

/// Whether the value cannot be a word of prose.
pub(super) fn is_no_prose_word(value: &[u8], stats: &CharStats) -> bool {
    let inner = || {
        value[1..value.len().saturating_sub(1).max(1)]
            .iter()
            .any(|b| !is_word(*b) && !matches!(b, b'-' | b'\'' | b'.' | b'/' | b','))
    };
    stats.camel_case && stats.lower > 0 || stats.lower + stats.upper > 0 && (stats.digits > 0 || inner())
}

/// Whether the value looks random: long, of several classes, with few repetitions.
pub(super) fn looks_random(value: &[u8], stats: &CharStats, least: usize) -> bool {
    const CHARSET: u128 = DIGITS | CAPITALS | SMALL | ascii_set(b"-_.+/=~!$%*&#@^:");
    let classes = [stats.digits, stats.upper, stats.lower, stats.other].iter().filter(|n| **n > 0).count();
    value.len() >= least
        && stats.only_from(CHARSET)
        && stats.digits > 0
        && (classes >= 3 || classes == 2 && value.len() >= 20 && stats.lower + stats.upper > 0)
        && stats.distinct_count() >= (value.len() / 3).clamp(6, 14)
}

pub(super) fn all_hex(value: &[u8]) -> bool {
    value.iter().all(|b| is_hex(*b))
}

pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { *b == b'-' } else { is_hex(*b) })
}

/// Whether it has both cases and many different characters: one in a thousand secrets has no digit.
pub(super) fn strongly_mixed(stats: &CharStats) -> bool {
    stats.upper > 5 && stats.lower > 5 && stats.distinct_count() > 16
}

/// Whether it has capitals, small letters and digits.
pub(super) fn strong_mix(stats: &CharStats) -> bool {
    stats.digits > 0
        && (stats.upper > 0 && stats.lower > 0
            || stats.lower + stats.upper >= 6 && stats.other > 0
            || stats.digits >= 4 && stats.lower + stats.upper >= 6)
}

/// Whether it is hyphenated words, a version or a file name.
pub(super) fn is_prose(stats: &CharStats) -> bool {
    stats.upper <= 1 && stats.only_from(CAPITALS | SMALL | ascii_set(b"-'/.,)(:?!"))
}

/// `getPassword()`, `user.password`, `self._token`: a piece of code.
pub(super) fn code_like(value: &[u8], stats: &CharStats) -> bool {
    let (digits, small) = (stats.digits, stats.upper == 0);
    let letters = CAPITALS | SMALL;
    // `f(x`, `Option[Text`.
    let opened = || {
        (stats.may_contain(b'(') || stats.may_contain(b'['))
            && stats.digits <= 2
            && stats.only_from(letters | DIGITS | ascii_set(b"_.([)]{}"))
    };
    let call = || {
        let pair = |a: u8, b: u8| stats.may_contain(a) && stats.may_contain(b) && value.windows(2).any(|w| w == [a, b]);
        value.ends_with(b"(") || pair(b'(', b')') || pair(b'-', b'>')
    };
    let path = || {
        stats.may_contain(b'.')
            && (digits == 0 || small && digits <= 2 && value.len() > 16)
            && stats.only_from(letters | DIGITS | ascii_set(b"._"))
    };
    let parts = || value.split(|b| *b == b'_');
    // `_bindgen_ty_5`, not `tigre_99`.
    let name_and_year = || {
        let (name, number) = value.split_at(value.iter().position(|b| *b == b'_').unwrap_or(0));
        digits == 2
            && name.len() >= 4
            && number.len() == 3
            && name.iter().all(u8::is_ascii_lowercase)
            && !matches!(number, b"_16" | b"_32" | b"_64")
    };
    let identifier = || {
        small
            && !name_and_year()
            && digits <= 2
            && value.len() < 32
            && parts().all(|p| p.iter().all(u8::is_ascii_lowercase) || p.iter().all(u8::is_ascii_digit))
    };
    let named = |word: &[u8]| table().get(word) & bit::VALUE_FOLLOWS != 0;
    // `key_password`: the value is a variable with the same kind of name.
    let variable =
        || stats.only_from(SMALL | ascii_set(b"_")) && value.rsplit(|b| *b == b'_').next().is_some_and(named);
    let constant = || value.len() > 4 && digits <= 1 && stats.only_from(CAPITALS | DIGITS | ascii_set(b"_"));
    // `&[u8`, `&password`.
    let reference = || value.starts_with(b"&[") || value.starts_with(b"&") && stats.only_from(SMALL | ascii_set(b"&_"));
    // `confirmPassword` as well.
    let camel = || {
        let hump = value.iter().rposition(u8::is_ascii_uppercase).filter(|at| *at > 0);
        // `resPassphraseMatch`.
        let inside = || {
            value[0].is_ascii_lowercase()
                && value
                    .chunk_by(|_, next| !next.is_ascii_uppercase())
                    .skip(1)
                    .any(|part| part.len() > 3 && named(part))
        };
        hump.is_some_and(|at| named(&value[at..]) || inside())
    };
    let typed = || {
        stats.may_contain(b':') && value.windows(2).any(|w| w == b"::")
            || value.starts_with(b"*const")
            || value.starts_with(b"*mut")
            || value.starts_with(b"__") && value.len() < 8
    };
    opened()
        || reference()
        || call()
        || path()
        || stats.may_contain(b'_') && stats.non_ascii == 0 && (identifier() || variable() || constant())
        || stats.only_from(letters) && camel()
        || typed()
        || value.starts_with(b"[") && value.ends_with(b"]")
        || value.starts_with(b"/") && value[1..].contains(&b'/')
}
