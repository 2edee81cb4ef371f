//! Words that consist of parts, such as `phone_number` and `phoneNumber`, and the cues of keys.

use super::byte_class::{CLASS, DIGIT, LOWER, NON_ASCII, UNDERSCORE, UPPER, is_word};
use super::cue::{CueTable, Cues, table};

/// The cues that a JSON key gives for its value.
pub(crate) fn cues_of_key(key: &[u8]) -> Cues {
    if key.len() > 64 {
        return 0;
    }
    let table = table();
    let (mut i, mut all) = (0, 0);
    while i < key.len() {
        let start = i;
        let mut flags = 0;
        while i < key.len() && is_word(key[i]) {
            flags |= CLASS[usize::from(key[i])];
            i += 1;
        }
        if i == start {
            i += 1;
            continue;
        }
        let word = &key[start..i];
        if flags & NON_ASCII != 0 && key[start] >= 0xe0 {
            CueTable::for_each_spaceless(word, |_, bits| all |= bits);
        }
        let mut bits = table.get_at(key, start, i);
        if bits == 0 && flags & NON_ASCII != 0 {
            bits = table.get_capitalized(word);
        }
        all |= bits;
        if bits == 0 && may_have_parts(word, flags) {
            for_each_part(table, word, |to, bits| all |= table.cues_with_tail(bits, &word[to..]));
        }
    }
    all
}

/// Whether a word may have parts: `_`, a capital behind a small letter, digits behind letters.
#[inline]
pub(crate) fn may_have_parts(word: &[u8], flags: u8) -> bool {
    if word.len() > 64 {
        return false;
    }
    if flags & UNDERSCORE != 0 {
        return true;
    }
    if flags & DIGIT != 0 {
        // `phone2`; not hashes.
        let letters = word.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        return letters >= 2 && word[letters..].iter().all(u8::is_ascii_digit);
    }
    flags & (UPPER | LOWER) == UPPER | LOWER && word[1..].iter().any(u8::is_ascii_uppercase)
}

/// The cues of the parts of a word, each with its end.
#[inline]
pub(crate) fn for_each_part(table: &CueTable, word: &[u8], mut found: impl FnMut(usize, Cues)) {
    let mut from = 0;
    for (i, b) in word.iter().enumerate() {
        let hump = b.is_ascii_lowercase() && word.get(i + 1).is_some_and(u8::is_ascii_uppercase);
        let edge = *b == b'_' || b.is_ascii_digit();
        if hump || edge || i + 1 == word.len() {
            let to = if edge { i } else { i + 1 };
            if to > from + 1 {
                let bits = table.get_at(word, from, to);
                if bits != 0 {
                    found(to, bits);
                }
            }
            from = i + 1;
        }
    }
}
