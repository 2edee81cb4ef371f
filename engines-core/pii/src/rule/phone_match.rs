//! Telephone numbers in runs of digits: with a cue, by their form, with their extension.

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::byte_class::{is_word, to_lower};
use crate::scan::cue::{Cues, bit};

use super::digit_run::DigitRun;
use super::extension::extension_end;
use super::mask_at;
use super::national_ids;
use super::number_start::{CUE_REACH, NumberStart, number_may_end};
use super::phone_automata::{DOMESTIC_NUMBERS, INTERNATIONAL_NUMBERS, START_STATE, is_known_shape};

/// Other kinds of numbers that have a cue.
const OTHER_NUMBER_CUES: Cues = bit::NEGATIVE | bit::VERSION | bit::CARD | bit::BANK | bit::IMEI;

/// Whether the nearest cue within `reach` says that it is a telephone number.
pub(super) fn has_phone_cue(scan: &Scan<'_>, at: usize, reach: usize) -> bool {
    scan.cues.is_nearer(bit::PHONE, OTHER_NUMBER_CUES | bit::IP, at, reach)
}

/// Records the number that ends with group `m - 1`, with its extension.
pub(super) fn add_phone(
    scan: &mut Scan<'_>,
    run: &DigitRun,
    number_start: &NumberStart,
    end_group: usize,
    score: u8,
) -> usize {
    let end = run.groups[end_group - 1].end();
    let to = if end_group == run.count { extension_end(scan, end) } else { end };
    scan.add_finding(EntityKind::PhoneNumber, number_start.start, to, score);
    end_group
}

/// Telephone numbers: returns the group behind it, the distance of the cue, and the score.
pub(super) fn match_phone(
    scan: &Scan<'_>,
    digit_run: &DigitRun,
    group: usize,
    number_start: &NumberStart,
) -> Option<(usize, usize, u8)> {
    let d = digit_run.digits(group, digit_run.count);
    let cue = bit::PHONE;
    if number_start.plus {
        return match_international(scan, digit_run, group, number_start);
    }
    if d.len() < 6 || number_start.glued || d[0] != 0 && is_decimal(digit_run, group) || is_year_range(digit_run, group)
    {
        return None;
    }
    let strong = (scan.cues.is_nearer(cue, OTHER_NUMBER_CUES, number_start.start, CUE_REACH)
        || phone_label_follows(scan, digit_run.groups[digit_run.count - 1].end()))
        && !(d.len() < 10 && scan.cues.is_nearer(bit::ZIP, bit::PHONE, number_start.start, 16));
    let weak = !strong
        && number_start.cues & national_ids::ALL_CUES == 0
        && scan.cues.is_nearer(bit::NUMBER, OTHER_NUMBER_CUES, number_start.start, 40);
    let distance = if strong {
        scan.cues.distance_of(cue, number_start.start, CUE_REACH).unwrap_or(CUE_REACH)
    } else {
        3 * CUE_REACH
    };
    let refused = scan.cues.is_nearer(bit::NEGATIVE | bit::VERSION, cue | bit::NUMBER, number_start.start, 24);
    if digit_run.lengths[group] > 1
        && d.starts_with(&[0, 0])
        && (strong || weak || digit_run.count - group >= 3 && !refused)
        && let Some(m) = longest_number(scan, digit_run, group, true, 2)
    {
        return Some((m, distance, 90));
    }
    // The North American forms need no cue: they are hardly anything else.
    if let Some(m) = match_american(scan, digit_run, group, number_start, strong || weak) {
        // Right behind the name of another number it is that, with a digit wrong.
        let other = !strong && scan.cues.distance_of(national_ids::ALL_CUES, number_start.start, 10).is_some();
        if strong || weak || !refused && !number_start.inside_run && !other {
            return Some((m, distance, if strong { 95 } else { 80 }));
        }
        return None;
    }
    if !strong && !weak && d[0] != 0 && !number_start.bracketed {
        return None;
    }
    let Some(m) = longest_number(scan, digit_run, group, false, 0) else {
        let called = weak
            && scan.cues.is_nearer(bit::CALL, OTHER_NUMBER_CUES, number_start.start, 16)
            && matches!(&digit_run.lengths[group..digit_run.count], [3, 4]);
        let loosely = (strong || called) && !number_start.inside_run;
        return if loosely {
            match_cued(scan, digit_run, group, number_start).map(|m| (m, distance, 70))
        } else {
            None
        };
    };
    let digits = digit_run.digits(group, m);
    let grouped = m - group > 1;
    let dotted = grouped && m - group == 2 && digit_run.groups[group + 1].separator == b'.';
    // One dot is a decimal number, and slashes are dates and fractions.
    if dotted
        && !(strong
            && (digits[0] == 0 && digits[1] != 0 || digit_run.lengths[group] > 2 && digit_run.lengths[group + 1] == 4))
    {
        return None;
    }
    let trunk = digits[0] == 0 || number_start.bracketed;
    if strong && (digits.len() >= 8 || grouped || trunk) {
        return Some((m, distance, 90));
    }
    // A bare run of digits behind "number" is one only if it is said like one.
    let said = (10..=11).contains(&digits.len())
        && !matches!(scan.byte_before(number_start.start), b'>' | b'=')
        && !scan.bytes[..number_start.start].ends_with(b"= ")
        && !scan.bytes[..number_start.start].ends_with(b"> ");
    let called = !scan.bytes[..number_start.start].ends_with(b"= ")
        && (digits.len() >= 8 || grouped)
        && scan.cues.is_nearer(bit::CALL, OTHER_NUMBER_CUES, number_start.start, 16);
    if weak && (digits.len() >= 8 && (grouped || trunk && digits.len() >= 9 || said) || called) {
        return Some((m, distance, 75));
    }
    let decimals = (group + 1..m).any(|i| digit_run.groups[i].separator == b'.' && digit_run.lengths[i] > 4);
    let local = !number_start.inside_run
        && trunk
        && grouped
        && !decimals
        && digits.len() >= 9
        && !refused
        && !matches!(&digit_run.lengths[group..m], [4, 4, 4])
        && (m == digit_run.count || digit_run.groups[m].separator != b' ');
    (local && has_known_shape(scan, digit_run, group, m, number_start)).then_some((m, distance, 65))
}

/// ` office`, `-Fax`, ` (mobile)` behind a run that ends at `end`.
pub(super) fn phone_label_follows(scan: &Scan<'_>, end: usize) -> bool {
    const LABELS: [&[u8]; 9] =
        [b"office", b"fax", b"mobile", b"cell", b"home", b"work", b"handy", b"mobil", "numarasından".as_bytes()];
    if !matches!(scan.byte_at(end), b' ' | b'-') {
        return false;
    }
    let mut at = end + 1;
    if scan.byte_at(at) == b'(' {
        at += 1;
    }
    let first = to_lower(scan.byte_at(at));
    if !matches!(first, b'o' | b'f' | b'm' | b'c' | b'h' | b'w' | b'n') {
        return false;
    }
    let len = (0..16).take_while(|n| is_word(scan.byte_at(at + n))).count();
    scan.bytes.get(at..at + len).is_some_and(|word| LABELS.iter().any(|label| label.eq_ignore_ascii_case(word)))
        && (first == b'n' || matches!(scan.byte_at(at + len), 0 | b')' | b',' | b'\n' | b'\\' | b';' | b'|'))
}

/// Numbers with a `+`. An unassigned number still counts if it is written like a telephone number.
fn match_international(
    scan: &Scan<'_>,
    run: &DigitRun,
    group: usize,
    number_start: &NumberStart,
) -> Option<(usize, usize, u8)> {
    let cued = number_start.cues & (bit::PHONE | bit::NUMBER) != 0;
    // `+402646-0740023` is a place on a map.
    if !cued && matches!(&run.lengths[group..run.count], [4 | 6, 5 | 7]) && run.groups[group + 1].separator == b'-' {
        return None;
    }
    if let Some(m) = longest_number(scan, run, group, true, 0) {
        let count = run.digits(group, m).len();
        return (count >= 8 || count >= 7 && cued).then_some((m, 0, 100));
    }
    let refused = scan.cues.is_nearer(bit::NEGATIVE | bit::VERSION, bit::PHONE | bit::NUMBER, number_start.start, 24);
    let d = run.digits(group, run.count);
    let groups = run.count - group;
    let dialled = groups >= 3
        && run.lengths[group] <= 3
        && (group + 1..run.count).all(|i| (2..=5).contains(&run.lengths[i]) || run.groups[i].separator == b'(')
        || groups == 1 && d.len() >= 11
        || cued;
    let known = !matches!(d, [] | [0, ..] | [1, 0 | 1, ..]) && (10..=15).contains(&d.len());
    (dialled && known && !refused && number_may_end(scan, run, run.count)).then_some((
        run.count,
        0,
        if cued { 80 } else { 60 },
    ))
}

/// A number right behind a word for one, of a country or a form that is not known.
fn match_cued(scan: &Scan<'_>, digit_run: &DigitRun, group: usize, number_start: &NumberStart) -> Option<usize> {
    let near = match scan.cues.distance_of(bit::PHONE | bit::CALL, number_start.start, 20) {
        Some(near) => near,
        None if phone_label_follows(scan, digit_run.groups[digit_run.count - 1].end()) => 0,
        None => return None,
    };
    let (n, lens) = (digit_run.count - group, &digit_run.lengths[group..digit_run.count]);
    let d = digit_run.digits(group, digit_run.count);
    if number_start.cues & (bit::NEGATIVE | bit::VERSION | bit::BORN | national_ids::ALL_CUES) != 0
        || !number_may_end(scan, digit_run, digit_run.count)
    {
        return None;
    }
    let written = match n {
        // A mask that follows was a part of the run.
        1 => {
            (7..=12).contains(&d.len()) && near <= 3 && !mask_follows(scan, digit_run.groups[digit_run.count - 1].end())
        }
        2 => {
            matches!(lens, [3, 4] | [4, 3] | [3, 5] | [2 | 4, 6] | [5, 4..=6] | [2..=4, 7] | [4, 4])
                && digit_run.groups[group + 1].separator != b'/'
                && (digit_run.groups[group + 1].separator != b'.' || lens[1] == 4)
        }
        _ => n <= 6 && lens[1..].iter().all(|n| (2..=5).contains(n)) && lens[0] <= 5,
    };
    (written && (7..=13).contains(&d.len())).then_some(digit_run.count)
}

/// Whether a range of years such as `2015-2017` is at group `k`.
fn is_year_range(run: &DigitRun, group: usize) -> bool {
    matches!(&run.lengths[group..run.count], [4, 4, ..])
        && [group, group + 1].into_iter().all(|i| matches!(run.digits(i, i + 1), [1, 9, ..] | [2, 0, 0..=4, _]))
        && run.groups[group + 1].separator != b' '
}

/// Whether `13.404954` begins at group `k`.
fn is_decimal(run: &DigitRun, group: usize) -> bool {
    matches!(&run.lengths[group..run.count], [1..=3, decimals, ..] if *decimals > 4)
        && run.groups[group + 1].separator == b'.'
}

/// Whether a mask follows where the run would have continued.
fn mask_follows(scan: &Scan<'_>, end: usize) -> bool {
    let gap = (0..3).take_while(|n| matches!(scan.byte_at(end + n), b' ' | b'(' | b')' | b'-' | b'.' | b'/')).count();
    gap > 0 && mask_at(scan, end + gap).is_some()
}

/// How many groups the longest telephone number from group `k` on has.
fn longest_number(
    scan: &Scan<'_>,
    run: &DigitRun,
    first_group: usize,
    international: bool,
    skip: usize,
) -> Option<usize> {
    let automaton = if international { INTERNATIONAL_NUMBERS } else { DOMESTIC_NUMBERS };
    let mut state = START_STATE;
    let mut best = None;
    let mut seen = 0;
    for m in first_group + 1..=run.count {
        let group = run.groups[m - 1];
        let digits = run.digits(m - 1, m);
        if m > first_group + 1 && group.separator == b'(' && international && digits == [0] {
            // `+44 (0)20 …`
            continue;
        }
        for digit in digits {
            seen += 1;
            if seen <= skip {
                continue;
            }
            state = automaton.step(state, *digit);
            if state == 0 {
                return best;
            }
        }
        if automaton.accepts(state) && number_may_end(scan, run, m) {
            best = Some(m);
        }
    }
    best
}

/// `(212) 555-0100`, `212-555-0100`, `212.555.0100`, `1-212-555-0100`, `+1` aside.
fn match_american(
    scan: &Scan<'_>,
    run: &DigitRun,
    group: usize,
    number_start: &NumberStart,
    cued: bool,
) -> Option<usize> {
    let (m, first) = match &run.lengths[group..run.count] {
        [3, 3, 4, ..] => (group + 3, group),
        [1, 3, 3, 4, ..] if run.digits(group, group + 1) == [1] => (group + 4, group + 1),
        [3, 1, 3, 3, 4, ..] if run.digits(group, group + 2) == [0, 0, 1, 1] => (group + 5, group + 2),
        _ => return None,
    };
    let last = run.groups[m - 1].separator;
    let middle = run.groups[m - 2].separator;
    let spaced = middle == b' ' && last == b' ' && !number_start.bracketed;
    if spaced && !cued || !matches!(last, b'-' | b'.' | b' ') || middle == b'/' || !number_may_end(scan, run, m) {
        return None;
    }
    if middle != last && middle != b')' && !(middle == b' ' && last == b'-') {
        return None;
    }
    let d = run.digits(first, m);
    let mut digits = [1; 11];
    digits[1..].copy_from_slice(d);
    if INTERNATIONAL_NUMBERS.matches(&digits) {
        return Some(m);
    }
    // Unassigned area codes are common in made-up numbers; parentheses or an extension mark a telephone number.
    let extended = m == run.count && extension_end(scan, run.groups[m - 1].end()) > run.groups[m - 1].end();
    let meant = number_start.bracketed || middle == b')' || extended || cued;
    (d[0] >= 2 && meant && number_start.cues & national_ids::ALL_CUES == 0).then_some(m)
}

/// Whether the groups `k..m` are how some country writes its numbers.
fn has_known_shape(
    scan: &Scan<'_>,
    run: &DigitRun,
    group: usize,
    end_group: usize,
    number_start: &NumberStart,
) -> bool {
    let end = run.groups[end_group - 1].end();
    let mut shape = [0; 32];
    let Some(text) = scan.bytes.get(number_start.start..end).filter(|t| t.len() <= 32) else { return false };
    for (slot, b) in shape.iter_mut().zip(text) {
        *slot = if b.is_ascii_digit() { b'd' } else { *b };
    }
    group < end_group && is_known_shape(&shape[..text.len()])
}
