//! Values that are recognised only by the cue before them.

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::byte_class::{is_alnum, is_word};
use crate::scan::cue::{Cues, bit};

use super::{address, command_line, date, email, iban, labelled_address, password};

/// A cue is at `start..end`; returns the end of the value that was found behind it.
pub(crate) fn value_after_cue(scan: &mut Scan<'_>, start: usize, end: usize, bits: Cues) -> Option<usize> {
    if bits & bit::AT_WORD != 0 {
        return email::spelled_out(scan, start, end);
    }
    if bits & bit::UNIT != 0 {
        return address::unit_then_street(scan, start, end);
    }
    if bits & bit::ROAD != 0
        && let Some(to) = address::street_without_number(scan, start, end)
    {
        return Some(to);
    }
    if bits & bit::BORN != 0 {
        if scan.bytes[start] >= 0xe0 || scan.starts_with(start, "doğumlu".as_bytes()) {
            date::date_before_cue(scan, start);
        }
        if let Some(to) = date::date_after_cue(scan, end) {
            return Some(to);
        }
    }
    if bits & bit::LABEL != 0
        && let Some(to) = labelled_address::address_after_label(scan, end)
    {
        return Some(to);
    }
    if bits & bit::PROGRAM != 0
        && let Some(to) = command_line::password_option(scan, start, end)
    {
        return Some(to);
    }
    if bits & bit::LIVES != 0
        && let Some(to) = labelled_address::address_after_living(scan, end)
    {
        return Some(to);
    }
    if bits & (bit::PASSWORD | bit::SECRET | bit::KEY | bit::BEARER | bit::BASIC) != 0
        && let Some(to) = password::value_after_cue(scan, start, end, bits)
    {
        return Some(to);
    }
    if bits & bit::BIC != 0
        && let Some(to) = document_number(scan, end, EntityKind::BicCode)
    {
        return Some(to);
    }
    if bits & bit::PASSPORT != 0
        && let Some(to) = document_number(scan, end, EntityKind::Passport)
    {
        return Some(to);
    }
    if bits & bit::LICENCE != 0
        && let Some(to) = document_number(scan, end, EntityKind::UsDriverLicense)
    {
        return Some(to);
    }
    if bits & (bit::GEO | bit::COORDINATE) != 0 {
        return coordinates(scan, end, bits);
    }
    None
}

/// The value of a JSON key that is a cue: the whole text is the value.
pub(crate) fn whole_value(scan: &mut Scan<'_>, bits: Cues) -> Option<usize> {
    if bits & bit::BORN != 0
        && let Some(to) = date::date_end(scan, 0)
    {
        return Some(scan.add_finding(EntityKind::DateOfBirth, 0, to, 98));
    }
    if bits & (bit::PASSWORD | bit::SECRET | bit::KEY) != 0
        && let Some(to) = password::whole_value(scan, bits)
    {
        return Some(to);
    }
    if bits & bit::BIC != 0
        && let Some(to) = document_number(scan, 0, EntityKind::BicCode)
    {
        return Some(to);
    }
    if bits & bit::PASSPORT != 0
        && let Some(to) = document_number(scan, 0, EntityKind::Passport)
    {
        return Some(to);
    }
    if bits & bit::LICENCE != 0
        && let Some(to) = document_number(scan, 0, EntityKind::UsDriverLicense)
    {
        return Some(to);
    }
    if bits & (bit::GEO | bit::COORDINATE) != 0 {
        return coordinates(scan, 0, bits);
    }
    None
}

/// Words that may stand between the cue and the number of a document.
fn is_filler(word: &[u8]) -> bool {
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
fn document_number(scan: &mut Scan<'_>, end: usize, kind: EntityKind) -> Option<usize> {
    let mut i = end;
    for _ in 0..5 {
        let skipped = scan
            .bytes
            .get(i..)?
            .iter()
            .take(6)
            .take_while(|b| matches!(b, b' ' | b':' | b'=' | b'#' | b'"' | b'\'' | b'.' | b'/' | b'(' | b'_' | b'-'))
            .count();
        i += skipped;
        let len = scan.bytes[i..].iter().take(24).take_while(|b| is_word(**b)).count();
        let word = scan.bytes.get(i..i + len).filter(|w| !w.is_empty())?;
        let code = match kind {
            EntityKind::BicCode => is_bic(word).then_some(kind),
            EntityKind::Passport => passport_kind(word),
            _ => is_licence(word).then_some(kind),
        };
        if let Some(kind) = code {
            let to = scan.add_finding(kind, i, i + len, 85);
            return Some(repeated_number_end(scan, to, kind));
        }
        if !is_filler(word) {
            return None;
        }
        i += len;
    }
    None
}

/// `AB1234567 and XY9876543`: one more of the same.
fn repeated_number_end(scan: &mut Scan<'_>, end: usize, kind: EntityKind) -> usize {
    let Some(skip) =
        [", ", " and ", " und ", " et ", " y ", " e ", " / "].iter().find(|w| scan.starts_with(end, w.as_bytes()))
    else {
        return end;
    };
    let from = end + skip.len();
    let len = scan.bytes[from..].iter().take(24).take_while(|b| is_word(**b)).count();
    let word = &scan.bytes[from..from + len];
    let same = match kind {
        EntityKind::BicCode => is_bic(word),
        EntityKind::Passport | EntityKind::UsPassport => passport_kind(word).is_some(),
        _ => is_licence(word),
    };
    if same { scan.add_finding(kind, from, from + len, 80) } else { end }
}

/// ISO 9362: four letters, a country, two characters, maybe three more.
fn is_bic(word: &[u8]) -> bool {
    let country = |w: &[u8]| iban::has_iban([w[4], w[5]]) || BIC_COUNTRIES.as_bytes().chunks(2).any(|c| c == &w[4..6]);
    matches!(word.len(), 8 | 11)
        && word[..6].iter().all(u8::is_ascii_uppercase)
        && word[6..].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && country(word)
}

/// Countries with banks and without IBANs.
const BIC_COUNTRIES: &str = "USCAAUNZJPCNHKSGINKRTWTHMYIDPHVNZANGKEMXARCLCOPEUYVEECMATZDZUGGHRU";

fn passport_kind(word: &[u8]) -> Option<EntityKind> {
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
    Some(if american { EntityKind::UsPassport } else { EntityKind::Passport })
}

fn is_licence(word: &[u8]) -> bool {
    let ok = word.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let digits = word.iter().filter(|b| b.is_ascii_digit()).count();
    ok && (6..=18).contains(&word.len()) && digits >= 5
}

/// `52.520008, 13.404954` behind a word for a place, or one number behind `lat`, `longitude` and the like.
fn coordinates(scan: &mut Scan<'_>, end: usize, bits: Cues) -> Option<usize> {
    let mut i = end;
    for _ in 0..4 {
        i += scan
            .bytes
            .get(i..)?
            .iter()
            .take(6)
            .take_while(|b| matches!(b, b' ' | b':' | b'=' | b'"' | b'\'' | b'(' | b'['))
            .count();
        if let Some((value, decimals, to)) = parse_decimal(scan, i) {
            let pair = second_coordinate(scan, to);
            if let Some(to) = pair
                && bits & bit::GEO != 0
                && decimals >= 3
                && value.abs() <= 90.0
            {
                return Some(scan.add_finding(EntityKind::GeoCoordinates, i, to, 85));
            }
            let single = bits & bit::COORDINATE != 0 && pair.is_none() && decimals >= 4 && value.abs() <= 180.0;
            return single.then(|| scan.add_finding(EntityKind::GeoCoordinates, i, to, 80));
        }
        let len = scan.bytes[i..].iter().take(16).take_while(|b| is_word(**b)).count();
        let word = &scan.bytes[i..i + len];
        if len == 0 || !(is_filler(word) || matches!(word, b"at" | b"are" | b"coordinates" | b"position" | b"location"))
        {
            return None;
        }
        i += len;
    }
    None
}

/// A signed decimal: value, number of decimals, end.
fn parse_decimal(scan: &Scan<'_>, at: usize) -> Option<(f64, usize, usize)> {
    let mut j = at + usize::from(matches!(scan.byte_at(at), b'-' | b'+'));
    let whole = scan.bytes.get(j..)?.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
    if !(1..=3).contains(&whole) || scan.byte_at(j + whole) != b'.' {
        return None;
    }
    j += whole + 1;
    let decimals = scan.bytes[j..].iter().take(16).take_while(|b| b.is_ascii_digit()).count();
    let to = j + decimals;
    if is_alnum(scan.byte_at(to)) || scan.byte_at(to) == b'.' && scan.byte_at(to + 1).is_ascii_digit() {
        return None;
    }
    let value = std::str::from_utf8(&scan.bytes[at..to]).ok()?.parse().ok()?;
    Some((value, decimals, to))
}

fn second_coordinate(scan: &Scan<'_>, at: usize) -> Option<usize> {
    let mut j = at;
    let mut comma = false;
    while matches!(scan.byte_at(j), b' ' | b',' | b';' | b'/' | b'N' | b'S') && j < at + 4 {
        comma |= scan.byte_at(j) != b' ' || j > at;
        j += 1;
    }
    if j == at {
        return None;
    }
    let (value, decimals, to) = parse_decimal(scan, j)?;
    (value.abs() <= 180.0 && decimals >= 3 && (comma || j > at)).then_some(to)
}
