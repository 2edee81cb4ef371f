//! Numbers of digits with letters around them: `12345678-Z`, `131052-308T`, `AB 12 34 56 C`.

use crate::pii::entity::Kind;
use crate::pii::scan::Scan;
use crate::pii::scan::class::is_word;
use crate::pii::scan::cue::bit;

use super::chain::Chain;
use super::elsewhere;
use super::number::REACH;
use super::token::{hetu_check, nie, nif, nino, number_of};

/// A number that begins at group `k` and has a letter behind its digits; the place behind it.
pub(super) fn lettered(s: &mut Scan<'_>, c: &Chain, k: usize) -> Option<usize> {
    let start = c.groups[k].start();
    let m = match &c.lens[k..c.n] {
        [6, 4] if c.groups[k + 1].separator == b'-' => return finnish(s, start, c.groups[k].end()),
        [6..=8] => k + 1,
        [1 | 2, 3, 3] if c.separators_are(k, b"..") => k + 3,
        _ => return None,
    };
    let (end, dotted) = (c.groups[m - 1].end(), m > k + 1);
    let sign = s.at(end);
    if c.lens[k] == 6 {
        return if matches!(sign, b'-' | b'+') { finnish(s, start, end) } else { None };
    }
    let hyphen = usize::from(sign == b'-');
    let letter = s.at(end + hyphen).to_ascii_uppercase();
    if !letter.is_ascii_uppercase() || is_word(s.at(end + hyphen + 1)) || !dotted && hyphen == 0 {
        return None;
    }
    let d = c.digits(k, m);
    let mut w = [0; 9];
    if d.len() == 8 {
        for (slot, x) in w.iter_mut().zip(d) {
            *slot = b'0' + x;
        }
        w[8] = letter;
        let refused = s.cues.prefers(bit::NEGATIVE, bit::DNI | bit::NIF | bit::NATIONAL, start, REACH)
            || s.before(start) == b'-'
            || s.at(end + hyphen).is_ascii_lowercase() && s.cues.near(bit::DNI | bit::NIF, start, REACH).is_none();
        if nif(&w) && !refused {
            return Some(s.hit(Kind::EsNif, start, end + hyphen + 1, 85));
        }
    }
    // `X-1234567-L`.
    if d.len() == 7 && !dotted && start >= 2 && s.b[start - 1] == b'-' && !is_word(s.before(start - 2)) {
        w[0] = s.b[start - 2].to_ascii_uppercase();
        for (slot, x) in w[1..].iter_mut().zip(d) {
            *slot = b'0' + x;
        }
        w[8] = letter;
        return nie(&w).then(|| s.hit(Kind::EsNie, start - 2, end + hyphen + 1, 90));
    }
    let cued = s.cues.near(bit::RUT, start, REACH).is_some();
    if letter == b'K' && hyphen == 1 && (dotted || cued) && elsewhere::rut_check(d) == 10 {
        return Some(s.hit(Kind::NationalId, start, end + 2, 90));
    }
    None
}

/// `131052-308T`: six digits at `start..end`, a sign, three digits, a check character.
fn finnish(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let tail = s.b.get(end + 1..end + 5)?;
    let digits = &s.b[start..end];
    let check = tail[3].to_ascii_uppercase();
    let ok = tail[..3].iter().all(u8::is_ascii_digit)
        && !is_word(s.at(end + 5))
        && hetu_check(
            number_of(&digits[..2]),
            number_of(&digits[2..4]),
            number_of(digits) * 1000 + number_of(&tail[..3]),
            check,
        );
    let named = s.cues.near(bit::FI | bit::NATIONAL, start, REACH).is_some();
    (ok && (named || tail[3].is_ascii_uppercase())).then(|| s.hit(Kind::FiPersonalIdentityCode, start, end + 5, 90))
}

/// `AB 12 34 56 C` and `AB 123456 C`: the digits begin at group `k`.
pub(super) fn spaced_nino(s: &mut Scan<'_>, c: &Chain, k: usize) -> Option<usize> {
    let start = c.groups[k].start();
    let pairs = c.lens[k] == 2;
    let m = if pairs { k + 3 } else { k + 1 };
    let end = c.groups[m - 1].end();
    let from = start.checked_sub(3)?;
    let (separator, prefix) = (s.b[start - 1], &s.b[from..start - 1]);
    if !matches!(separator, b' ' | b'-')
        || pairs && c.one_separator(k, m) != Some(separator)
        || s.at(end) != separator && (pairs || !s.at(end).is_ascii_alphabetic())
        || is_word(s.before(from))
    {
        return None;
    }
    let last = if s.at(end) == separator { end + 1 } else { end };
    let mut w = *b"AA000000A";
    w[..2].copy_from_slice(prefix);
    w[8] = s.at(last);
    let upper = w[8].is_ascii_uppercase() && prefix.iter().all(u8::is_ascii_uppercase);
    w.make_ascii_uppercase();
    let cued = s.cues.near(bit::NINO, start, REACH).is_some();
    (!is_word(s.at(last + 1)) && (cued || upper && pairs) && nino(&w)).then(|| s.hit(Kind::UkNino, from, last + 1, 95))
}
