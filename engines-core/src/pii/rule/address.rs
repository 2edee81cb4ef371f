//! Street addresses and postcodes, as far as their form or a cue supports them.

use std::sync::LazyLock;

use crate::pii::entity::Kind;
use crate::pii::scan::Scan;
use crate::pii::scan::class::{is_alnum, is_word};
use crate::pii::scan::cue::{CueTable, Cues, bit};

use super::label;

/// Street suffixes (USPS Publication 28, appendix C1, with what is in use in Great Britain and Ireland).
const SUFFIXES: &str = " alley ally aly annex anx arcade arc avenue ave av bayou beach bch bend bnd bluff bluffs blf bottom boulevard blvd branch br bridge brg brook brooks burg burgs bypass \
    camp canyon cyn cape causeway cswy center centers centre circle circles cir cliff cliffs close club common commons corner corners course court courts ct cove coves creek crescent cres crest crossing \
    crossroad crossroads curve dale dam divide drive drives dr estate estates expressway expy extension extensions fall falls ferry field fields flat flats ford fords forest forge forges fork forks \
    fort freeway fwy garden gardens gdns gateway glen glens green greens grove groves harbor harbors harbour haven heights hts highway hwy hill hills hollow inlet island islands isle junction junctions key \
    keys knoll knolls lake lakes land landing lane ln light lights loaf lock locks lodge loop mall manor manors meadow meadows mews mill mills mission motorway mount mountain mountains mountains neck \
    orchard oval overpass park parks parkway pkwy parkways pass passage path pike pine pines place pl plain plains plaza plz point points port ports prairie radial ramp ranch rapid rapids rest ridge \
    ridges river road rd roads route row rue run shoal shoals shore shores skyway spring springs spur spurs square sq squares station stravenue stream street st str streets summit terrace ter throughway \
    trace track trafficway trail trailer trl tunnel turnpike underpass union unions valley valleys via viaduct view views village villages ville vista walk walks wall way ways well wells wynd yard ";

/// Suffixes that are hardly anything else, also in small letters.
const CERTAIN: &str = " street st road rd avenue ave boulevard blvd lane ln drive court crescent terrace highway hwy parkway pkwy close mews turnpike gardens ";

/// Words a street begins with, number first or last.
const STARTERS: &str = " rue avenue av boulevard bd blvd chemin place allée allées allee impasse route quai cours square passage ruelle faubourg esplanade via viale vial piazza piazzale corso largo vicolo \
    strada calle avenida avda plaza paseo carrer carretera camino rua travessa praça praca alameda ul ul. ulica aleja al al. plac os os. улица ул ул. проспект просп пр переулок бульвар шоссе площадь \
    calea bulevardul str str. strada ulice náměstí utca út straße strasse c/ ";

/// Small words inside a street's name.
const CONNECTORS: &str = " de du des de la le les l d della delle dei degli di del dello da do dos das el los las y e et von van der den den het of the saint st san santa sainte am an im zum zur ";

/// Endings of streets in one word, number behind.
static ENDINGS: [&str; 46] = [
    "straße",
    "strasse",
    "str.",
    "str",
    "gasse",
    "weg",
    "allee",
    "platz",
    "ring",
    "damm",
    "ufer",
    "steig",
    "stieg",
    "chaussee",
    "berg",
    "graben",
    "markt",
    "promenade",
    "straat",
    "laan",
    "plein",
    "gracht",
    "kade",
    "singel",
    "dreef",
    "gatan",
    "vägen",
    "gata",
    "veien",
    "vegen",
    "gade",
    "vej",
    "katu",
    "tie",
    "kuja",
    "polku",
    "tori",
    "stigen",
    "gränd",
    "backen",
    "stræde",
    "vænget",
    "parken",
    "pad",
    "steeg",
    "boulevard",
];

/// Endings among those that other words have as well.
const COMMON_ENDINGS: [&str; 14] = [
    "ring",
    "berg",
    "markt",
    "str",
    "tie",
    "weg",
    "graben",
    "platz",
    "promenade",
    "gata",
    "pad",
    "tori",
    "parken",
    "backen",
];

const UNITS: &str = " apt apt. apartment suite ste ste. unit flat studio room rm rm. floor fl fl. lot bldg building # no no. \
    piso puerta pta esc escalera dpto depto int interno scala étage appt apto apartamento andar bloco lok lok. m. кв кв. корп квартира daire kat byt lgh ";

/// The words above, compiled: what each can be.
static PLACES: LazyLock<CueTable> = LazyLock::new(|| {
    CueTable::compile(&[
        (SUFFIXES, SUFFIX),
        (CERTAIN, SURE),
        (STARTERS, STARTER),
        ("via calle rua rue avenida viale piazza corso", SOUTHERN),
        (CONNECTORS, CONNECTOR),
        (UNITS, UNIT),
        ("flat studio apartment apt unit suite", DWELLING),
        (
            "straße strasse str str. allee allé alle utca utcája út útja tér körút sokak sokağı sok sk caddesi cad gate gata gatan vei veien väg vägen vej gade katu tie straat laan plein weg platz ulica náměstí вулиця",
            LATE,
        ),
        (
            "alte alter altes neue neuer große grosse kleine obere untere lange hohe an der den im am zur zum st",
            ADJECTIVE,
        ),
    ])
});

const SUFFIX: Cues = 1;
const SURE: Cues = 2;
pub(super) const STARTER: Cues = 4;
const SOUTHERN: Cues = 8;
pub(super) const CONNECTOR: Cues = 16;
pub(super) const UNIT: Cues = 32;
const DWELLING: Cues = 64;
const ADJECTIVE: Cues = 128;
/// Words that stand between the name and the number.
pub(super) const LATE: Cues = 256;

pub(super) fn listed(which: Cues, word: &[u8]) -> bool {
    match word {
        [b'e' | b'y' | b'l' | b'd'] => which == CONNECTOR,
        _ => PLACES.get(word) & which != 0,
    }
}

/// A word from `i`: letters, marks outside ASCII, hyphens, apostrophes, a dot at the end of a short one.
pub(super) fn word(s: &Scan<'_>, i: usize) -> usize {
    let mut j = i;
    while j < i + 40 && (is_word(s.at(j)) || matches!(s.at(j), b'-' | b'\'') && is_word(s.at(j + 1))) {
        j += 1;
    }
    j
}

pub(super) fn capital(s: &Scan<'_>, i: usize) -> bool {
    let b = s.at(i);
    // Capitals of Latin-1 and Latin Extended are led by C3–C5, Cyrillic ones by D0.
    b.is_ascii_uppercase()
        || matches!(b, 0xc3..=0xc5) && s.at(i + 1) < 0xa0
        || b == 0xd0 && (0x90..0xb0).contains(&s.at(i + 1))
}

/// A house number at `start..end` with the street behind it.
#[inline]
pub(crate) fn number_first(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let mut i = end;
    if s.at(i).is_ascii_alphabetic() && !is_word(s.at(i + 1)) {
        i += 1;
    }
    if s.at(i) == b',' {
        i += 1;
    }
    if s.at(i) != b' ' || !(s.at(i + 1).is_ascii_alphabetic() || s.at(i + 1) >= 0xc3) {
        return None;
    }
    street_behind(s, start, i + 1, s.at(end) == b',')
}

/// The street that begins at `i`, behind the house number at `start`.
fn street_behind(s: &mut Scan<'_>, start: usize, mut i: usize, comma: bool) -> Option<usize> {
    // `12 bis, rue …`
    for extra in ["bis ", "ter ", "bis, ", "ter, "] {
        if s.starts(i, extra.as_bytes()) {
            i += extra.len();
        }
    }
    // `Copyright 2008 Larry Wall`, `502 Bad Gateway`.
    if s.starts(i, b"Bad Gateway") || (s.starts(start, b"19") || s.starts(start, b"20")) && copyright(s, start) {
        return None;
    }
    let Some(to) = street(s, i, comma) else {
        if capital(s, i) {
            s.ahead.homeless(start);
        }
        return None;
    };
    let from = before_number(s, start);
    let to = unit(s, to);
    Some(s.hit(Kind::StreetAddress, from, to, 80))
}

/// Whether a text that begins with a house number, or a street and one, may end as an address does: with a suffix, or a digit.
pub(crate) fn may_end(text: &[u8]) -> bool {
    let end = text.iter().rposition(|b| is_word(*b)).map_or(0, |k| k + 1);
    let word = text[..end].iter().rev().take_while(|b| is_word(**b)).count();
    let last = &text[end - word..end];
    word == end || last.last().is_some_and(u8::is_ascii_digit) || listed(SUFFIX, last)
}

/// Whether other years, `(c)` or a word for it stand before a year.
fn copyright(s: &Scan<'_>, start: usize) -> bool {
    let before = s.b[start.saturating_sub(24)..start].trim_ascii_end();
    before.ends_with(b",")
        && before.len() > 4
        && before[before.len() - 5..before.len() - 1].iter().all(u8::is_ascii_digit)
        || before.len() >= 3 && before[before.len() - 3..].eq_ignore_ascii_case(b"(c)")
        || before.len() >= 9 && before[before.len() - 9..].eq_ignore_ascii_case(b"copyright")
        || before.ends_with("©".as_bytes())
}

/// `Flat 3, ` and the like before the number.
fn before_number(s: &Scan<'_>, start: usize) -> usize {
    if s.before(start) != b' ' || start < 5 {
        return start;
    }
    let mut k = start - 1;
    let low = k.saturating_sub(10).max(s.floor());
    while k > low && s.b[k - 1].is_ascii_alphabetic() {
        k -= 1;
    }
    if listed(DWELLING, &s.b[k..start - 1]) { k } else { start }
}

/// A street's name from `i`: a starter and names, or names and a suffix.
fn street(s: &Scan<'_>, i: usize, comma: bool) -> Option<usize> {
    let first = word(s, i);
    if listed(STARTER, &s.b[i..first]) && (comma || !s.at(i).is_ascii_uppercase() || listed(SOUTHERN, &s.b[i..first])) {
        return names(s, first);
    }
    if !capital(s, i) && !s.at(i).is_ascii_digit() {
        return None;
    }
    let address = s.cues.near(bit::ADDRESS, i, 64).is_some();
    let (mut j, mut k) = (i, first);
    for n in 0..5 {
        if k == j {
            return None;
        }
        let w = &s.b[j..k];
        if n > 0 && w.len() > 1 && listed(SUFFIX, w) {
            let small = w[0].is_ascii_lowercase();
            let certain = listed(SURE, w);
            let more = s.at(k) == b' ' && capital(s, k + 1) && {
                let next = word(s, k + 1);
                listed(SUFFIX, &s.b[k + 1..next])
            };
            if (certain || address || !small) && !more {
                let dot = s.at(k) == b'.' && w.len() <= 4;
                // A last word that is no certain suffix needs an end: `12 Oak Hill Partners` is a firm.
                let ended = certain
                    || address
                    || !(s.at(k) == b' ' && capital(s, k + 1))
                    || listed(UNIT, &s.b[k + 1..word(s, k + 1)]);
                return ended.then_some(k + usize::from(dot));
            }
        }
        if s.at(k) == b'.' && k - j <= 3 {
            k += 1;
        }
        if s.at(k) != b' ' {
            return None;
        }
        j = k + 1;
        k = word(s, j);
        if !(capital(s, j) || listed(CONNECTOR, &s.b[j..k]) || listed(SUFFIX, &s.b[j..k])) {
            return None;
        }
    }
    None
}

/// The names behind a starter such as `rue`.
fn names(s: &Scan<'_>, mut end: usize) -> Option<usize> {
    let mut last = None;
    if s.at(end) == b'.' {
        end += 1;
    }
    for _ in 0..6 {
        if s.at(end) != b' ' {
            break;
        }
        let j = end + 1;
        let k = word(s, j);
        if k == j {
            break;
        }
        let w = &s.b[j..k];
        let elided = w.len() > 2 && w[1] == b'\'' && capital(s, j + 2);
        if capital(s, j) || elided {
            last = Some(k);
        } else if !(listed(CONNECTOR, w) || s.at(j).is_ascii_digit() && k - j <= 2) {
            break;
        }
        end = k;
    }
    last
}

/// `Apt. 12`, `, Suite 4`, `#5`, `, 2º B`, ` A 4` behind a street.
pub(super) fn unit(s: &Scan<'_>, end: usize) -> usize {
    let mut i = end;
    if s.at(i) == b',' {
        i += 1;
    }
    if s.at(i) != b' ' {
        return end;
    }
    i += 1;
    if let Some(to) = storey(s, i) {
        return to;
    }
    if s.at(i) == b'#' {
        i += 1;
    } else {
        let k = word(s, i);
        if !listed(UNIT, &s.b[i..k]) || &s.b[i..k] == b"FL" {
            return end;
        }
        i = k;
        if s.at(i) == b'.' {
            i += 1;
        }
        if s.at(i) == b' ' {
            i += 1;
        }
    }
    let len = s.b[i.min(s.b.len())..].iter().take(6).take_while(|b| is_alnum(**b)).count();
    if len > 0 && s.b[i..i + len].iter().any(u8::is_ascii_digit) || len == 1 { i + len } else { end }
}

/// `2º B`, `3ª dcha`, `2. tv`, `A 4`: a storey and a door, as in Spain, Denmark and Finland.
fn storey(s: &Scan<'_>, i: usize) -> Option<usize> {
    let digits = (0..2).take_while(|n| s.at(i + n).is_ascii_digit()).count();
    if digits == 0 {
        let stair = s.at(i).is_ascii_uppercase() && s.at(i + 1) == b' ';
        let door = (2..5).take_while(|n| s.at(i + n).is_ascii_digit()).count();
        return (stair && door > 0 && !is_word(s.at(i + 2 + door))).then_some(i + 2 + door);
    }
    let mark = i + digits;
    let side = match (s.at(mark), s.at(mark + 1)) {
        (b'.', b' ') => mark + 2,
        (0xc2, 0xba | 0xaa | 0xb0) if s.at(mark + 2) == b' ' => mark + 3,
        _ => return None,
    };
    const SIDES: [&[u8]; 10] = [b"tv", b"th", b"mf", b"sal", b"izq", b"dcha", b"izda", b"dto", b"esq", b"der"];
    let to = word(s, side);
    let door = to == side + 1 && s.at(side).is_ascii_uppercase() || SIDES.contains(&&s.b[side..to]);
    door.then_some(to)
}

/// A house number at `start..end` with the street before it.
#[inline]
pub(crate) fn number_last(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    if s.before(start) != b' ' || start < 4 || end - start > 5 {
        return None;
    }
    let tail = s.b[start - 2];
    if !(is_word(tail) || tail == b'.' || tail == b',') {
        return None;
    }
    street_before(s, start, end)
}

fn street_before(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let to = number_tail(s, end);
    let goes_on = matches!(s.at(to), b'.' | b'-' | b'/') && s.at(to + 1).is_ascii_digit();
    if is_word(s.at(to)) || matches!(s.at(to), b'%' | b':') || goes_on {
        s.ahead.homeless(start);
        return None;
    }
    let low = start.saturating_sub(72).max(s.floor());
    let mut from = start - 1;
    let mut first = true;
    for _ in 0..6 {
        let stop = from;
        let mut k = from;
        while k > low
            && (is_word(s.b[k - 1])
                || matches!(s.b[k - 1], b'-' | b'\'' | b'/') && is_word(s.at(k))
                || (s.b[k - 1] == b'.' || s.b[k - 1] == b',') && k == stop)
        {
            k -= 1;
        }
        let w = s.b[k..stop].strip_suffix(b",").unwrap_or(&s.b[k..stop]);
        if w.is_empty() || k == low && low > 0 && low != s.floor() {
            return None;
        }
        if first {
            if !capital(s, k) {
                let word = w.len() < 10 && !w[0].is_ascii_digit();
                let named = word && k >= 2 && s.b[k - 1] == b' ' && listed(LATE, w);
                return if named { label::late(s, k, to, low) } else { None };
            }
            if w == b"Box"
                && (s.b[..k].ends_with(b"PO ") || s.b[..k].ends_with(b"P.O. ") || s.b[..k].ends_with(b"P. O. "))
            {
                let from = k - if s.b[..k].ends_with(b"PO ") {
                    3
                } else if s.b[..k].ends_with(b"P.O. ") {
                    5
                } else {
                    6
                };
                return Some(s.hit(Kind::StreetAddress, from, to, 85));
            }
            // `PSC 7951, Box 9972`, `Unit 0822 Box 8858`: mail of armed forces.
            if w == b"Box"
                && let Some(from) = label::military(s, k)
            {
                return Some(s.hit(Kind::StreetAddress, from, to, 80));
            }
            if let Some(score) = ending(s, k, w) {
                let from = adjectives(s, k, low);
                return Some(s.hit(Kind::StreetAddress, from, to, score));
            }
        }
        if first && listed(LATE, w) && k >= 2 && s.b[k - 1] == b' ' {
            return label::late(s, k, to, low);
        }
        let starter = w.strip_suffix(b".").unwrap_or(w);
        if !first
            && listed(STARTER, starter)
            && !(starter.len() <= 3
                && w.last() != Some(&b'.')
                && starter != b"rua"
                && starter != b"Rua"
                && starter != b"Via"
                && starter != b"rue")
        {
            return Some(s.hit(Kind::StreetAddress, k, to, 75));
        }
        if !(capital(s, k) || !first && listed(CONNECTOR, w)) || k < 2 || s.b[k - 1] != b' ' {
            return None;
        }
        first = false;
        from = k - 1;
    }
    None
}

/// Whether a word ends like a street, and how sure that is.
fn ending(s: &Scan<'_>, at: usize, w: &[u8]) -> Option<u8> {
    let last = *w.last()?;
    if !matches!(
        last,
        b'e' | b'.' | b'r' | b'g' | b'z' | b'm' | b't' | b'n' | b'l' | b'f' | b'a' | b'j' | b'u' | b'd' | b'i'
    ) {
        return None;
    }
    for &end in &ENDINGS {
        let (n, m) = (w.len(), end.len());
        if n < m || !w[n - m..].eq_ignore_ascii_case(end.as_bytes()) {
            continue;
        }
        let separate = n == m || w[n - m - 1] == b'-';
        // `Straße 5` alone is no street, and `Spring 2024` no address.
        if n == m {
            return None;
        }
        if n - m < 3 || !capital(s, at) {
            continue;
        }
        if COMMON_ENDINGS.contains(&end) && !separate {
            let cued = s.cues.near(bit::ADDRESS | bit::ZIP | bit::PHONE | bit::EMAIL, at, 64).is_some();
            let english = matches!(
                w,
                b"Spring"
                    | b"String"
                    | b"Monitoring"
                    | b"Scoring"
                    | b"Filtering"
                    | b"Engineering"
                    | b"During"
                    | b"Ordering"
            );
            return (cued || end == "weg" || end == "platz" || !english && end == "ring" && w.contains(&b'-'))
                .then_some(65);
        }
        return Some(if separate { 75 } else { 80 });
    }
    None
}

/// `Alte`, `Große`, `Am` before the street's name.
fn adjectives(s: &Scan<'_>, at: usize, low: usize) -> usize {
    let mut from = at;
    for _ in 0..2 {
        if from < 2 || s.b[from - 1] != b' ' {
            break;
        }
        let mut k = from - 1;
        while k > low && is_word(s.b[k - 1]) {
            k -= 1;
        }
        if !listed(ADJECTIVE, &s.b[k..from - 1]) || !capital(s, k) {
            break;
        }
        from = k;
    }
    from
}

/// `12a`, `12-14`, `4/5` behind the first digits of a house number.
pub(super) fn number_tail(s: &Scan<'_>, end: usize) -> usize {
    let mut i = end;
    if matches!(s.at(i), b'/' | b'-') {
        let len = s.b[i + 1..].iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        if (1..=4).contains(&len) {
            i += 1 + len;
        }
    }
    if s.at(i).is_ascii_alphabetic() && !is_word(s.at(i + 1)) {
        i += 1;
    }
    i
}

/// `Flat 01E, Wade Drive`: a word for a unit stands before `end`.
pub(crate) fn unit_first(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    if s.at(end) != b' ' || !capital(s, start) {
        return None;
    }
    let number = s.b[end + 1..].iter().take(6).take_while(|b| is_alnum(**b)).count();
    let mut i = end + 1 + number;
    if number == 0 || !s.b[end + 1..i].iter().any(u8::is_ascii_digit) || s.at(i) != b',' && s.at(i) != b'\n' {
        return None;
    }
    i += 1;
    if s.at(i) == b' ' {
        i += 1;
    }
    let digits = s.b[i.min(s.b.len())..].iter().take(6).take_while(|b| b.is_ascii_digit()).count();
    if digits > 0 && s.at(i + digits) == b' ' {
        i += digits + 1;
    }
    let to = street(s, i, false)?;
    Some(s.hit(Kind::StreetAddress, start, to, 80))
}

/// A street without a number, next to a cue for an address: `start..end` is `rue`, `boulevard`, `via`.
pub(crate) fn road(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    // An address right behind a mailbox or a telephone number belongs to them.
    if s.cues.near(bit::ADDRESS, start, 24).is_none() && s.cues.near(bit::EMAIL | bit::PHONE, start, 3).is_none() {
        return None;
    }
    let to = names(s, end)?;
    // `Plaza de España 3, 2º B`.
    let number = to + 1 + usize::from(s.at(to) == b',');
    let digits = (0..5).take_while(|n| s.at(number + n).is_ascii_digit()).count();
    let tail = number_tail(s, number + digits);
    let numbered = s.at(number - 1) == b' ' && (1..=4).contains(&digits) && !is_word(s.at(tail));
    let to = if numbered { unit(s, tail) } else { to };
    Some(s.hit(Kind::StreetAddress, start, to, 70))
}
