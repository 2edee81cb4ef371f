//! What follows a cue: values that only their cue gives away.

use crate::pii::entity::Kind;
use crate::pii::scan::Scan;
use crate::pii::scan::class::{is_alnum, is_word};
use crate::pii::scan::cue::{Cues, bit};

use super::{address, cli, date, email, iban, label, password};

/// A cue stands at `start..end`; returns the place behind what was found after it.
pub(crate) fn after(s: &mut Scan<'_>, start: usize, end: usize, bits: Cues) -> Option<usize> {
    if bits & bit::AT != 0 {
        return email::spelled(s, start, end);
    }
    if bits & bit::UNIT != 0 {
        return address::unit_first(s, start, end);
    }
    if bits & bit::ROAD != 0
        && let Some(to) = address::road(s, start, end)
    {
        return Some(to);
    }
    if bits & bit::BORN != 0 {
        if s.b[start] >= 0xe0 || s.starts(start, "doğumlu".as_bytes()) {
            date::before(s, start);
        }
        if let Some(to) = date::born(s, end) {
            return Some(to);
        }
    }
    if bits & bit::LABEL != 0
        && let Some(to) = label::labelled(s, end)
    {
        return Some(to);
    }
    if bits & bit::PROGRAM != 0
        && let Some(to) = cli::program(s, start, end)
    {
        return Some(to);
    }
    if bits & bit::LIVES != 0
        && let Some(to) = label::lives(s, end)
    {
        return Some(to);
    }
    if bits & (bit::PASSWORD | bit::SECRET | bit::KEY | bit::BEARER | bit::BASIC) != 0
        && let Some(to) = password::after(s, start, end, bits)
    {
        return Some(to);
    }
    if bits & bit::BIC != 0
        && let Some(to) = document(s, end, Kind::BicCode)
    {
        return Some(to);
    }
    if bits & bit::PASSPORT != 0
        && let Some(to) = document(s, end, Kind::Passport)
    {
        return Some(to);
    }
    if bits & bit::LICENCE != 0
        && let Some(to) = document(s, end, Kind::UsDriverLicense)
    {
        return Some(to);
    }
    if bits & (bit::GEO | bit::LATLON) != 0 {
        return coordinates(s, end, bits);
    }
    None
}

/// The value under a JSON key that is a cue: the whole text is the value.
pub(crate) fn value(s: &mut Scan<'_>, bits: Cues) -> Option<usize> {
    if bits & bit::BORN != 0
        && let Some(to) = date::parse(s, 0)
    {
        return Some(s.hit(Kind::DateOfBirth, 0, to, 98));
    }
    if bits & (bit::PASSWORD | bit::SECRET | bit::KEY) != 0
        && let Some(to) = password::whole(s, bits)
    {
        return Some(to);
    }
    if bits & bit::BIC != 0
        && let Some(to) = document(s, 0, Kind::BicCode)
    {
        return Some(to);
    }
    if bits & bit::PASSPORT != 0
        && let Some(to) = document(s, 0, Kind::Passport)
    {
        return Some(to);
    }
    if bits & bit::LICENCE != 0
        && let Some(to) = document(s, 0, Kind::UsDriverLicense)
    {
        return Some(to);
    }
    if bits & (bit::GEO | bit::LATLON) != 0 {
        return coordinates(s, 0, bits);
    }
    None
}

/// Words that may stand between the cue and the number of a document.
fn filler(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 28] = [
        b"no",
        b"nr",
        b"num",
        b"number",
        b"id",
        b"is",
        b"the",
        b"my",
        b"code",
        b"s",
        b"license",
        b"licence",
        b"numero",
        b"nummer",
        b"ist",
        b"est",
        b"es",
        b"de",
        b"of",
        b"conduire",
        b"conducir",
        b"holder",
        b"was",
        b"card",
        b"swift",
        b"bic",
        b"us",
        b"uk",
    ];
    WORDS.iter().any(|w| w.eq_ignore_ascii_case(word)) || word == "numéro".as_bytes() || word == "número".as_bytes()
}

/// A code of capitals and digits within a few words behind the cue.
fn document(s: &mut Scan<'_>, end: usize, kind: Kind) -> Option<usize> {
    let mut i = end;
    for _ in 0..5 {
        let skipped = s
            .b
            .get(i..)?
            .iter()
            .take(6)
            .take_while(|b| matches!(b, b' ' | b':' | b'=' | b'#' | b'"' | b'\'' | b'.' | b'/' | b'(' | b'_' | b'-'))
            .count();
        i += skipped;
        let len = s.b[i..].iter().take(24).take_while(|b| is_word(**b)).count();
        let word = s.b.get(i..i + len).filter(|w| !w.is_empty())?;
        let code = match kind {
            Kind::BicCode => bic(word).then_some(kind),
            Kind::Passport => passport(word),
            _ => licence(word).then_some(kind),
        };
        if let Some(kind) = code {
            let to = s.hit(kind, i, i + len, 85);
            return Some(another(s, to, kind));
        }
        if !filler(word) {
            return None;
        }
        i += len;
    }
    None
}

/// `AB1234567 and XY9876543`: one more of the same.
fn another(s: &mut Scan<'_>, end: usize, kind: Kind) -> usize {
    let Some(skip) = [", ", " and ", " und ", " et ", " y ", " e ", " / "].iter().find(|w| s.starts(end, w.as_bytes()))
    else {
        return end;
    };
    let from = end + skip.len();
    let len = s.b[from..].iter().take(24).take_while(|b| is_word(**b)).count();
    let word = &s.b[from..from + len];
    let same = match kind {
        Kind::BicCode => bic(word),
        Kind::Passport | Kind::UsPassport => passport(word).is_some(),
        _ => licence(word),
    };
    if same { s.hit(kind, from, from + len, 80) } else { end }
}

/// ISO 9362: four letters, a country, two characters, maybe three more.
fn bic(word: &[u8]) -> bool {
    let country = |w: &[u8]| iban::has_iban([w[4], w[5]]) || COUNTRIES.as_bytes().chunks(2).any(|c| c == &w[4..6]);
    matches!(word.len(), 8 | 11)
        && word[..6].iter().all(u8::is_ascii_uppercase)
        && word[6..].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && country(word)
}

/// Countries with banks and without IBANs.
const COUNTRIES: &str = "USCAAUNZJPCNHKSGINKRTWTHMYIDPHVNZANGKEMXARCLCOPEUYVEECMATZDZUGGHRU";

fn passport(word: &[u8]) -> Option<Kind> {
    let letters = word.iter().filter(|b| b.is_ascii_uppercase()).count();
    let digits = word.iter().filter(|b| b.is_ascii_digit()).count();
    if letters + digits != word.len()
        || !(6..=10).contains(&word.len())
        || digits < 5 && !(digits >= 3 && word.len() == 9)
    {
        return None;
    }
    // One letter and eight digits, or nine digits: the United States.
    let american = word.len() == 9 && digits >= 8 && word[1..].iter().all(u8::is_ascii_digit);
    Some(if american { Kind::UsPassport } else { Kind::Passport })
}

fn licence(word: &[u8]) -> bool {
    let ok = word.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let digits = word.iter().filter(|b| b.is_ascii_digit()).count();
    ok && (6..=18).contains(&word.len()) && digits >= 5
}

/// `52.520008, 13.404954` behind a word for a place, or one number behind `lat`, `longitude` and the like.
fn coordinates(s: &mut Scan<'_>, end: usize, bits: Cues) -> Option<usize> {
    let mut i = end;
    for _ in 0..4 {
        i +=
            s.b.get(i..)?
                .iter()
                .take(6)
                .take_while(|b| matches!(b, b' ' | b':' | b'=' | b'"' | b'\'' | b'(' | b'['))
                .count();
        if let Some((value, decimals, to)) = decimal(s, i) {
            let pair = second(s, to);
            if let Some(to) = pair
                && bits & bit::GEO != 0
                && decimals >= 3
                && value.abs() <= 90.0
            {
                return Some(s.hit(Kind::GeoCoordinates, i, to, 85));
            }
            let single = bits & bit::LATLON != 0 && pair.is_none() && decimals >= 4 && value.abs() <= 180.0;
            return single.then(|| s.hit(Kind::GeoCoordinates, i, to, 80));
        }
        let len = s.b[i..].iter().take(16).take_while(|b| is_word(**b)).count();
        let word = &s.b[i..i + len];
        if len == 0 || !(filler(word) || matches!(word, b"at" | b"are" | b"coordinates" | b"position" | b"location")) {
            return None;
        }
        i += len;
    }
    None
}

/// A signed decimal: value, number of decimals, end.
fn decimal(s: &Scan<'_>, i: usize) -> Option<(f64, usize, usize)> {
    let mut j = i + usize::from(matches!(s.at(i), b'-' | b'+'));
    let whole = s.b.get(j..)?.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
    if !(1..=3).contains(&whole) || s.at(j + whole) != b'.' {
        return None;
    }
    j += whole + 1;
    let decimals = s.b[j..].iter().take(16).take_while(|b| b.is_ascii_digit()).count();
    let to = j + decimals;
    if is_alnum(s.at(to)) || s.at(to) == b'.' && s.at(to + 1).is_ascii_digit() {
        return None;
    }
    let value = std::str::from_utf8(&s.b[i..to]).ok()?.parse().ok()?;
    Some((value, decimals, to))
}

fn second(s: &Scan<'_>, i: usize) -> Option<usize> {
    let mut j = i;
    let mut comma = false;
    while matches!(s.at(j), b' ' | b',' | b';' | b'/' | b'N' | b'S') && j < i + 4 {
        comma |= s.at(j) != b' ' || j > i;
        j += 1;
    }
    if j == i {
        return None;
    }
    let (value, decimals, to) = decimal(s, j)?;
    (value.abs() <= 180.0 && decimals >= 3 && (comma || j > i)).then_some(to)
}
