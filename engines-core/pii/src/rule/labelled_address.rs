//! Addresses that are recognised by a label (`Osoite: Fallinkuja 40`) or by a word for living there (`bor på Aspstigen
//! 42`).

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::byte_class::{is_alnum, is_word};
use crate::scan::cue::{bit, table};

use super::address::{self, begins_capitalized, house_number_end, unit_end, unit_then_street, word_end};
use super::street_words::{CONNECTOR, LATE_STARTER, STARTER, UNIT, in_word_list};

const MAX_LINE_BYTES: usize = 120;

/// The text behind `Address:` on the same line, up to the end of the street.
pub(super) fn address_after_label(scan: &mut Scan<'_>, end: usize) -> Option<usize> {
    let mut i = end;
    while matches!(scan.byte_at(i), b'"' | b'\'' | b'*' | b' ') && i < end + 3 {
        i += 1;
    }
    if matches!(scan.byte_at(i), b':' | b'=') && scan.byte_at(i + 1) != scan.byte_at(i) {
        i += 1;
    } else if scan.starts_with(i, "：".as_bytes()) {
        i += 3;
    } else {
        return None;
    }
    while matches!(scan.byte_at(i), b' ' | b'\t' | b'"' | b'\'' | b'*') && i < end + 12 {
        i += 1;
    }
    let to = street_line_end(scan, i)?;
    if !is_street_with_number(&scan.bytes[i..to]) {
        return None;
    }
    let to = unit_end(scan, to);
    Some(scan.add_finding(EntityKind::StreetAddress, i, to, 70))
}

/// The end of the street of an address that begins at `from`: at a comma, once it has a number.
fn street_line_end(scan: &Scan<'_>, from: usize) -> Option<usize> {
    let rest = scan.bytes.get(from..)?;
    let stop = rest
        .iter()
        .take(MAX_LINE_BYTES)
        .position(|b| matches!(b, b'\n' | b'\r' | b'\t' | b'"' | b';' | b'|' | b'<' | b'{' | b'[' | b'\\'))
        .unwrap_or(rest.len().min(MAX_LINE_BYTES));
    let mut part = 0;
    let mut i = 0;
    while i < stop {
        let comma = rest[i] == b',' && matches!(rest.get(i + 1), Some(b' ') | None);
        // A sentence ends: a dot behind a longer word or a number, and a capital behind it.
        let dot = rest[i] == b'.'
            && i >= 1
            && (rest[i - 1].is_ascii_digit() || i >= 4 && rest[i - 4..i].iter().all(|b| is_word(*b)))
            && matches!(rest.get(i + 1), Some(b' ') | None)
            && rest.get(i + 2).is_none_or(|b| b.is_ascii_uppercase() || *b >= 0x80);
        if (comma || dot) && has_house_number(&rest[part..i]) && !is_unit_only(&rest[part..i]) {
            return Some(from + i);
        }
        if comma {
            part = i + 1;
        }
        // `… 12 / Tel. 030 …`, `… 12 Telefon …`: what else is there to say.
        if rest[i] == b' '
            && has_house_number(&rest[part..i])
            && (rest[i + 1..].starts_with(b"/ ") || begins_other_field(scan, from + i + 1))
        {
            return Some(from + i);
        }
        i += 1;
    }
    let mut to = stop;
    while to > 0 && matches!(rest[to - 1], b' ' | b',' | b'.' | b'\'' | b'*') {
        to -= 1;
    }
    // The next field of the same line.
    if let Some(colon) = memchr::memmem::find(&rest[..to], b": ")
        && !["no", "nr", "n", "nº", "kat", "daire"].iter().any(|w| ends_with(&rest[..colon], w.as_bytes()))
    {
        to = rest[..colon].iter().rposition(|b| matches!(b, b',' | b' '))?;
    }
    Some(from + to)
}

/// Whether the last word is this one.
fn ends_with(text: &[u8], word: &[u8]) -> bool {
    let at = text.len().saturating_sub(word.len());
    text[at..].eq_ignore_ascii_case(word) && (at == 0 || !is_word(text[at - 1]))
}

/// Whether the word at `at` begins another subject.
fn begins_other_field(scan: &Scan<'_>, at: usize) -> bool {
    let to = word_end(scan, at);
    to > at
        && table().get_at(scan.bytes, at, to) & (bit::PHONE | bit::EMAIL | bit::BORN | bit::PASSWORD | bit::NHS) != 0
}

fn has_house_number(part: &[u8]) -> bool {
    part.iter().any(u8::is_ascii_digit)
}

/// `Flat 3`, `12`, `H.No. 720`: the street follows.
fn is_unit_only(part: &[u8]) -> bool {
    part.split(|b| matches!(b, b' ' | b'.')).filter(|w| !w.is_empty()).all(|w| {
        w.iter().any(u8::is_ascii_digit) || in_word_list(UNIT, w) || w.len() <= 2 || w == b"Flat" || w == b"Unit"
    })
}

/// Whether the text can be a street with a number: words and a few digits, and no characters of code.
fn is_street_with_number(value: &[u8]) -> bool {
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic() || **b >= 0x80).count();
    let foreign =
        value.iter().any(|b| matches!(b, b'@' | b'_' | b'=' | b'$' | b'{' | b'%' | b'+' | b'~' | b'!' | b'?'));
    let dotted =
        value.windows(3).any(|w| w[0].is_ascii_digit() && matches!(w[1], b'.' | b':') && w[2].is_ascii_digit());
    let spaced = value.contains(&b' ') || value.iter().any(|b| *b >= 0xe0);
    let named = value.split(|b| *b == b' ').any(|w| {
        w.len() > 2 && (w[0].is_ascii_uppercase() || w[0] >= 0x80) && w[1..].iter().any(|b| !b.is_ascii_digit())
    });
    (1..=12).contains(&digits) && letters >= 4 && letters > digits && !foreign && !dotted && spaced && named
}

/// A street with a number within a few small words behind a word for living.
pub(super) fn address_after_living(scan: &mut Scan<'_>, end: usize) -> Option<usize> {
    let mut i = end;
    let mut begun = None;
    for _ in 0..4 {
        if scan.byte_at(i) != b' ' {
            return None;
        }
        i += 1;
        if scan.byte_at(i).is_ascii_digit() || begins_capitalized(scan, i) {
            break;
        }
        let to = word_end(scan, i);
        begun = (scan.byte_at(to) == b'.' && in_word_list(STARTER, &scan.bytes[i..to])).then_some(i);
        // `pl.`, `пр.`
        i = if scan.byte_at(to) == b'.' && to - i <= 8 { to + 1 } else { to };
    }
    let first = word_end(scan, i);
    if in_word_list(UNIT, &scan.bytes[i..first]) || scan.byte_at(first) == b'.' && scan.byte_at(first + 1) == b'N' {
        return unit_then_street(scan, i, first).or_else(|| unit_and_names(scan, i, first));
    }
    if scan.byte_at(i).is_ascii_digit() {
        return number_first(scan, i);
    }
    if !begins_capitalized(scan, i) {
        return None;
    }
    let (mut at, mut words) = (i, 0);
    for _ in 0..5 {
        let to = word_end(scan, at);
        let short = scan.byte_at(to) == b'.' && to - at <= 8;
        let named = short
            || begins_capitalized(scan, at)
            || in_word_list(CONNECTOR | STARTER | LATE_STARTER, &scan.bytes[at..to]);
        if to == at || words > 0 && !named && !scan.byte_at(at).is_ascii_lowercase() {
            return None;
        }
        words += 1;
        let mut next = to;
        if matches!(scan.byte_at(next), b',' | b'.') {
            next += 1;
        }
        if scan.byte_at(next) != b' ' {
            return None;
        }
        next += 1;
        let digits = (0..6).take_while(|n| scan.byte_at(next + n).is_ascii_digit()).count();
        if digits > 0 {
            let tail = house_number_end(scan, next + digits);
            let ends = !is_word(scan.byte_at(tail))
                && !matches!(scan.byte_at(tail), b':' | b'%')
                && !is_alnum(scan.byte_at(tail + 1))
                || matches!(scan.byte_at(tail), b',' | b'.' | b' ');
            let ends = ends
                && (scan.byte_at(tail) == b' ' || !scan.byte_at(tail + 1).is_ascii_digit())
                && (scan.byte_at(tail) != b' '
                    || !scan.byte_at(tail + 1).is_ascii_lowercase()
                    || town_follows(scan, tail + 1));
            if digits > 4 || !ends {
                return None;
            }
            // `Calzada Hidalgo 746 852`: the number outside and the one inside.
            let inner =
                (1..5).take_while(|n| scan.byte_at(tail) == b' ' && scan.byte_at(tail + n).is_ascii_digit()).count();
            let tail = if (1..=3).contains(&inner) && !is_word(scan.byte_at(tail + 1 + inner)) {
                tail + 1 + inner
            } else {
                tail
            };
            let to = unit_end(scan, unit_end(scan, tail));
            return Some(scan.add_finding(EntityKind::StreetAddress, begun.unwrap_or(i), to, 65));
        }
        at = next;
    }
    None
}

/// `i Stockholm`, `in Berlin`, `à Lyon` behind the number.
fn town_follows(scan: &Scan<'_>, at: usize) -> bool {
    let to = word_end(scan, at);
    to - at <= 2 && scan.byte_at(to) == b' ' && begins_capitalized(scan, to + 1)
}

/// `Flat 4, Glenn Isle`, `H.No. 720, Bhatti Marg`: a unit that begins at `start`, and names.
fn unit_and_names(scan: &mut Scan<'_>, start: usize, first: usize) -> Option<usize> {
    let mut i = first;
    while i < start + 12 && !scan.byte_at(i).is_ascii_digit() {
        i += 1;
    }
    let digits = (0..6).take_while(|n| is_alnum(scan.byte_at(i + n))).count();
    let mut at = i + digits;
    if digits == 0 || !scan.byte_at(i).is_ascii_digit() {
        return None;
    }
    let mut to = at;
    let mut names = 0;
    for _ in 0..5 {
        if scan.byte_at(at) == b',' && names == 0 {
            at += 1;
        }
        if scan.byte_at(at) != b' '
            || !(begins_capitalized(scan, at + 1) || scan.byte_at(at + 1).is_ascii_digit() && names == 0)
        {
            break;
        }
        names += usize::from(begins_capitalized(scan, at + 1));
        at = word_end(scan, at + 1);
        to = at;
    }
    (names > 0).then(|| scan.add_finding(EntityKind::StreetAddress, start, to, 70))
}

/// `34 Green Ronde` behind a word for living: a number and two to four capitalised words.
fn number_first(scan: &mut Scan<'_>, start: usize) -> Option<usize> {
    let digits = (0..6).take_while(|n| scan.byte_at(start + n).is_ascii_digit()).count();
    if let Some(to) = address::number_first(scan, start, start + digits) {
        return Some(to);
    }
    let mut at = house_number_end(scan, start + digits);
    if scan.byte_at(at) == b',' {
        at += 1;
    }
    let mut last = None;
    for n in 0..4 {
        if scan.byte_at(at) != b' ' || !begins_capitalized(scan, at + 1) {
            break;
        }
        let to = word_end(scan, at + 1);
        // One name is enough behind `48/055`.
        if n > 0 || scan.bytes[start..at].contains(&b'/') {
            last = Some(to);
        }
        at = to;
    }
    let to = unit_end(scan, last?);
    (digits <= 5 && !is_word(scan.byte_at(to))).then(|| scan.add_finding(EntityKind::StreetAddress, start, to, 65))
}
