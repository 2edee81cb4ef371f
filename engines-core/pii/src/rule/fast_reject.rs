//! Fast rejection of digit runs that cannot be a finding: decimals, dates, and digits without a cue.
//!
//! Nearly all runs are rejected here. The decisions follow from the rules in [`super::number`] and
//! [`super::phone_match`]; this module only makes them earlier.

use crate::scan::Scan;
use crate::scan::cue::{Cues, bit};

use super::address;
use super::card::{self, Issuer};
use super::digit_run::{DigitRun, count_digits};
use super::national_ids::{self, NumberSpec};
use super::number_start::{CUE_REACH, NumberStart, plausible_date};
use super::phone_automata::DOMESTIC_NUMBERS;
use super::phone_match;

/// Cues without which digits are a finding only by their form, except for words that precede any number.
const NUMBER_CUES: Cues = bit::PHONE | bit::SORT_CODE | bit::ZIP | bit::CARD | national_ids::ALL_CUES;

/// The cues of words that precede any number.
const GENERIC_CUES: Cues = bit::NUMBER | bit::FILLER;

/// The cues of these that are near `at`.
fn cues_near(scan: &Scan<'_>, which: Cues, at: usize) -> Cues {
    if scan.cues.has_any(which) { scan.cues.cues_within(at, CUE_REACH) & which } else { 0 }
}

/// Whether a run of digits may continue behind a group that is followed by these two bytes.
pub(super) fn run_goes_on(next: u8, second: u8) -> bool {
    match next {
        b' ' | b')' => second.is_ascii_digit() || matches!(second, b' ' | b'-' | b'(' | b'.'),
        b'-' | b'.' | b'/' | b'(' => second.is_ascii_digit() || second == b'(' || next == b'-',
        _ => false,
    }
}

/// The end of a decimal or a version of two parts that is not a finding and begins with the group at `start..end`.
pub(super) fn skip_decimal(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let to = decimal_end(scan, start, end)?;
    // It is recorded that it is not a house number either.
    address::number_last(scan, start, end).or(Some(to))
}

fn decimal_end(scan: &Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let (len, decimals) = (end - start, count_digits(scan.bytes, end + 1));
    let to = end + 1 + decimals;
    let after = scan.byte_at(to);
    if !(1..=16).contains(&decimals)
        || len > 4
        || run_goes_on(after, scan.byte_at(to + 1))
        || scan.cues.has_any(bit::ZIP)
    {
        return None;
    }
    // `0.12s`: what is behind the dot is another word.
    if after.is_ascii_alphanumeric() || after == b'_' {
        return if matches!(after, b'x' | b'X') { None } else { Some(end) };
    }
    // `555.0199` may be called; nine digits and more may have a name of several words.
    let named = if len + decimals < 9 && (len, decimals) != (3, 4) { NUMBER_CUES } else { NUMBER_CUES | GENERIC_CUES };
    let none = || {
        has_no_sign(scan, start) && !phone_match::phone_label_follows(scan, to) && cues_near(scan, named, start) == 0
    };
    (len + decimals < 6 || scan.bytes[start] != b'0' && none()).then_some(to)
}

/// The end of a date that is not a finding and begins with the group at `start..end`.
pub(super) fn date_end(scan: &Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let text: &[u8; 10] = scan.bytes.get(start..)?.first_chunk()?;
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
    let after = scan.byte_at(to);
    if !shape || after.is_ascii_alphanumeric() || after == b'_' || run_goes_on(after, scan.byte_at(to + 1)) {
        return None;
    }
    let v = |from: usize, to: usize| text[from..to].iter().fold(0, |n, b| n * 10 + u32::from(b & 15));
    let parts = if places[0] == 4 { [v(0, 4), v(5, 7), v(8, 10)] } else { [v(0, 2), v(3, 5), v(6, 10)] };
    let lens = if places[0] == 4 { (4, 2) } else { (2, 4) };
    (plausible_date(parts, lens) && !scan.cues.has_any(bit::SORT_CODE | bit::BORN)).then_some(to)
}

/// Whether a group of six digits or more at `start..end`, with no other group behind it, is not a finding.
pub(super) fn single_group_is_no_number(scan: &Scan<'_>, start: usize, end: usize) -> bool {
    let (len, before, next) = (end - start, scan.byte_before(start), scan.byte_at(end));
    let named = cues_near(scan, NUMBER_CUES | GENERIC_CUES, start);
    if named & NUMBER_CUES != 0
        || !has_no_sign(scan, start)
        || len == 6 && (next == b'+' || next == before)
        || phone_match::phone_label_follows(scan, end)
        || len > 19 && named != 0
    {
        return false;
    }
    if !(8..=19).contains(&len) {
        return named & bit::NUMBER == 0 || scan.bytes[start] != b'0';
    }
    let mut digits = [0; 19];
    for (slot, b) in digits.iter_mut().zip(&scan.bytes[start..end]) {
        *slot = b - b'0';
    }
    let d = &digits[..len];
    let dialled = named & bit::NUMBER != 0 && (d[0] == 0 || DOMESTIC_NUMBERS.matches(d));
    let national = |spec: &NumberSpec| (spec.needs_no_cue || named != 0 && !spec.phrases.is_empty()) && (spec.check)(d);
    !dialled && card::issuer(d) != Issuer::Strong && !national_ids::with_digits(len).iter().any(national)
}

/// Whether neither a `+` nor a bracket precedes it.
fn has_no_sign(scan: &Scan<'_>, start: usize) -> bool {
    !matches!(scan.byte_before(start), b'+' | b'(')
}

/// Whether no finding begins at group `k`.
pub(super) fn no_number_begins(scan: &Scan<'_>, run: &DigitRun, group: usize, number_start: &NumberStart) -> bool {
    let none = match &run.lengths[group..run.count] {
        [first, ..] if *first >= 6 => false,
        [3, 3, 4, ..] | [1, 3, 3, 4, ..] | [3, 1, 3, 3, 4, ..] => false,
        [_] | [_, _] => true,
        // Cards, `756.…` and `1 85 05 …` with spaces; `AB 12 34 56 C`.
        [4, 4..=6, _, ..] | [3, 4, 4, 2, ..] | [1, 2, 2, 2, ..] => false,
        [2, 2, 2, ..] if run.spaces_only => {
            number_start.start < 2 || !scan.bytes[number_start.start - 2].is_ascii_alphabetic()
        }
        _ if run.spaces_only => true,
        [1 | 2, ..] | [3, 2, 4] | [3 | 5, 7, 1] => false,
        [3 | 5, _, _] => true,
        _ => false,
    };
    let d = run.digits(group, run.count);
    none && !number_start.plus
        && !number_start.bracketed
        && (d[0] != 0 || run.spaces_only && d.starts_with(&[0; 4]))
        && number_start.cues & (NUMBER_CUES | bit::NINO | bit::NUMBER) == 0
        && (number_start.cues & bit::FILLER == 0 || d.len() < 9)
        && !phone_match::phone_label_follows(scan, run.groups[run.count - 1].end())
}
