//! What everybody tries first: a list of words, and the few ways in which people make them longer.
//!
//! The list holds the words; the variants (capitals, `p4ssw0rd`, digits, years and signs around them, the word twice) are undone before
//! looking one up, so a list of some kilobytes stands for millions of entries.

use std::{collections::HashSet, sync::LazyLock};

/// One word or phrase in small letters each; lines and blanks separate them.
static COMMON_WORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common.txt").split_whitespace().collect());

/// Ways across a keyboard, alphabets, digits. A part of one, in either direction, is no secret.
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

/// Shorter than this, what repeats or walks is no password whatever stands around it.
const MIN_CORE_CHARS: usize = 4;

pub(super) fn is_common(password: &str, words: &[&str]) -> bool {
    let lower = password.to_lowercase();
    let known = |text: &str| {
        is_word(text)
            || is_walk(text)
            || repeated_unit(text).is_some_and(|unit| unit.chars().count() <= MIN_CORE_CHARS || is_word(unit))
    };
    let core = strip_affixes(&lower);
    // Nothing but digits and signs of a keyboard; other signs (emoji) are worth as much as letters.
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

/// Without the digits and signs around it, which are what most people add when they must.
fn strip_affixes(text: &str) -> &str {
    let is_edge = |letter: char| !letter.is_alphabetic() && !matches!(letter, '@' | '$');
    let inner = text.trim_matches(|letter: char| !letter.is_alphabetic());
    // `pa$$` and `@dmin` begin or end with a letter in disguise.
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

/// Whether it is part of a way across the keyboard, of at least [`MIN_CORE_CHARS`] steps.
fn is_walk(text: &str) -> bool {
    if text.chars().count() < MIN_CORE_CHARS {
        return false;
    }
    let back: String = text.chars().rev().collect();
    WALKS.iter().any(|walk| walk.contains(text) || walk.contains(&back))
}

/// The shortest text that makes this one when it is repeated at least twice.
fn repeated_unit(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let ends = text.char_indices().map(|(at, _)| at).skip(1).take_while(|at| at * 2 <= bytes.len());
    ends.filter(|at| bytes.len().is_multiple_of(*at))
        .find(|at| bytes.chunks_exact(*at).all(|chunk| chunk == &bytes[..*at]))
        .map(|at| &text[..at])
}
