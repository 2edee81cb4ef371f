//! Runs of digits that are nobody's number at a glance: decimals, days, what no cue speaks of.
//!
//! Nearly all runs are such. What is said here follows from what the rules in [`super::number`] and [`super::dial`] ask for; it only says it sooner.

use crate::pii::scan::Scan;
use crate::pii::scan::cue::{Cues, bit};

use super::address;
use super::card::{self, Issuer};
use super::chain::{Chain, digits_from};
use super::dial;
use super::ids::{self, Spec};
use super::number::{self, Place, REACH};
use super::phone::DOMESTIC;

/// Cues without which no digits are a number but by their form, other than words that stand before any number.
const NAMING: Cues = bit::PHONE | bit::SORT | bit::ZIP | bit::CARD | ids::CUES;

/// Such words.
const ANY: Cues = bit::NUMBER | bit::FILLER;

/// Which of these cues are near `at`.
fn near(s: &Scan<'_>, which: Cues, at: usize) -> Cues {
    if s.cues.any(which) { s.cues.all(at, REACH) & which } else { 0 }
}

/// Whether a run of digits may go on behind a group, which has these two bytes behind it.
pub(super) fn joined(next: u8, second: u8) -> bool {
    match next {
        b' ' | b')' => second.is_ascii_digit() || matches!(second, b' ' | b'-' | b'(' | b'.'),
        b'-' | b'.' | b'/' | b'(' => second.is_ascii_digit() || second == b'(' || next == b'-',
        _ => false,
    }
}

/// Where a decimal or a version of two parts ends that is no number, and begins with the group at `start..end`.
pub(super) fn decimal(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let to = decimal_end(s, start, end)?;
    // It is no house number either, which is remembered.
    address::number_last(s, start, end).or(Some(to))
}

fn decimal_end(s: &Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let (len, decimals) = (end - start, digits_from(s.b, end + 1));
    let to = end + 1 + decimals;
    let after = s.at(to);
    if !(1..=16).contains(&decimals) || len > 4 || joined(after, s.at(to + 1)) || s.cues.any(bit::ZIP) {
        return None;
    }
    // `0.12s`: what is behind the dot is another word.
    if after.is_ascii_alphanumeric() || after == b'_' {
        return if matches!(after, b'x' | b'X') { None } else { Some(end) };
    }
    // `555.0199` may be called; nine digits and more may have a name of several words.
    let named = if len + decimals < 9 && (len, decimals) != (3, 4) { NAMING } else { NAMING | ANY };
    let none = || free(s, start) && !dial::labelled_after(s, to) && near(s, named, start) == 0;
    (len + decimals < 6 || s.b[start] != b'0' && none()).then_some(to)
}

/// Where a day ends that is no number, and begins with the group at `start..end`.
pub(super) fn day(s: &Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let text: &[u8; 10] = s.b.get(start..)?.first_chunk()?;
    let (places, digits) = match end - start {
        4 => ([4, 7], [0, 1, 2, 3, 5, 6, 8, 9]),
        2 => ([2, 5], [0, 1, 3, 4, 6, 7, 8, 9]),
        _ => return None,
    };
    let to = start + 10;
    let separator = text[places[0]];
    let shape = matches!(separator, b'-' | b'.' | b'/')
        && separator == text[places[1]]
        && digits.iter().all(|i| text[*i].is_ascii_digit());
    let after = s.at(to);
    if !shape || after.is_ascii_alphanumeric() || after == b'_' || joined(after, s.at(to + 1)) {
        return None;
    }
    let v = |from: usize, to: usize| text[from..to].iter().fold(0, |n, b| n * 10 + u32::from(b & 15));
    let parts = if places[0] == 4 { [v(0, 4), v(5, 7), v(8, 10)] } else { [v(0, 2), v(3, 5), v(6, 10)] };
    let lens = if places[0] == 4 { (4, 2) } else { (2, 4) };
    (number::plausible(parts, lens) && !s.cues.any(bit::SORT | bit::BORN)).then_some(to)
}

/// Whether a group of six digits or more at `start..end`, with no other behind it, is no number.
pub(super) fn lone(s: &Scan<'_>, start: usize, end: usize) -> bool {
    let (len, before, next) = (end - start, s.before(start), s.at(end));
    let named = near(s, NAMING | ANY, start);
    if named & NAMING != 0
        || !free(s, start)
        || len == 6 && (next == b'+' || next == before)
        || dial::labelled_after(s, end)
        || len > 19 && named != 0
    {
        return false;
    }
    if !(8..=19).contains(&len) {
        return named & bit::NUMBER == 0 || s.b[start] != b'0';
    }
    let mut digits = [0; 19];
    for (slot, b) in digits.iter_mut().zip(&s.b[start..end]) {
        *slot = b - b'0';
    }
    let d = &digits[..len];
    let dialled = named & bit::NUMBER != 0 && (d[0] == 0 || DOMESTIC.matches(d));
    let national = |spec: &Spec| (spec.alone || named != 0 && !spec.phrases.is_empty()) && (spec.check)(d);
    !dialled && card::issuer(d) != Issuer::Strong && !ids::with_digits(len).iter().any(national)
}

/// Whether neither a `+` nor a bracket stands before it.
fn free(s: &Scan<'_>, start: usize) -> bool {
    !matches!(s.before(start), b'+' | b'(')
}

/// Whether no number begins at group `k`.
pub(super) fn none_begins(s: &Scan<'_>, c: &Chain, k: usize, p: &Place) -> bool {
    let none = match &c.lens[k..c.n] {
        [first, ..] if *first >= 6 => false,
        [3, 3, 4, ..] | [1, 3, 3, 4, ..] | [3, 1, 3, 3, 4, ..] => false,
        [_] | [_, _] => true,
        // Cards, `756.…` and `1 85 05 …` with spaces; `AB 12 34 56 C`.
        [4, 4..=6, _, ..] | [3, 4, 4, 2, ..] | [1, 2, 2, 2, ..] => false,
        [2, 2, 2, ..] if c.spaced => p.start < 2 || !s.b[p.start - 2].is_ascii_alphabetic(),
        _ if c.spaced => true,
        [1 | 2, ..] | [3, 2, 4] | [3 | 5, 7, 1] => false,
        [3 | 5, _, _] => true,
        _ => false,
    };
    let d = c.digits(k, c.n);
    none && !p.plus
        && !p.paren
        && (d[0] != 0 || c.spaced && d.starts_with(&[0; 4]))
        && p.recent & (NAMING | bit::NINO | bit::NUMBER) == 0
        && (p.recent & bit::FILLER == 0 || d.len() < 9)
        && !dial::labelled_after(s, c.groups[c.n - 1].end())
}
