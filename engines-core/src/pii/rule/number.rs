//! Runs of digits with single separators between them, and which number they are.
//!
//! The groups of a run are read once; then every place in it where a number may begin is asked for cards, national numbers,
//! telephone numbers and the rest, the most certain first.

use crate::pii::entity::Kind;
use crate::pii::scan::Scan;
use crate::pii::scan::class::is_word;
use crate::pii::scan::cue::{Cues, bit};

use super::card::{self, Issuer};
use super::chain::{Chain, gather};
use super::check::value;
use super::{address, date, dial, hash, hyphen, ids, net, postal, quick, secret};

/// How far before a number a cue may end, in bytes.
pub(crate) const REACH: usize = 48;

/// What surrounds the number that may begin at a group.
pub(super) struct Place {
    /// Where it begins: the first digit.
    pub(super) start: usize,
    /// A `+` stands right before it.
    pub(super) plus: bool,
    /// It begins with `(` and the first group ends with `)`.
    pub(super) paren: bool,
    /// It hangs on a word or a number before it.
    pub(super) glued: bool,
    /// Digits that are no number of their own stand before it.
    pub(super) inner: bool,
    /// The cues within reach.
    pub(super) recent: Cues,
}

/// A word of digits stands at `start..end`.
#[inline(never)]
pub(crate) fn digits(s: &mut Scan<'_>, start: usize, end: usize) -> usize {
    if end - start > 24 {
        return end;
    }
    let next = s.at(end);
    if next == b'-'
        && end - start == 4
        && let Some(to) = date::timestamp(s, start)
        && (!s.cues.any(bit::SORT | bit::BORN | bit::ZIP)
            || s.cues.all(start, REACH) & (bit::SORT | bit::BORN | bit::ZIP) == 0)
    {
        return to;
    }
    if next == b':'
        && (8..=10).contains(&(end - start))
        && let Some(to) = secret::telegram(s, start, end)
    {
        return to;
    }
    if next == b'/'
        && s.at(end + 1) == b'/'
        && let Some(to) = secret::refresh(s, start)
    {
        return to;
    }
    if net::digits_begin(end - start, next)
        && let Some(to) = net::address_hex(s, start, end)
    {
        return to;
    }
    if next == b'$'
        && let Some(to) = hash::crypt(s, start, end)
    {
        return to;
    }
    let short = end - start <= 5;
    // `card=4111+1111+1111+1111` in a query.
    let query = next == b'+' && s.at(end + 1).is_ascii_digit() && s.before(start) == b'=';
    let joined = quick::joined(next, s.at(end + 1)) || query;
    if joined {
        let nothing = if next == b'.' { quick::decimal(s, start, end) } else { None };
        if let Some(to) = nothing.or_else(|| quick::day(s, start, end)) {
            return to;
        }
    }
    if short && !joined {
        if end - start == 5 || s.cues.near(bit::ZIP, start, 24).is_some() {
            let glued = glued_left(s, start) && !country_prefix(s, start);
            if !glued && let Some(to) = postal::postal(s, start, end) {
                return to;
            }
        }
        if let Some(to) = address::number_last(s, start, end) {
            return to;
        }
        let first = if matches!(next, b',' | b'\n' | b' ') && !glued_left(s, start) && s.before(start) != b'+' {
            address::number_first(s, start, end)
        } else {
            None
        };
        return first.unwrap_or(end);
    }
    if !joined && quick::lone(s, start, end) {
        return end;
    }
    let mut chain = Chain::EMPTY;
    gather(s, start, end, &mut chain);
    walk(s, &chain)
}

fn walk(s: &mut Scan<'_>, c: &Chain) -> usize {
    let mut k = 0;
    let mut after_hit = false;
    let mut last = None;
    while k < c.n {
        let first = c.groups[k];
        let free = k == 0 || after_hit || matches!(first.separator, b' ' | b'(');
        if !free {
            k += 1;
            continue;
        }
        let mut place = place(s, c, k);
        place.inner = k > 0 && !after_hit;
        // Nothing has fewer than six digits, except addresses with dots.
        let few = c.n - k < 4 && c.digits(k, c.n).len() < 6;
        if !few {
            place.recent = s.cues.all(place.start, REACH);
        }
        let found = if few { None } else { number(s, c, k, &place) };
        match found {
            Some(m) => {
                after_hit = true;
                last = Some(c.groups[m - 1].end());
                k = m;
            }
            None => {
                after_hit = false;
                if let Some(to) = lonely(s, c, k, &place) {
                    after_hit = true;
                    last = Some(to);
                    if to >= c.groups[c.n - 1].end() {
                        return to;
                    }
                    while k < c.n && c.groups[k].start() < to {
                        k += 1;
                    }
                } else {
                    k += 1;
                }
            }
        }
    }
    // Behind what was found in it a run begins anew, as it does behind a mask.
    match last {
        Some(last) => last.max(s.floor()),
        None => c.groups[c.n - 1].end(),
    }
}

fn glued_left(s: &Scan<'_>, start: usize) -> bool {
    let b = s.before(start);
    match b {
        b'-' | b'.' | b'/' | b'\'' => s.word_before(start - 1),
        b'#' | b'$' | b'_' | b'@' | b'~' | b'^' => true,
        b',' | b':' => start >= 2 && s.b[start - 2].is_ascii_digit() && s.word_before(start - 1),
        _ => false,
    }
}

/// `D-`, `CH-` before a postcode.
fn country_prefix(s: &Scan<'_>, start: usize) -> bool {
    let letters = (2..=3).take_while(|n| start >= *n && s.b[start - n].is_ascii_uppercase()).count();
    s.before(start) == b'-' && letters > 0 && !is_word(s.before(start - letters - 1))
}

fn place(s: &Scan<'_>, c: &Chain, k: usize) -> Place {
    let group = c.groups[k];
    let mut start = group.start();
    let mut plus = false;
    let mut paren = false;
    if s.before(start) == b'(' && (s.at(group.end()) == b')') {
        paren = true;
        start -= 1;
    }
    let before = s.before(start);
    if before == b'+' {
        plus = true;
        start -= 1;
        // `(+44) …`.
        if s.before(start) == b'(' && s.at(group.end()) == b')' {
            start -= 1;
        }
    } else if before == b'(' && start >= 2 && s.b[start - 2] == b'+' {
        plus = true;
        start -= 2;
    }
    let glued = k == 0 && glued_left(s, start);
    Place { start, plus, paren, glued, inner: false, recent: 0 }
}

/// Whether what follows group `m - 1` lets a number end there.
pub(super) fn ends(s: &Scan<'_>, c: &Chain, m: usize) -> bool {
    let end = c.groups[m - 1].end();
    if m < c.n {
        return matches!(c.groups[m].separator, b' ' | b'(' | b')');
    }
    let (b, next) = (s.at(end), s.at(end + 1));
    match b {
        b'-' => !is_word(next),
        // `+44 7400 163403,203.0.113.9`: the next field of a table. `1234567,89` is an amount.
        b',' if next.is_ascii_digit() => field_after(s, c, m, end),
        b'.' | b',' | b':' | b'/' => !next.is_ascii_digit(),
        b'%' | b'@' | b'_' => false,
        b => !is_word(b) || b >= 0x80 || dial::extended(s, end),
    }
}

/// Whether the digits behind a comma at `end` are another field: the number has a `+`, or groups that no amount has.
fn field_after(s: &Scan<'_>, c: &Chain, m: usize, end: usize) -> bool {
    let decimals = (1..4).take_while(|n| s.at(end + n).is_ascii_digit()).count();
    let first = c.groups[0].start();
    let plus = first > 0 && s.b[first - 1] == b'+' || first > 1 && s.b[first - 1] == b'(' && s.b[first - 2] == b'+';
    plus || c.lens[m - 1] > 3 && (decimals > 2 || c.digits(0, m).len() >= 12) || c.lens[0] > 1 && m > 3
}

/// The number that begins at group `k`: the index of the group behind it.
fn number(s: &mut Scan<'_>, c: &Chain, k: usize, p: &Place) -> Option<usize> {
    let lens = &c.lens[k..c.n];
    // Nothing is written as `1 1 …` or has fewer than six digits, except addresses with dots.
    let few = c.digits(k, c.n).len() < 6 || matches!(lens, [1, 1, ..]) && !p.plus;
    if few && !matches!(lens, [_, _, _, _, ..]) {
        return None;
    }
    if quick::none_begins(s, c, k, p) {
        return None;
    }
    let open = |i: usize| c.groups[i].separator == b'(';
    if matches!(lens, [1, 1, 1, ..]) && (c.groups[k + 1].separator == b' ' || open(k + 1) || open(k + 2)) {
        return None;
    }
    if let [1..=3, 1..=3, 1..=3, 1..=3, ..] = lens
        && c.separators_are(k, b"...")
    {
        let octet = |i: usize| c.digits(k + i, k + i + 1).iter().fold(0, |n, d| n * 10 + u32::from(*d));
        let octets = [octet(0), octet(1), octet(2), octet(3)];
        let five = lens.len() > 4 && c.groups[k + 4].separator == b'.';
        let padded = (0..4).any(|i| lens[i] > 1 && c.digits(k + i, k + i + 1)[0] == 0);
        if !five && !padded && !p.plus && !p.paren {
            let end = c.groups[k + 3].end();
            // `12.34.56.78` behind "Tel." is how some countries write their numbers.
            let field = |b: &u8| matches!(b, b'<' | b'\t' | b'|' | b',' | b';');
            let near = &s.b[p.start.saturating_sub(12)..p.start];
            let dialled = lens[..4] == [2, 2, 2, 2] && !near.iter().any(field) && dial::named(s, p.start, 12);
            // A prefix length was read as the fifth group.
            if !dialled && octets.iter().all(|o| *o < 256) {
                let to = net::ipv4(s, c.groups[k].start(), octets, end);
                return to.map(|to| k + c.groups[k..c.n].iter().take_while(|g| g.start() < to).count());
            }
        }
    }
    if matches!(lens, [6, ..] | [2, 2, 2, ..])
        && let Some(to) = hyphen::spaced_nino(s, c, k)
    {
        return Some(k + c.groups[k..c.n].iter().take_while(|g| g.start() < to).count());
    }
    if let Some(m) = sort_code(s, c, k, p) {
        return Some(m);
    }
    if let Some(to) = hyphen::lettered(s, c, k) {
        return Some(k + c.groups[k..c.n].iter().take_while(|g| g.start() < to).count());
    }
    if let Some(m) = date_shape(c, k)
        && p.recent & (bit::SORT | bit::BORN) == 0
    {
        return Some(m);
    }
    if !p.plus {
        if let Some(m) = social(s, c, k, p) {
            return Some(m);
        }
        if let Some(m) = card(s, c, k, p) {
            return Some(m);
        }
    }
    let national = if p.plus { None } else { national(s, c, k, p) };
    // No telephone number is a part of a card, whatever speaks against cards here.
    let split = |m: usize| (k + 1..m).any(|j| m < j + 4 && is_card(c, j));
    let phone = dial::phone(s, c, k, p).filter(|(m, ..)| !split(*m));
    if let Some((m, ..)) = phone
        && m < k + 4
        && is_card(c, k)
        && ends(s, c, k + 4)
    {
        s.hit(Kind::CreditCard, c.groups[k].start(), c.groups[k + 3].end(), 80);
        return Some(k + 4);
    }
    match (national, phone) {
        (Some((kind, m, distance, score)), other) => {
            if let Some((pm, pd, pscore)) = other
                && pd < distance
            {
                return Some(dial::hit(s, c, p, pm, pscore));
            }
            s.hit(kind, c.groups[k].start(), c.groups[m - 1].end(), score);
            Some(m)
        }
        (None, Some((m, _, score))) => Some(dial::hit(s, c, p, m, score)),
        (None, None) => None,
    }
}

/// Dates, and what looks like one.
fn date_shape(c: &Chain, k: usize) -> Option<usize> {
    let m = match &c.lens[k..c.n] {
        [4, 1..=2, 1..=2, ..] | [1..=2, 1..=2, 4, ..] | [2, 2, 2, ..] => k + 3,
        _ => return None,
    };
    let separator = c.one_separator(k, m)?;
    if !matches!(separator, b'-' | b'.' | b'/') || m < c.n && !matches!(c.groups[m].separator, b' ' | b'(' | b')') {
        return None;
    }
    let v = |i: usize| c.digits(k + i, k + i + 1).iter().fold(0_u32, |n, d| n * 10 + u32::from(*d));
    plausible([v(0), v(1), v(2)], (c.lens[k], c.lens[k + 2])).then_some(m)
}

/// Whether three numbers may be a date, the first and the last of which have so many digits.
pub(super) fn plausible([a, b, z]: [u32; 3], (first, last): (u8, u8)) -> bool {
    match first {
        4 => (1800..=2199).contains(&a) && b <= 12 && z <= 31,
        _ => (a <= 31 && b <= 31) && (a <= 12 || b <= 12) && (last == 2 || (1800..=2199).contains(&z)),
    }
}

/// British sort codes, next to their cue.
fn sort_code(s: &mut Scan<'_>, c: &Chain, k: usize, p: &Place) -> Option<usize> {
    if p.recent & bit::SORT == 0 || s.cues.near(bit::SORT, p.start, 24).is_none() {
        return None;
    }
    let m = match &c.lens[k..c.n] {
        [2, 2, 2, ..] if matches!(c.one_separator(k, k + 3), Some(b'-' | b' ')) => k + 3,
        [6, ..] => k + 1,
        _ => return None,
    };
    ends(s, c, m).then(|| {
        s.hit(Kind::UkSortCode, c.groups[k].start(), c.groups[m - 1].end(), 85);
        m
    })
}

/// Social Security numbers and ITINs, by their groups.
fn social(s: &mut Scan<'_>, c: &Chain, k: usize, p: &Place) -> Option<usize> {
    let [3, 2, 4, ..] = &c.lens[k..c.n] else { return None };
    let m = k + 3;
    let separator = c.one_separator(k, m)?;
    if !ends(s, c, m) {
        return None;
    }
    let cued = s.cues.prefers(bit::SSN | bit::ITIN | bit::NATIONAL, bit::NEGATIVE | bit::PHONE, p.start, REACH);
    let refused = p.glued || s.cues.prefers(bit::NEGATIVE, bit::SSN | bit::ITIN, p.start, 24);
    let sure = separator == b'-' && !refused;
    if !(cued || sure) || !matches!(separator, b'-' | b' ' | b'.') || p.paren {
        return None;
    }
    let d = c.digits(k, m);
    let kind = if ids::ssn(d) {
        Kind::UsSsn
    } else if ids::itin(d) {
        Kind::UsItin
    } else {
        return None;
    };
    s.hit(kind, c.groups[k].start(), c.groups[m - 1].end(), if cued { 98 } else { 85 });
    Some(m)
}

/// Payment cards, in one run or grouped.
fn card(s: &mut Scan<'_>, c: &Chain, k: usize, p: &Place) -> Option<usize> {
    let most = (c.n - k).min(5);
    for count in (1..=most).rev() {
        let m = k + count;
        let d = c.digits(k, m);
        if !(12..=19).contains(&d.len()) {
            continue;
        }
        if count > 1 && (!card::grouped(&c.lens[k..m]) || !matches!(c.one_separator(k, m), Some(b' ' | b'-' | b'.'))) {
            continue;
        }
        if p.glued && p.recent & bit::CARD == 0 || !ends(s, c, m) && m == c.n {
            continue;
        }
        if m < c.n && matches!(c.groups[m].separator, b'-' | b'.') || count > 3 && counts_up(c, k, m) {
            continue;
        }
        let issuer = card::issuer(d);
        let against = bit::NEGATIVE | bit::IMEI | bit::NIR | bit::AADHAAR;
        let cued = s.cues.prefers(bit::CARD, against, p.start, REACH);
        // `4300.0020.0011.0002` is more often something else.
        let dots = count > 1 && c.groups[k + 1].separator == b'.';
        let sure = match issuer {
            Issuer::None => false,
            _ if dots && !cued => false,
            Issuer::Strong => cued || !s.cues.prefers(against, bit::CARD, p.start, 28),
            Issuer::Weak => cued,
        };
        if sure {
            let score = if cued { 100 } else { 90 };
            s.hit(Kind::CreditCard, c.groups[k].start(), c.groups[m - 1].end(), score);
            return Some(m);
        }
    }
    None
}

/// Whether a card in four groups of four begins at group `k`.
fn is_card(c: &Chain, k: usize) -> bool {
    c.lens[k..c.n].starts_with(&[4, 4, 4, 4]) && card::issuer(c.digits(k, k + 4)) == Issuer::Strong
}

/// Whether each group is one more than the one before it: a table, not a card.
fn counts_up(c: &Chain, k: usize, m: usize) -> bool {
    let group = |i: usize| value(c.digits(i, i + 1));
    (k + 1..m).filter(|i| group(*i) == group(*i - 1) + 1).count() + 2 >= m - k
}

/// Whether one of these phrases stands in the 40 bytes before a number.
fn says(s: &Scan<'_>, at: usize, phrases: &[&str]) -> bool {
    let before = &s.b[at.saturating_sub(40)..at];
    phrases.iter().map(|phrase| phrase.as_bytes()).any(|phrase| {
        let begins =
            |from: usize| before.get(from..from + phrase.len()).is_some_and(|w| w.eq_ignore_ascii_case(phrase));
        memchr::memchr2_iter(phrase[0], phrase[0].to_ascii_uppercase(), before).any(begins)
    })
}

/// National numbers: kind, group behind it, distance of the cue, score.
fn national(s: &Scan<'_>, c: &Chain, k: usize, p: &Place) -> Option<(Kind, usize, usize, u8)> {
    let cued = p.recent & ids::CUES != 0;
    let shaped = matches!(
        &c.lens[k..c.n],
        [3, 3, 3, 2, ..]
            | [2, 2, 2, 3, 2, ..]
            | [6, 7, ..]
            | [3, 4, 4, 2, ..]
            | [1, 4, 5, 2, 1, ..]
            | [2, 3, 3, 4, 2, ..]
            | [1, 2, 2, 2, 3, 3, 2, ..]
            | [6 | 8, 4, ..]
            | [6, 5, ..]
            | [1..=3, 3, 3, 1, ..]
            | [2, 8, 1, ..]
            | [3, 7, 1, ..]
            | [5, 7, 1, ..]
            | [6, 2, 4, ..]
            | [15 | 18, ..]
    );
    let phrased = p.recent & (bit::NUMBER | bit::FILLER) != 0;
    if !cued && !shaped && !phrased {
        return None;
    }
    let mut best: Option<(Kind, usize, usize, u8)> = None;
    let most = (c.n - k).min(7);
    for count in (1..=most).rev() {
        let m = k + count;
        let d = c.digits(k, m);
        if d.len() > 18 || !cued && !phrased && count == 1 && !matches!(d.len(), 15 | 18) || !ends(s, c, m) {
            continue;
        }
        let which = if cued { u32::MAX } else { ids::known_uncued(d.len()) };
        if which == 0 {
            continue;
        }
        for (i, spec) in ids::with_digits(d.len()).iter().enumerate() {
            if which >> i & 1 == 0 {
                continue;
            }
            let shaped =
                !p.glued && spec.strong.iter().any(|(lens, seps)| &c.lens[k..m] == *lens && c.separators_are(k, seps));
            let alone = spec.alone && count == 1 && !p.glued && s.cues.near(bit::NEGATIVE, p.start, 24).is_none();
            let named = if p.recent & spec.cue != 0 { s.cues.near(spec.cue, p.start, REACH) } else { None };
            // `123-45-6789` is no number of another country.
            let generic = if spec.generic && p.recent & bit::NATIONAL != 0 && !matches!(&c.lens[k..m], [3, 2, 4]) {
                s.cues.near(bit::NATIONAL, p.start, REACH).map(|d| d + 8)
            } else {
                None
            };
            let named = match (named, generic) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            let distance = match named {
                Some(distance) if !s.cues.prefers(bit::NEGATIVE, spec.cue | bit::NATIONAL, p.start, REACH) => distance,
                _ if alone || shaped && !s.cues.prefers(bit::NEGATIVE, spec.cue, p.start, 16) => 2 * REACH,
                _ if !spec.phrases.is_empty() && (spec.check)(d) && says(s, p.start, spec.phrases) => 10,
                _ => continue,
            };
            if best.is_some_and(|b| b.2 <= distance) || !(spec.check)(d) {
                continue;
            }
            // `0.3.1 (2020-12-16)`.
            if c.groups[k + 1..m].iter().any(|g| g.separator == b'(') {
                continue;
            }
            best = Some((spec.kind, m, distance, if distance < 2 * REACH { 95 } else { 80 }));
        }
    }
    best
}

/// A group that is no number of its own: a house number or a postcode.
fn lonely(s: &mut Scan<'_>, c: &Chain, k: usize, p: &Place) -> Option<usize> {
    let group = c.groups[k];
    if p.plus || group.len > 8 {
        return None;
    }
    if !p.glued
        && let Some(to) = postal::postal(s, group.start(), group.end())
    {
        return Some(to);
    }
    if group.len <= 5 {
        if let Some(to) = address::number_last(s, group.start(), group.end()) {
            return Some(to);
        }
        if !p.glued {
            return address::number_first(s, group.start(), group.end());
        }
    }
    None
}
