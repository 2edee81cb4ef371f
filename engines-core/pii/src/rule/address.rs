//! Street addresses and postcodes that are recognised by their form or by a cue.

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::byte_class::{is_alnum, is_word};
use crate::scan::cue::bit;

use super::street_words::*;

/// A word from `i`: letters, marks outside ASCII, hyphens, apostrophes, a dot at the end of a short one.
pub(super) fn word_end(scan: &Scan<'_>, at: usize) -> usize {
    let mut j = at;
    while j < at + 40
        && (is_word(scan.byte_at(j)) || matches!(scan.byte_at(j), b'-' | b'\'') && is_word(scan.byte_at(j + 1)))
    {
        j += 1;
    }
    j
}

pub(super) fn begins_capitalized(scan: &Scan<'_>, at: usize) -> bool {
    let b = scan.byte_at(at);
    // Capitals of Latin-1 and Latin Extended are led by C3–C5, Cyrillic ones by D0.
    b.is_ascii_uppercase()
        || matches!(b, 0xc3..=0xc5) && scan.byte_at(at + 1) < 0xa0
        || b == 0xd0 && (0x90..0xb0).contains(&scan.byte_at(at + 1))
}

/// A house number at `start..end` with the street behind it.
#[inline]
pub(crate) fn number_first(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let mut i = end;
    if scan.byte_at(i).is_ascii_alphabetic() && !is_word(scan.byte_at(i + 1)) {
        i += 1;
    }
    if scan.byte_at(i) == b',' {
        i += 1;
    }
    if scan.byte_at(i) != b' ' || !(scan.byte_at(i + 1).is_ascii_alphabetic() || scan.byte_at(i + 1) >= 0xc3) {
        return None;
    }
    street_behind(scan, start, i + 1, scan.byte_at(end) == b',')
}

/// The street that begins at `i`, behind the house number at `start`.
fn street_behind(scan: &mut Scan<'_>, start: usize, mut at: usize, comma: bool) -> Option<usize> {
    // `12 bis, rue …`
    for extra in ["bis ", "ter ", "bis, ", "ter, "] {
        if scan.starts_with(at, extra.as_bytes()) {
            at += extra.len();
        }
    }
    // `Copyright 2008 Larry Wall`, `502 Bad Gateway`.
    if scan.starts_with(at, b"Bad Gateway")
        || (scan.starts_with(start, b"19") || scan.starts_with(start, b"20")) && is_copyright_year(scan, start)
    {
        return None;
    }
    let Some(to) = street_end(scan, at, comma) else {
        if begins_capitalized(scan, at) {
            scan.lookahead.note_missing_street(start);
        }
        return None;
    };
    let from = unit_before_number(scan, start);
    let to = unit_end(scan, to);
    Some(scan.add_finding(EntityKind::StreetAddress, from, to, 80))
}

/// Whether a text that begins with a house number, or a street and one, may end as an address does: with a suffix, or a
/// digit.
pub(crate) fn may_end_address(text: &[u8]) -> bool {
    let end = text.iter().rposition(|b| is_word(*b)).map_or(0, |k| k + 1);
    let word = text[..end].iter().rev().take_while(|b| is_word(**b)).count();
    let last = &text[end - word..end];
    word == end || last.last().is_some_and(u8::is_ascii_digit) || in_word_list(SUFFIX, last)
}

/// Whether other years, `(c)` or a word for copyright precede a year.
fn is_copyright_year(scan: &Scan<'_>, start: usize) -> bool {
    let before = scan.bytes[start.saturating_sub(24)..start].trim_ascii_end();
    before.ends_with(b",")
        && before.len() > 4
        && before[before.len() - 5..before.len() - 1].iter().all(u8::is_ascii_digit)
        || before.len() >= 3 && before[before.len() - 3..].eq_ignore_ascii_case(b"(c)")
        || before.len() >= 9 && before[before.len() - 9..].eq_ignore_ascii_case(b"copyright")
        || before.ends_with("©".as_bytes())
}

/// `Flat 3, ` and the like before the number.
fn unit_before_number(scan: &Scan<'_>, start: usize) -> usize {
    if scan.byte_before(start) != b' ' || start < 5 {
        return start;
    }
    let mut k = start - 1;
    let low = k.saturating_sub(10).max(scan.last_finding_end());
    while k > low && scan.bytes[k - 1].is_ascii_alphabetic() {
        k -= 1;
    }
    if in_word_list(DWELLING, &scan.bytes[k..start - 1]) { k } else { start }
}

/// A street's name from `i`: a starter and names, or names and a suffix.
fn street_end(scan: &Scan<'_>, at: usize, comma: bool) -> Option<usize> {
    let first = word_end(scan, at);
    if in_word_list(STARTER, &scan.bytes[at..first])
        && (comma || !scan.byte_at(at).is_ascii_uppercase() || in_word_list(SOUTHERN, &scan.bytes[at..first]))
    {
        return names_end(scan, first);
    }
    if !begins_capitalized(scan, at) && !scan.byte_at(at).is_ascii_digit() {
        return None;
    }
    let address = scan.cues.distance_of(bit::ADDRESS, at, 64).is_some();
    let (mut j, mut k) = (at, first);
    for n in 0..5 {
        if k == j {
            return None;
        }
        let w = &scan.bytes[j..k];
        if n > 0 && w.len() > 1 && in_word_list(SUFFIX, w) {
            let small = w[0].is_ascii_lowercase();
            let certain = in_word_list(CERTAIN_SUFFIX, w);
            let more = scan.byte_at(k) == b' ' && begins_capitalized(scan, k + 1) && {
                let next = word_end(scan, k + 1);
                in_word_list(SUFFIX, &scan.bytes[k + 1..next])
            };
            if (certain || address || !small) && !more {
                let dot = scan.byte_at(k) == b'.' && w.len() <= 4;
                // A last word that is not a certain suffix must end the name: `12 Oak Hill Partners` is a firm.
                let ended = certain
                    || address
                    || !(scan.byte_at(k) == b' ' && begins_capitalized(scan, k + 1))
                    || in_word_list(UNIT, &scan.bytes[k + 1..word_end(scan, k + 1)]);
                return ended.then_some(k + usize::from(dot));
            }
        }
        if scan.byte_at(k) == b'.' && k - j <= 3 {
            k += 1;
        }
        if scan.byte_at(k) != b' ' {
            return None;
        }
        j = k + 1;
        k = word_end(scan, j);
        if !(begins_capitalized(scan, j)
            || in_word_list(CONNECTOR, &scan.bytes[j..k])
            || in_word_list(SUFFIX, &scan.bytes[j..k]))
        {
            return None;
        }
    }
    None
}

/// The names behind a starter such as `rue`.
fn names_end(scan: &Scan<'_>, mut end: usize) -> Option<usize> {
    let mut last = None;
    if scan.byte_at(end) == b'.' {
        end += 1;
    }
    for _ in 0..6 {
        if scan.byte_at(end) != b' ' {
            break;
        }
        let j = end + 1;
        let k = word_end(scan, j);
        if k == j {
            break;
        }
        let w = &scan.bytes[j..k];
        let elided = w.len() > 2 && w[1] == b'\'' && begins_capitalized(scan, j + 2);
        if begins_capitalized(scan, j) || elided {
            last = Some(k);
        } else if !(in_word_list(CONNECTOR, w) || scan.byte_at(j).is_ascii_digit() && k - j <= 2) {
            break;
        }
        end = k;
    }
    last
}

/// `Apt. 12`, `, Suite 4`, `#5`, `, 2º B`, ` A 4` behind a street.
pub(super) fn unit_end(scan: &Scan<'_>, end: usize) -> usize {
    let mut i = end;
    if scan.byte_at(i) == b',' {
        i += 1;
    }
    if scan.byte_at(i) != b' ' {
        return end;
    }
    i += 1;
    if let Some(to) = storey_end(scan, i) {
        return to;
    }
    if scan.byte_at(i) == b'#' {
        i += 1;
    } else {
        let k = word_end(scan, i);
        if !in_word_list(UNIT, &scan.bytes[i..k]) || &scan.bytes[i..k] == b"FL" {
            return end;
        }
        i = k;
        if scan.byte_at(i) == b'.' {
            i += 1;
        }
        if scan.byte_at(i) == b' ' {
            i += 1;
        }
    }
    let len = scan.bytes[i.min(scan.bytes.len())..].iter().take(6).take_while(|b| is_alnum(**b)).count();
    if len > 0 && scan.bytes[i..i + len].iter().any(u8::is_ascii_digit) || len == 1 { i + len } else { end }
}

/// `2º B`, `3ª dcha`, `2. tv`, `A 4`: a storey and a door, as in Spain, Denmark and Finland.
fn storey_end(scan: &Scan<'_>, at: usize) -> Option<usize> {
    let digits = (0..2).take_while(|n| scan.byte_at(at + n).is_ascii_digit()).count();
    if digits == 0 {
        let stair = scan.byte_at(at).is_ascii_uppercase() && scan.byte_at(at + 1) == b' ';
        let door = (2..5).take_while(|n| scan.byte_at(at + n).is_ascii_digit()).count();
        return (stair && door > 0 && !is_word(scan.byte_at(at + 2 + door))).then_some(at + 2 + door);
    }
    let mark = at + digits;
    let side = match (scan.byte_at(mark), scan.byte_at(mark + 1)) {
        (b'.', b' ') => mark + 2,
        (0xc2, 0xba | 0xaa | 0xb0) if scan.byte_at(mark + 2) == b' ' => mark + 3,
        _ => return None,
    };
    const SIDES: [&[u8]; 10] = [b"tv", b"th", b"mf", b"sal", b"izq", b"dcha", b"izda", b"dto", b"esq", b"der"];
    let to = word_end(scan, side);
    let door = to == side + 1 && scan.byte_at(side).is_ascii_uppercase() || SIDES.contains(&&scan.bytes[side..to]);
    door.then_some(to)
}

/// A house number at `start..end` with the street before it.
#[inline]
pub(crate) fn number_last(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    if scan.byte_before(start) != b' ' || start < 4 || end - start > 5 {
        return None;
    }
    let tail = scan.bytes[start - 2];
    if !(is_word(tail) || tail == b'.' || tail == b',') {
        return None;
    }
    street_before(scan, start, end)
}

fn street_before(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let to = house_number_end(scan, end);
    let goes_on = matches!(scan.byte_at(to), b'.' | b'-' | b'/') && scan.byte_at(to + 1).is_ascii_digit();
    if is_word(scan.byte_at(to)) || matches!(scan.byte_at(to), b'%' | b':') || goes_on {
        scan.lookahead.note_missing_street(start);
        return None;
    }
    let low = start.saturating_sub(72).max(scan.last_finding_end());
    let mut from = start - 1;
    let mut first = true;
    for _ in 0..6 {
        let stop = from;
        let mut k = from;
        while k > low
            && (is_word(scan.bytes[k - 1])
                || matches!(scan.bytes[k - 1], b'-' | b'\'' | b'/') && is_word(scan.byte_at(k))
                || (scan.bytes[k - 1] == b'.' || scan.bytes[k - 1] == b',') && k == stop)
        {
            k -= 1;
        }
        let w = scan.bytes[k..stop].strip_suffix(b",").unwrap_or(&scan.bytes[k..stop]);
        if w.is_empty() || k == low && low > 0 && low != scan.last_finding_end() {
            return None;
        }
        if first {
            if !begins_capitalized(scan, k) {
                let word = w.len() < 10 && !w[0].is_ascii_digit();
                let named = word && k >= 2 && scan.bytes[k - 1] == b' ' && in_word_list(LATE_STARTER, w);
                return if named { names_before_starter(scan, k, to, low) } else { None };
            }
            if w == b"Box"
                && (scan.bytes[..k].ends_with(b"PO ")
                    || scan.bytes[..k].ends_with(b"P.O. ")
                    || scan.bytes[..k].ends_with(b"P. O. "))
            {
                let from = k - if scan.bytes[..k].ends_with(b"PO ") {
                    3
                } else if scan.bytes[..k].ends_with(b"P.O. ") {
                    5
                } else {
                    6
                };
                return Some(scan.add_finding(EntityKind::StreetAddress, from, to, 85));
            }
            // `PSC 7951, Box 9972`, `Unit 0822 Box 8858`: mail of armed forces.
            if w == b"Box"
                && let Some(from) = military_start(scan, k)
            {
                return Some(scan.add_finding(EntityKind::StreetAddress, from, to, 80));
            }
            if let Some(score) = street_ending_score(scan, k, w) {
                let from = adjectives_start(scan, k, low);
                return Some(scan.add_finding(EntityKind::StreetAddress, from, to, score));
            }
        }
        if first && in_word_list(LATE_STARTER, w) && k >= 2 && scan.bytes[k - 1] == b' ' {
            return names_before_starter(scan, k, to, low);
        }
        let starter = w.strip_suffix(b".").unwrap_or(w);
        if !first
            && in_word_list(STARTER, starter)
            && !(starter.len() <= 3
                && w.last() != Some(&b'.')
                && starter != b"rua"
                && starter != b"Rua"
                && starter != b"Via"
                && starter != b"rue")
        {
            return Some(scan.add_finding(EntityKind::StreetAddress, k, to, 75));
        }
        if !(begins_capitalized(scan, k) || !first && in_word_list(CONNECTOR, w)) || k < 2 || scan.bytes[k - 1] != b' '
        {
            return None;
        }
        first = false;
        from = k - 1;
    }
    None
}

/// Whether a word ends like a street, and the score of this.
fn street_ending_score(scan: &Scan<'_>, at: usize, word: &[u8]) -> Option<u8> {
    let last = *word.last()?;
    if !matches!(
        last,
        b'e' | b'.' | b'r' | b'g' | b'z' | b'm' | b't' | b'n' | b'l' | b'f' | b'a' | b'j' | b'u' | b'd' | b'i'
    ) {
        return None;
    }
    for &end in &ENDINGS {
        let (n, m) = (word.len(), end.len());
        if n < m || !word[n - m..].eq_ignore_ascii_case(end.as_bytes()) {
            continue;
        }
        let separate = n == m || word[n - m - 1] == b'-';
        // `Straße 5` alone is not a street, and `Spring 2024` is not an address.
        if n == m {
            return None;
        }
        if n - m < 3 || !begins_capitalized(scan, at) {
            continue;
        }
        if COMMON_ENDINGS.contains(&end) && !separate {
            let cued = scan.cues.distance_of(bit::ADDRESS | bit::ZIP | bit::PHONE | bit::EMAIL, at, 64).is_some();
            let english = matches!(
                word,
                b"Spring"
                    | b"String"
                    | b"Monitoring"
                    | b"Scoring"
                    | b"Filtering"
                    | b"Engineering"
                    | b"During"
                    | b"Ordering"
            );
            return (cued || end == "weg" || end == "platz" || !english && end == "ring" && word.contains(&b'-'))
                .then_some(65);
        }
        return Some(if separate { 75 } else { 80 });
    }
    None
}

/// `Alte`, `Große`, `Am` before the street's name.
fn adjectives_start(scan: &Scan<'_>, at: usize, low: usize) -> usize {
    let mut from = at;
    for _ in 0..2 {
        if from < 2 || scan.bytes[from - 1] != b' ' {
            break;
        }
        let mut k = from - 1;
        while k > low && is_word(scan.bytes[k - 1]) {
            k -= 1;
        }
        if !in_word_list(ADJECTIVE, &scan.bytes[k..from - 1]) || !begins_capitalized(scan, k) {
            break;
        }
        from = k;
    }
    from
}

/// `12a`, `12-14`, `4/5` behind the first digits of a house number.
pub(super) fn house_number_end(scan: &Scan<'_>, end: usize) -> usize {
    let mut i = end;
    if matches!(scan.byte_at(i), b'/' | b'-') {
        let len = scan.bytes[i + 1..].iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        if (1..=4).contains(&len) {
            i += 1 + len;
        }
    }
    if scan.byte_at(i).is_ascii_alphabetic() && !is_word(scan.byte_at(i + 1)) {
        i += 1;
    }
    i
}

/// `Flat 01E, Wade Drive`: a word for a unit precedes `end`.
pub(crate) fn unit_then_street(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    if scan.byte_at(end) != b' ' || !begins_capitalized(scan, start) {
        return None;
    }
    let number = scan.bytes[end + 1..].iter().take(6).take_while(|b| is_alnum(**b)).count();
    let mut i = end + 1 + number;
    if number == 0
        || !scan.bytes[end + 1..i].iter().any(u8::is_ascii_digit)
        || scan.byte_at(i) != b',' && scan.byte_at(i) != b'\n'
    {
        return None;
    }
    i += 1;
    if scan.byte_at(i) == b' ' {
        i += 1;
    }
    let digits = scan.bytes[i.min(scan.bytes.len())..].iter().take(6).take_while(|b| b.is_ascii_digit()).count();
    if digits > 0 && scan.byte_at(i + digits) == b' ' {
        i += digits + 1;
    }
    let to = street_end(scan, i, false)?;
    Some(scan.add_finding(EntityKind::StreetAddress, start, to, 80))
}

/// A street without a number, next to a cue for an address: `start..end` is `rue`, `boulevard`, `via`.
pub(crate) fn street_without_number(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    // An address right behind a mailbox or a telephone number belongs to them.
    if scan.cues.distance_of(bit::ADDRESS, start, 24).is_none()
        && scan.cues.distance_of(bit::EMAIL | bit::PHONE, start, 3).is_none()
    {
        return None;
    }
    let to = names_end(scan, end)?;
    // `Plaza de España 3, 2º B`.
    let number = to + 1 + usize::from(scan.byte_at(to) == b',');
    let digits = (0..5).take_while(|n| scan.byte_at(number + n).is_ascii_digit()).count();
    let tail = house_number_end(scan, number + digits);
    let numbered = scan.byte_at(number - 1) == b' ' && (1..=4).contains(&digits) && !is_word(scan.byte_at(tail));
    let to = if numbered { unit_end(scan, tail) } else { to };
    Some(scan.add_finding(EntityKind::StreetAddress, start, to, 70))
}

/// The start of `PSC 7951, ` or `Unit 0822 ` before `at`.
fn military_start(scan: &Scan<'_>, at: usize) -> Option<usize> {
    let text = scan.bytes[at.saturating_sub(12)..at].trim_ascii_end();
    let text = text.strip_suffix(b",").unwrap_or(text);
    let digits = text.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let word = &text[..text.len() - digits];
    let name = [&b"PSC "[..], b"Unit ", b"UNIT "].into_iter().find(|n| word.ends_with(n))?;
    let behind = scan.bytes[..at].len() - scan.bytes[..at].trim_ascii_end().len();
    let comma = usize::from(scan.bytes[at - behind - 1] == b',');
    (digits >= 3).then(|| at - behind - comma - digits - name.len())
}

/// `Frankfurter Straße 12`, `Szabadság utca 176`: the names before the word for a street at `at`.
fn names_before_starter(scan: &mut Scan<'_>, at: usize, to: usize, low: usize) -> Option<usize> {
    let mut from = None;
    let mut end = at - 1;
    for _ in 0..3 {
        let mut k = end;
        while k > low && (is_word(scan.bytes[k - 1]) || matches!(scan.bytes[k - 1], b'-' | b'.') && k < end) {
            k -= 1;
        }
        if k == end || !begins_capitalized(scan, k) {
            break;
        }
        from = Some(k);
        if k < 2 || scan.bytes[k - 1] != b' ' {
            break;
        }
        end = k - 1;
    }
    // A capitalised word at the start of a sentence is not a name by itself, but may be part of a longer name.
    from.map(|from| scan.add_finding(EntityKind::StreetAddress, from, to, 70))
}
