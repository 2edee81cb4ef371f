//! Addresses that their label gives away (`Osoite: Fallinkuja 40`), or a word for living there (`bor på Aspstigen 42`).

use crate::pii::entity::Kind;
use crate::pii::scan::Scan;
use crate::pii::scan::class::{is_alnum, is_word};
use crate::pii::scan::cue::{bit, table};

use super::address::{self, CONNECTOR, LATE, STARTER, UNIT, capital, listed, number_tail, unit, unit_first, word};

const LINE: usize = 120;

/// What stands behind `Address:` on the same line, up to where the street ends.
pub(super) fn labelled(s: &mut Scan<'_>, end: usize) -> Option<usize> {
    let mut i = end;
    while matches!(s.at(i), b'"' | b'\'' | b'*' | b' ') && i < end + 3 {
        i += 1;
    }
    if matches!(s.at(i), b':' | b'=') && s.at(i + 1) != s.at(i) {
        i += 1;
    } else if s.starts(i, "：".as_bytes()) {
        i += 3;
    } else {
        return None;
    }
    while matches!(s.at(i), b' ' | b'\t' | b'"' | b'\'' | b'*') && i < end + 12 {
        i += 1;
    }
    let to = line(s, i)?;
    if !place(&s.b[i..to]) {
        return None;
    }
    let to = unit(s, to);
    Some(s.hit(Kind::StreetAddress, i, to, 70))
}

/// Where the street of an address ends that begins at `from`: at a comma, once it has a number.
fn line(s: &Scan<'_>, from: usize) -> Option<usize> {
    let rest = s.b.get(from..)?;
    let stop = rest
        .iter()
        .take(LINE)
        .position(|b| matches!(b, b'\n' | b'\r' | b'\t' | b'"' | b';' | b'|' | b'<' | b'{' | b'[' | b'\\'))
        .unwrap_or(rest.len().min(LINE));
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
        if (comma || dot) && numbered(&rest[part..i]) && !unit_only(&rest[part..i]) {
            return Some(from + i);
        }
        if comma {
            part = i + 1;
        }
        // `… 12 / Tel. 030 …`, `… 12 Telefon …`: what else is there to say.
        if rest[i] == b' ' && numbered(&rest[part..i]) && (rest[i + 1..].starts_with(b"/ ") || another(s, from + i + 1))
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

/// Whether the word at `at` begins to speak of something else.
fn another(s: &Scan<'_>, at: usize) -> bool {
    let to = word(s, at);
    to > at && table().get_at(s.b, at, to) & (bit::PHONE | bit::EMAIL | bit::BORN | bit::PASSWORD | bit::NHS) != 0
}

fn numbered(part: &[u8]) -> bool {
    part.iter().any(u8::is_ascii_digit)
}

/// `Flat 3`, `12`, `H.No. 720`: the street is still to come.
fn unit_only(part: &[u8]) -> bool {
    part.split(|b| matches!(b, b' ' | b'.'))
        .filter(|w| !w.is_empty())
        .all(|w| w.iter().any(u8::is_ascii_digit) || listed(UNIT, w) || w.len() <= 2 || w == b"Flat" || w == b"Unit")
}

/// Whether it can be a street with a number: words and a few digits, nothing that programs write.
fn place(value: &[u8]) -> bool {
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
pub(super) fn lives(s: &mut Scan<'_>, end: usize) -> Option<usize> {
    let mut i = end;
    let mut begun = None;
    for _ in 0..4 {
        if s.at(i) != b' ' {
            return None;
        }
        i += 1;
        if s.at(i).is_ascii_digit() || capital(s, i) {
            break;
        }
        let to = word(s, i);
        begun = (s.at(to) == b'.' && listed(STARTER, &s.b[i..to])).then_some(i);
        // `pl.`, `пр.`
        i = if s.at(to) == b'.' && to - i <= 8 { to + 1 } else { to };
    }
    let first = word(s, i);
    if listed(UNIT, &s.b[i..first]) || s.at(first) == b'.' && s.at(first + 1) == b'N' {
        return unit_first(s, i, first).or_else(|| dwelling(s, i, first));
    }
    if s.at(i).is_ascii_digit() {
        return number_first(s, i);
    }
    if !capital(s, i) {
        return None;
    }
    let (mut at, mut words) = (i, 0);
    for _ in 0..5 {
        let to = word(s, at);
        let short = s.at(to) == b'.' && to - at <= 8;
        let named = short || capital(s, at) || listed(CONNECTOR | STARTER | LATE, &s.b[at..to]);
        if to == at || words > 0 && !named && !s.at(at).is_ascii_lowercase() {
            return None;
        }
        words += 1;
        let mut next = to;
        if matches!(s.at(next), b',' | b'.') {
            next += 1;
        }
        if s.at(next) != b' ' {
            return None;
        }
        next += 1;
        let digits = (0..6).take_while(|n| s.at(next + n).is_ascii_digit()).count();
        if digits > 0 {
            let tail = number_tail(s, next + digits);
            let ends = !is_word(s.at(tail)) && !matches!(s.at(tail), b':' | b'%') && !is_alnum(s.at(tail + 1))
                || matches!(s.at(tail), b',' | b'.' | b' ');
            let ends = ends
                && (s.at(tail) == b' ' || !s.at(tail + 1).is_ascii_digit())
                && (s.at(tail) != b' ' || !s.at(tail + 1).is_ascii_lowercase() || town(s, tail + 1));
            if digits > 4 || !ends {
                return None;
            }
            // `Calzada Hidalgo 746 852`: the number outside and the one inside.
            let inner = (1..5).take_while(|n| s.at(tail) == b' ' && s.at(tail + n).is_ascii_digit()).count();
            let tail =
                if (1..=3).contains(&inner) && !is_word(s.at(tail + 1 + inner)) { tail + 1 + inner } else { tail };
            let to = unit(s, unit(s, tail));
            return Some(s.hit(Kind::StreetAddress, begun.unwrap_or(i), to, 65));
        }
        at = next;
    }
    None
}

/// `i Stockholm`, `in Berlin`, `à Lyon` behind the number.
fn town(s: &Scan<'_>, at: usize) -> bool {
    let to = word(s, at);
    to - at <= 2 && s.at(to) == b' ' && capital(s, to + 1)
}

/// `Flat 4, Glenn Isle`, `H.No. 720, Bhatti Marg`: a unit that begins at `start`, and names.
fn dwelling(s: &mut Scan<'_>, start: usize, first: usize) -> Option<usize> {
    let mut i = first;
    while i < start + 12 && !s.at(i).is_ascii_digit() {
        i += 1;
    }
    let digits = (0..6).take_while(|n| is_alnum(s.at(i + n))).count();
    let mut at = i + digits;
    if digits == 0 || !s.at(i).is_ascii_digit() {
        return None;
    }
    let mut to = at;
    let mut names = 0;
    for _ in 0..5 {
        if s.at(at) == b',' && names == 0 {
            at += 1;
        }
        if s.at(at) != b' ' || !(capital(s, at + 1) || s.at(at + 1).is_ascii_digit() && names == 0) {
            break;
        }
        names += usize::from(capital(s, at + 1));
        at = word(s, at + 1);
        to = at;
    }
    (names > 0).then(|| s.hit(Kind::StreetAddress, start, to, 70))
}

/// `34 Green Ronde` behind a word for living: a number and two to four capitalised words.
fn number_first(s: &mut Scan<'_>, start: usize) -> Option<usize> {
    let digits = (0..6).take_while(|n| s.at(start + n).is_ascii_digit()).count();
    if let Some(to) = address::number_first(s, start, start + digits) {
        return Some(to);
    }
    let mut at = number_tail(s, start + digits);
    if s.at(at) == b',' {
        at += 1;
    }
    let mut last = None;
    for n in 0..4 {
        if s.at(at) != b' ' || !capital(s, at + 1) {
            break;
        }
        let to = word(s, at + 1);
        // One name is enough behind `48/055`.
        if n > 0 || s.b[start..at].contains(&b'/') {
            last = Some(to);
        }
        at = to;
    }
    let to = unit(s, last?);
    (digits <= 5 && !is_word(s.at(to))).then(|| s.hit(Kind::StreetAddress, start, to, 65))
}

/// Where `PSC 7951, ` or `Unit 0822 ` begins, which stands before `at`.
pub(super) fn military(s: &Scan<'_>, at: usize) -> Option<usize> {
    let text = s.b[at.saturating_sub(12)..at].trim_ascii_end();
    let text = text.strip_suffix(b",").unwrap_or(text);
    let digits = text.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let word = &text[..text.len() - digits];
    let name = [&b"PSC "[..], b"Unit ", b"UNIT "].into_iter().find(|n| word.ends_with(n))?;
    let behind = s.b[..at].len() - s.b[..at].trim_ascii_end().len();
    let comma = usize::from(s.b[at - behind - 1] == b',');
    (digits >= 3).then(|| at - behind - comma - digits - name.len())
}

/// `Frankfurter Straße 12`, `Szabadság utca 176`: the names before the word for a street that stands at `at`.
pub(super) fn late(s: &mut Scan<'_>, at: usize, to: usize, low: usize) -> Option<usize> {
    let mut from = None;
    let mut end = at - 1;
    for _ in 0..3 {
        let mut k = end;
        while k > low && (is_word(s.b[k - 1]) || matches!(s.b[k - 1], b'-' | b'.') && k < end) {
            k -= 1;
        }
        if k == end || !capital(s, k) {
            break;
        }
        from = Some(k);
        if k < 2 || s.b[k - 1] != b' ' {
            break;
        }
        end = k - 1;
    }
    // The capital at the start of a sentence is no name, but one of a name that is longer than that.
    from.map(|from| s.hit(Kind::StreetAddress, from, to, 70))
}
