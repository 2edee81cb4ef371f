//! Dates of birth: dates next to a cue for birth.

use std::sync::LazyLock;

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::byte_class::{is_word, to_lower};
use crate::scan::cue::{CueTable, Cues};

use super::check_digits::is_date;

/// Fillers and month names, compiled: a month as its number, a filler as `FILLER`.
static DATE_WORDS: LazyLock<CueTable> = LazyLock::new(|| {
    let months = MONTHS.iter().zip(1..).map(|(names, month)| (*names, month));
    let lists: Vec<(&str, Cues)> = months.chain([(FILLERS, FILLER)]).collect();
    CueTable::compile(&lists)
});

const FILLER: Cues = 16;

/// Words that may stand between the cue and the date.
const FILLERS: &str = "on the is was in am at le il el em of date year du den dne dnia day month ist war est le la es era el dia día il giorno em de der den data datum fecha \
    dato született är er on: and my his her their your um circa ca about since d r . d/o yyyy mm dd at birth naissance nascita nascimento geburt nacimiento urodzenia field value : à te в på op στις στα tarihi tarihim tarih dátum dátuma data nașterii narození рождения народження urodzin pe ב- ב la den: dne: dia: was: года року";

/// Month names and their short forms in the languages of the cue words.
const MONTHS: [&str; 12] = [
    "january يناير ינואר בינואר януари जनवरी jan januar janvier janv enero ene gennaio gen januari janeiro stycznia styczeń января ledna jänner janúar január januarie ianuarie januára leden tammikuuta tammikuu Ιανουαρίου ιανουαρίου січня ocak",
    "february فبراير פברואר בפברואר февруари फरवरी फ़रवरी feb februar février fevrier févr febrero febbraio februari fevereiro fev lutego luty февраля února februarie február februára helmikuuta helmikuu Φεβρουαρίου φεβρουαρίου лютого şubat Şubat",
    "march مارس מרץ במרץ март मार्च mar märz maerz mrz mars marzo maart março marca marzec марта března martie március maaliskuuta maaliskuu Μαρτίου μαρτίου березня mart marts",
    "april أبريل ابريل إبريل אפריל באפריל април अप्रैल apr avril avr abril abr aprile kwietnia kwiecień апреля dubna aprilie április Április huhtikuuta huhtikuu Απριλίου απριλίου квітня nisan",
    "may مايو מאי במאי май मई mai mayo maggio mag mei maio maja maj мая května mayıs május toukokuuta toukokuu Μαΐου μαΐου травня maí",
    "june يونيو יוני ביוני юни जून jun juni juin junio giugno giu junho czerwca czerwiec июня června iunie június kesäkuuta kesäkuu Ιουνίου ιουνίου червня haziran",
    "july يوليو יולי ביולי юли जुलाई jul juli juillet juil julio luglio lug julho lipca lipiec июля července iulie július heinäkuuta heinäkuu Ιουλίου ιουλίου липня temmuz",
    "august أغسطس اغسطس אוגוסט באוגוסט август अगस्त aug août aout agosto ago augustus augusti sierpnia sierpień августа srpna augusztus elokuuta elokuu Αυγούστου αυγούστου серпня ağustos Ağustos Août",
    "september سبتمبر ספטמבר בספטמבר септември सितंबर सितम्बर sep sept septembre septiembre settembre set setembro września wrzesień сентября září septembrie szeptember syyskuuta syyskuu Σεπτεμβρίου σεπτεμβρίου вересня eylül Eylül",
    "october أكتوبر اكتوبر אוקטובר באוקטובר октомври अक्टूबर oct oktober okt octobre octubre ottobre ott outubro out października październik октября října octombrie október lokakuuta lokakuu Οκτωβρίου οκτωβρίου жовтня ekim",
    "november نوفمبر נובמבר בנובמבר ноември नवंबर nov novembre noviembre novembro listopada listopad ноября noiembrie marraskuuta marraskuu Νοεμβρίου νοεμβρίου kasım листопада listopadu",
    "december ديسمبر דצמבר בדצמבר декември दिसंबर dec dezember dez décembre decembre diciembre dic dicembre desember dezembro grudnia grudzień декабря prosince decembrie joulukuuta joulukuu Δεκεμβρίου δεκεμβρίου грудня aralık",
];

/// Words before the place of birth.
const PLACE_PREPOSITIONS: [&[u8]; 12] =
    [b"in", b"at", b"a", "à".as_bytes(), b"en", b"em", b"te", b"i", b"w", b"v", "в".as_bytes(), "på".as_bytes()];

fn is_capitalized(word: &[u8]) -> bool {
    word[0].is_ascii_uppercase() || matches!(word[0], 0xc3..=0xc5) || word[0] == 0xd0
}

/// A date right before a word for birth at `at`, as in `1984年2月17日生まれ`.
pub(crate) fn date_before_cue(scan: &mut Scan<'_>, at: usize) -> Option<usize> {
    let end = at - usize::from(scan.byte_before(at) == b' ');
    let low = end.saturating_sub(24);
    let from = (low..end).find(|i| {
        scan.bytes[*i].is_ascii_digit()
            && (*i == 0 || !scan.bytes[*i - 1].is_ascii_digit())
            && date_end(scan, *i).is_some_and(|to| to == end || to == at + 3)
    })?;
    let to =
        if scan.starts_with(at, "日".as_bytes()) || scan.starts_with(at, "일".as_bytes()) { at + 3 } else { end };
    scan.add_finding(EntityKind::DateOfBirth, from, to, 85);
    Some(to)
}

/// Searches for a date within a few words behind a cue that ends at `end`.
pub(crate) fn date_after_cue(scan: &mut Scan<'_>, end: usize) -> Option<usize> {
    let mut i = end;
    let stop = scan.bytes.len().min(end + 64);
    let mut placed = false;
    for _ in 0..8 {
        while i < stop
            && matches!(
                scan.bytes[i],
                b' ' | b':'
                    | b'='
                    | b'"'
                    | b'\''
                    | b'('
                    | b'\t'
                    | b','
                    | b'-'
                    | b'>'
                    | b'|'
                    | b'*'
                    | b'_'
                    | b'.'
                    | b')'
                    | b'/'
            )
        {
            i += 1;
        }
        if i >= stop {
            return None;
        }
        if let Some(to) = date_end(scan, i) {
            return Some(scan.add_finding(EntityKind::DateOfBirth, i, to, 95));
        }
        let start = i;
        while i < stop && is_word(scan.bytes[i]) {
            i += 1;
        }
        // `は`, `是` and the like stand without a space.
        if i > start && scan.bytes[start] >= 0xe0 && i - start <= 18 {
            continue;
        }
        let place = i > start && PLACE_PREPOSITIONS.contains(&&scan.bytes[start..i]);
        placed |= place;
        if i == start || !place && DATE_WORDS.get(&scan.bytes[start..i]) & FILLER == 0 {
            // `née à Lyon le …`: a place between.
            if i > start && placed && is_capitalized(&scan.bytes[start..i]) {
                continue;
            }
            return None;
        }
    }
    None
}

/// Parses a date at `i`; returns its end.
pub(crate) fn date_end(scan: &Scan<'_>, at: usize) -> Option<usize> {
    let (a, j) = parse_digits(scan, at, 4).unwrap_or((0, at));
    let n = j - at;
    if n == 0 {
        return month_first(scan, at);
    }
    let separator = scan.byte_at(j);
    if n == 4 && matches!(separator, b'-' | b'/' | b'.') {
        let gap = |k: usize| usize::from(separator == b'.' && scan.byte_at(k) == b' ');
        let from = j + 1 + gap(j + 1);
        let Some((m, k)) = parse_digits(scan, from, 2) else {
            let (m, k) = parse_month(scan, from)?;
            let (d, to) = parse_digits(scan, k + usize::from(matches!(scan.byte_at(k), b' ' | b'-' | b'/')), 2)?;
            return is_birth_date(scan, a, m, d, to).then_some(to);
        };
        if scan.byte_at(k) != separator {
            return None;
        }
        let (d, to) = parse_digits(scan, k + 1 + gap(k + 1), 2)?;
        return is_birth_date(scan, a, m, d, to).then(|| time_end(scan, to));
    }
    if n == 4 {
        // 1980年5月17日, 19800517.
        if scan.starts_with(j, "年".as_bytes()) || scan.starts_with(j, "년".as_bytes()) {
            let (m, k) = parse_digits(scan, skip_space(scan, j + 3), 2)?;
            let (d, to) = parse_digits(scan, skip_space(scan, k + 3), 2)?;
            let to = if scan.starts_with(to, "日".as_bytes()) || scan.starts_with(to, "일".as_bytes()) {
                to + 3
            } else {
                to
            };
            return (is_date(a, m, d)).then_some(to);
        }
        let (rest, to) = parse_digits(scan, j, 4)?;
        let (m, d) = (rest / 100, rest % 100);
        return (to - j == 4 && is_birth_date(scan, a, m, d, to)).then_some(to);
    }
    if n > 2 {
        return None;
    }
    if matches!(separator, b'-' | b'/' | b'.') && scan.byte_at(j + 1).is_ascii_digit()
        || separator == b'.' && scan.byte_at(j + 1) == b' ' && scan.byte_at(j + 2).is_ascii_digit()
    {
        let gap = usize::from(scan.byte_at(j + 1) == b' ');
        let (b, k) = parse_digits(scan, j + 1 + gap, 2)?;
        if scan.byte_at(k) != separator {
            return None;
        }
        let gap = usize::from(scan.byte_at(k + 1) == b' ');
        let (y, to) = parse_digits(scan, k + 1 + gap, 4)?;
        let len = to - k - 1 - gap;
        let year = match len {
            4 => y,
            2 => 1900 + y,
            _ => return None,
        };
        return (is_birth_date(scan, year, b, a, to) || is_birth_date(scan, year, a, b, to)).then_some(to);
    }
    // 5 January 1980, 5. Januar 1980, 5 de enero de 1980, 5-Jan-1980, 5th of January 1980.
    let mut k = j;
    if matches!(to_lower(scan.byte_at(k)), b's' | b'n' | b'r' | b't')
        && scan.byte_at(k + 1).is_ascii_alphabetic()
        && !is_word(scan.byte_at(k + 2))
    {
        k += 2;
    }
    if scan.byte_at(k) == b'.' {
        k += 1;
    }
    let k = connector_end(scan, k)?;
    let (m, k) = parse_month(scan, k)?;
    let k = if scan.byte_at(k) == b'.' { k + 1 } else { k };
    let k = if scan.byte_at(k) == b',' { k + 1 } else { k };
    let k = connector_end(scan, k)?;
    let (y, to) = parse_digits(scan, k, 4)?;
    let year = if to - k == 2 { 1900 + y } else { y };
    (matches!(to - k, 2 | 4) && is_birth_date(scan, year, m, a, to)).then_some(to)
}

/// The end of the minutes if a date and a time as in ISO 8601 begin at `start`: such a date is not a date of birth and
/// not another number.
pub(crate) fn timestamp_end(scan: &Scan<'_>, start: usize) -> Option<usize> {
    let text: &[u8; 17] = scan.bytes.get(start..)?.first_chunk()?;
    let digits = |at: usize| text[at].is_ascii_digit() && text[at + 1].is_ascii_digit();
    let two = |at: usize| (text[at] & 15) * 10 + (text[at + 1] & 15);
    let shape = text[4] == b'-'
        && text[7] == b'-'
        && matches!(text[10], b'T' | b' ')
        && text[13] == b':'
        && text[16] == b':'
        && [0, 2, 5, 8, 11, 14].into_iter().all(digits);
    (shape && matches!(two(0), 18..=21) && two(5) <= 12 && two(8) <= 31).then_some(start + 16)
}

/// January 5, 1980.
fn month_first(scan: &Scan<'_>, at: usize) -> Option<usize> {
    let (m, j) = parse_month(scan, at)?;
    let j = if scan.byte_at(j) == b'.' { j + 1 } else { j };
    let j = connector_end(scan, j)?;
    let (d, mut k) = parse_digits(scan, j, 2)?;
    if matches!(to_lower(scan.byte_at(k)), b's' | b'n' | b'r' | b't')
        && scan.byte_at(k + 1).is_ascii_alphabetic()
        && !is_word(scan.byte_at(k + 2))
    {
        k += 2;
    }
    if scan.byte_at(k) == b',' {
        k += 1;
    }
    let k = connector_end(scan, k)?;
    let (y, to) = parse_digits(scan, k, 4)?;
    (to - k == 4 && is_birth_date(scan, y, m, d, to)).then_some(to)
}

/// A space, hyphen or slash, and `de`, `of`, `del`.
fn connector_end(scan: &Scan<'_>, at: usize) -> Option<usize> {
    let mut j = at;
    while matches!(scan.byte_at(j), b' ' | b'-' | b'/') && j < at + 2 {
        j += 1;
    }
    for word in ["de ", "of ", "del ", "do "] {
        if scan.starts_with(j, word.as_bytes()) {
            j += word.len();
        }
    }
    Some(j)
}

fn parse_month(scan: &Scan<'_>, at: usize) -> Option<(u32, usize)> {
    // Those of Devanagari begin with E0, and none with another character of three bytes.
    if !(scan.byte_at(at).is_ascii_alphabetic() || (0x80..=0xe0).contains(&scan.byte_at(at))) {
        return None;
    }
    let len = scan.bytes.get(at..)?.iter().take(24).take_while(|b| b.is_ascii_alphabetic() || **b >= 0x80).count();
    let word = scan.bytes.get(at..at + len).filter(|w| w.len() >= 3)?;
    let m = (DATE_WORDS.get(word) & 15) as u32;
    (m != 0).then_some((m, at + len))
}

fn parse_digits(scan: &Scan<'_>, at: usize, most: usize) -> Option<(u32, usize)> {
    let mut j = at;
    let mut v = 0;
    while j < at + most && scan.byte_at(j).is_ascii_digit() {
        v = v * 10 + u32::from(scan.bytes[j] - b'0');
        j += 1;
    }
    (j > at).then_some((v, j))
}

fn skip_space(scan: &Scan<'_>, at: usize) -> usize {
    if scan.byte_at(at) == b' ' { at + 1 } else { at }
}

/// Whether the date can be a date of birth, and ends there.
fn is_birth_date(scan: &Scan<'_>, year: u32, month: u32, day: u32, to: usize) -> bool {
    (1870..=2099).contains(&year) && is_date(year, month, day) && !scan.byte_at(to).is_ascii_digit()
}

/// Extends the date by a time such as `T00:00:00Z`.
fn time_end(scan: &Scan<'_>, to: usize) -> usize {
    if scan.byte_at(to) != b'T' {
        return to;
    }
    let len = scan.bytes[to + 1..]
        .iter()
        .take(24)
        .take_while(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'Z' | b'+'))
        .count();
    to + 1 + len
}
