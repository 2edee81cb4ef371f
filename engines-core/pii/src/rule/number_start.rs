//! Where a number may start and end: what is known at a group of digits before a number is read there.

use crate::scan::Scan;
use crate::scan::byte_class::is_word;
use crate::scan::cue::Cues;

use super::digit_run::DigitRun;
use super::extension;

/// The longest distance from the end of a cue to a number, in bytes.
pub(crate) const CUE_REACH: usize = 48;

/// The context of the number that may begin at a group.
pub(super) struct NumberStart {
    /// Its start: the first digit.
    pub(super) start: usize,
    /// Whether a `+` directly precedes it.
    pub(super) plus: bool,
    /// It begins with `(` and the first group ends with `)`.
    pub(super) bracketed: bool,
    /// Whether it is joined to a word or a number before it.
    pub(super) glued: bool,
    /// Whether digits that are not a number of their own precede it.
    pub(super) inside_run: bool,
    /// The cues within reach.
    pub(super) cues: Cues,
}

/// Whether a number at `start` is joined to a word or a number before it.
pub(super) fn is_glued(scan: &Scan<'_>, start: usize) -> bool {
    let b = scan.byte_before(start);
    match b {
        b'-' | b'.' | b'/' | b'\'' => scan.word_before(start - 1),
        b'#' | b'$' | b'_' | b'@' | b'~' | b'^' => true,
        b',' | b':' => start >= 2 && scan.bytes[start - 2].is_ascii_digit() && scan.word_before(start - 1),
        _ => false,
    }
}

/// `D-`, `CH-` before a postcode.
pub(super) fn country_prefix(scan: &Scan<'_>, start: usize) -> bool {
    let letters = (2..=3).take_while(|n| start >= *n && scan.bytes[start - n].is_ascii_uppercase()).count();
    scan.byte_before(start) == b'-' && letters > 0 && !is_word(scan.byte_before(start - letters - 1))
}

/// What is known at group `k` of a run.
pub(super) fn number_start(s: &Scan<'_>, c: &DigitRun, k: usize) -> NumberStart {
    let group = c.groups[k];
    let mut start = group.start();
    let mut plus = false;
    let mut paren = false;
    if s.byte_before(start) == b'(' && (s.byte_at(group.end()) == b')') {
        paren = true;
        start -= 1;
    }
    let before = s.byte_before(start);
    if before == b'+' {
        plus = true;
        start -= 1;
        // `(+44) …`.
        if s.byte_before(start) == b'(' && s.byte_at(group.end()) == b')' {
            start -= 1;
        }
    } else if before == b'(' && start >= 2 && s.bytes[start - 2] == b'+' {
        plus = true;
        start -= 2;
    }
    let glued = k == 0 && is_glued(s, start);
    NumberStart { start, plus, bracketed: paren, glued, inside_run: false, cues: 0 }
}

/// Whether what follows group `m - 1` lets a number end there.
pub(super) fn number_may_end(scan: &Scan<'_>, run: &DigitRun, end_group: usize) -> bool {
    let end = run.groups[end_group - 1].end();
    if end_group < run.count {
        return matches!(run.groups[end_group].separator, b' ' | b'(' | b')');
    }
    let (b, next) = (scan.byte_at(end), scan.byte_at(end + 1));
    match b {
        b'-' => !is_word(next),
        // `+44 7400 163403,203.0.113.9`: the next field of a table. `1234567,89` is an amount.
        b',' if next.is_ascii_digit() => field_follows(scan, run, end_group, end),
        b'.' | b',' | b':' | b'/' => !next.is_ascii_digit(),
        b'%' | b'@' | b'_' => false,
        b => !is_word(b) || b >= 0x80 || extension::has_extension(scan, end),
    }
}

/// Whether the digits behind a comma at `end` are another field: the number has a `+`, or groups that no amount has.
fn field_follows(scan: &Scan<'_>, run: &DigitRun, end_group: usize, end: usize) -> bool {
    let decimals = (1..4).take_while(|n| scan.byte_at(end + n).is_ascii_digit()).count();
    let first = run.groups[0].start();
    let plus = first > 0 && scan.bytes[first - 1] == b'+'
        || first > 1 && scan.bytes[first - 1] == b'(' && scan.bytes[first - 2] == b'+';
    plus || run.lengths[end_group - 1] > 3 && (decimals > 2 || run.digits(0, end_group).len() >= 12)
        || run.lengths[0] > 1 && end_group > 3
}

/// Whether three numbers may be a date, the first and the last of which have so many digits.
pub(super) fn plausible_date([a, b, z]: [u32; 3], (first, last): (u8, u8)) -> bool {
    match first {
        4 => (1800..=2199).contains(&a) && b <= 12 && z <= 31,
        _ => (a <= 31 && b <= 31) && (a <= 12 || b <= 12) && (last == 2 || (1800..=2199).contains(&z)),
    }
}
