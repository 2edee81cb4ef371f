//! Detection of common passwords: a list of words, and the usual ways of making them longer.
//!
//! The list has the words only. Before the lookup, the usual variants (capitals, `p4ssw0rd`, digits, years and signs
//! around the word, the word twice) are undone. So a list of some kilobytes covers millions of passwords.

use std::{collections::HashSet, sync::LazyLock};

/// The words and phrases in lower case, separated by white space.
static COMMON_WORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common.txt").split_whitespace().collect());

/// Keyboard walks, alphabets and digits. A part of one, in either direction, is a common password.
const WALKS: [&str; 14] = [
    "12345678901234567890",
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertyuiop[]asdfghjkl;'zxcvbnm,./",
    "azertyuiopqsdfghjklmwxcvbn",
    "qwertzuiopasdfghjklyxcvbnm",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "a1s2d3f4g5h6j7k8l9",
    "!@#$%^&*()_+",
    "zaq12wsxcde34rfvbgt56yhn",
];

/// A core of at most this many characters, repeated, makes no acceptable password, and a walk of at least this many is
/// recognised.
const MIN_CORE_CHARS: usize = 4;

pub(super) fn is_common(password: &str, words: &[&str]) -> bool {
    let lower = password.to_lowercase();
    let known = |text: &str| {
        is_word(text)
            || is_walk(text)
            || repeated_unit(text).is_some_and(|unit| unit.chars().count() <= MIN_CORE_CHARS || is_word(unit))
    };
    let core = strip_affixes(&lower);
    // True for digits and keyboard signs only. Other signs (emoji) count like letters.
    let bare = core.is_empty() && lower.chars().all(|letter| letter.is_ascii() || letter.is_numeric());
    let unleeted = unleet(core);
    let own = |word: &str| {
        let word = word.to_lowercase();
        let local = word.split_once('@').map_or(word.as_str(), |(local, _)| local);
        [word.as_str(), local]
            .iter()
            .any(|word| word.chars().count() >= MIN_CORE_CHARS && (lower == *word || core == *word))
    };
    bare || known(&lower) || known(core) || known(&unleeted) || words.iter().any(|word| own(word))
}

fn is_word(text: &str) -> bool {
    COMMON_WORDS.contains(text)
}

/// Removes the digits and signs around the word, which is what most people add when they must.
fn strip_affixes(text: &str) -> &str {
    let is_edge = |letter: char| !letter.is_alphabetic() && !matches!(letter, '@' | '$');
    let inner = text.trim_matches(|letter: char| !letter.is_alphabetic());
    // In `pa$$` and `@dmin` the outer sign stands for a letter.
    if is_word(&unleet(inner)) { inner } else { text.trim_matches(is_edge) }
}

fn unleet(text: &str) -> String {
    let plain = |letter| match letter {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    text.chars().map(plain).collect()
}

/// Returns whether the text is part of a keyboard walk, of at least [`MIN_CORE_CHARS`] characters.
fn is_walk(text: &str) -> bool {
    if text.chars().count() < MIN_CORE_CHARS {
        return false;
    }
    let back: String = text.chars().rev().collect();
    WALKS.iter().any(|walk| walk.contains(text) || walk.contains(&back))
}

/// Returns the shortest text that yields this one when it is repeated at least twice.
fn repeated_unit(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let ends = text.char_indices().map(|(at, _)| at).skip(1).take_while(|at| at * 2 <= bytes.len());
    ends.filter(|at| bytes.len().is_multiple_of(*at))
        .find(|at| bytes.chunks_exact(*at).all(|chunk| chunk == &bytes[..*at]))
        .map(|at| &text[..at])
}
