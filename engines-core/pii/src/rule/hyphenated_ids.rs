//! Numbers of digits with letters around them: `12345678-Z`, `131052-308T`, `AB 12 34 56 C`.

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::byte_class::is_word;
use crate::scan::cue::bit;

use super::alphanumeric_ids::{digits_in, hetu_check, nie, nif, nino};
use super::digit_run::DigitRun;
use super::national_checks;
use super::number_start::CUE_REACH;

/// A number that begins at group `k` and has a letter behind its digits; the place behind it.
pub(super) fn number_with_letter(scan: &mut Scan<'_>, run: &DigitRun, group: usize) -> Option<usize> {
    let start = run.groups[group].start();
    let m = match &run.lengths[group..run.count] {
        [6, 4] if run.groups[group + 1].separator == b'-' => return finnish_id(scan, start, run.groups[group].end()),
        [6..=8] => group + 1,
        [1 | 2, 3, 3] if run.has_separators(group, b"..") => group + 3,
        _ => return None,
    };
    let (end, dotted) = (run.groups[m - 1].end(), m > group + 1);
    let sign = scan.byte_at(end);
    if run.lengths[group] == 6 {
        return if matches!(sign, b'-' | b'+') { finnish_id(scan, start, end) } else { None };
    }
    let hyphen = usize::from(sign == b'-');
    let letter = scan.byte_at(end + hyphen).to_ascii_uppercase();
    if !letter.is_ascii_uppercase() || is_word(scan.byte_at(end + hyphen + 1)) || !dotted && hyphen == 0 {
        return None;
    }
    let d = run.digits(group, m);
    let mut w = [0; 9];
    if d.len() == 8 {
        for (slot, x) in w.iter_mut().zip(d) {
            *slot = b'0' + x;
        }
        w[8] = letter;
        let refused = scan.cues.is_nearer(bit::NEGATIVE, bit::DNI | bit::NIF | bit::NATIONAL, start, CUE_REACH)
            || scan.byte_before(start) == b'-'
            || scan.byte_at(end + hyphen).is_ascii_lowercase()
                && scan.cues.distance_of(bit::DNI | bit::NIF, start, CUE_REACH).is_none();
        if nif(&w) && !refused {
            return Some(scan.add_finding(EntityKind::EsNif, start, end + hyphen + 1, 85));
        }
    }
    // `X-1234567-L`.
    if d.len() == 7 && !dotted && start >= 2 && scan.bytes[start - 1] == b'-' && !is_word(scan.byte_before(start - 2)) {
        w[0] = scan.bytes[start - 2].to_ascii_uppercase();
        for (slot, x) in w[1..].iter_mut().zip(d) {
            *slot = b'0' + x;
        }
        w[8] = letter;
        return nie(&w).then(|| scan.add_finding(EntityKind::EsNie, start - 2, end + hyphen + 1, 90));
    }
    let cued = scan.cues.distance_of(bit::RUT, start, CUE_REACH).is_some();
    if letter == b'K' && hyphen == 1 && (dotted || cued) && national_checks::rut_check(d) == 10 {
        return Some(scan.add_finding(EntityKind::NationalId, start, end + 2, 90));
    }
    None
}

/// `131052-308T`: six digits at `start..end`, a sign, three digits, a check character.
fn finnish_id(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let tail = scan.bytes.get(end + 1..end + 5)?;
    let digits = &scan.bytes[start..end];
    let check = tail[3].to_ascii_uppercase();
    let ok = tail[..3].iter().all(u8::is_ascii_digit)
        && !is_word(scan.byte_at(end + 5))
        && hetu_check(
            digits_in(&digits[..2]),
            digits_in(&digits[2..4]),
            digits_in(digits) * 1000 + digits_in(&tail[..3]),
            check,
        );
    let named = scan.cues.distance_of(bit::FINLAND | bit::NATIONAL, start, CUE_REACH).is_some();
    (ok && (named || tail[3].is_ascii_uppercase()))
        .then(|| scan.add_finding(EntityKind::FiPersonalIdentityCode, start, end + 5, 90))
}

/// `AB 12 34 56 C` and `AB 123456 C`: the digits begin at group `k`.
pub(super) fn spaced_nino(scan: &mut Scan<'_>, run: &DigitRun, group: usize) -> Option<usize> {
    let start = run.groups[group].start();
    let pairs = run.lengths[group] == 2;
    let m = if pairs { group + 3 } else { group + 1 };
    let end = run.groups[m - 1].end();
    let from = start.checked_sub(3)?;
    let (separator, prefix) = (scan.bytes[start - 1], &scan.bytes[from..start - 1]);
    if !matches!(separator, b' ' | b'-')
        || pairs && run.common_separator(group, m) != Some(separator)
        || scan.byte_at(end) != separator && (pairs || !scan.byte_at(end).is_ascii_alphabetic())
        || is_word(scan.byte_before(from))
    {
        return None;
    }
    let last = if scan.byte_at(end) == separator { end + 1 } else { end };
    let mut w = *b"AA000000A";
    w[..2].copy_from_slice(prefix);
    w[8] = scan.byte_at(last);
    let upper = w[8].is_ascii_uppercase() && prefix.iter().all(u8::is_ascii_uppercase);
    w.make_ascii_uppercase();
    let cued = scan.cues.distance_of(bit::NINO, start, CUE_REACH).is_some();
    (!is_word(scan.byte_at(last + 1)) && (cued || upper && pairs) && nino(&w))
        .then(|| scan.add_finding(EntityKind::UkNino, from, last + 1, 95))
}
