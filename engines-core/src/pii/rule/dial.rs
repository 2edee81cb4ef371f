//! Where in a run of digits a telephone number stands: with a cue, by its form, with its extension.

use crate::pii::entity::Kind;
use crate::pii::scan::Scan;
use crate::pii::scan::class::{fold, is_word};
use crate::pii::scan::cue::{Cues, bit};

use super::chain::Chain;
use super::ids;
use super::mask_at;
use super::number::{Place, REACH, ends};
use super::phone::{DOMESTIC, INTERNATIONAL, START, known_shape};

/// What else a number may be that has a cue.
const OTHERS: Cues = bit::NEGATIVE | bit::VERSION | bit::CARD | bit::BANK | bit::IMEI;

/// Whether the nearest cue within `reach` says that it is a telephone number.
pub(super) fn named(s: &Scan<'_>, at: usize, reach: usize) -> bool {
    s.cues.prefers(bit::PHONE, OTHERS | bit::IP, at, reach)
}

/// Records the number that ends with group `m - 1`, with its extension.
pub(super) fn hit(s: &mut Scan<'_>, c: &Chain, p: &Place, m: usize, score: u8) -> usize {
    let end = c.groups[m - 1].end();
    let to = if m == c.n { extension(s, end) } else { end };
    s.hit(Kind::PhoneNumber, p.start, to, score);
    m
}

/// Whether `x123` follows at once.
pub(super) fn extended(s: &Scan<'_>, end: usize) -> bool {
    if fold(s.at(end)) != b'x' {
        return false;
    }
    let digits = (1..7).take_while(|n| s.at(end + n).is_ascii_digit()).count();
    (1..=5).contains(&digits) && !is_word(s.at(end + 1 + digits))
}

/// Where an extension behind a number ends: `x123`, ` ext. 123`, ` Durchwahl 12`; `end` if there is none.
fn extension(s: &Scan<'_>, end: usize) -> usize {
    const WORDS: [&str; 9] = ["x", "ext", "extension", "extn", "durchwahl", "dw", "poste", "wew", "доб"];
    let mut i = end + usize::from(s.at(end) == b',');
    if s.at(i) == b' ' {
        i += 1;
    }
    let len = (0..16).take_while(|n| is_word(s.at(i + n)) && !s.at(i + n).is_ascii_digit()).count();
    let Some(word) = s.b.get(i..i + len) else { return end };
    if !WORDS.iter().any(|w| w.as_bytes().eq_ignore_ascii_case(word)) {
        return end;
    }
    i += len;
    while matches!(s.at(i), b'.' | b' ' | b':') && i < end + 24 {
        i += 1;
    }
    let digits = (0..7).take_while(|n| s.at(i + n).is_ascii_digit()).count();
    let to = i + digits;
    let number = matches!(s.at(to), b'.' | b'-' | b'/') && s.at(to + 1).is_ascii_digit();
    if (1..=6).contains(&digits) && !is_word(s.at(to)) && !number && !grouped(s, to) { to } else { end }
}

/// Whether two more groups of digits follow: then what is before them is the first of a longer number.
fn grouped(s: &Scan<'_>, to: usize) -> bool {
    let group = |at: usize| (1..7).take_while(|n| s.at(at + n).is_ascii_digit()).count();
    let separates = |at: usize| matches!(s.at(at), b' ' | b'-');
    let first = group(to);
    let next = to + 1 + first;
    separates(to) && first > 2 && separates(next) && group(next) > 1
}

/// Telephone numbers: group behind it, distance of the cue, score.
pub(super) fn phone(s: &Scan<'_>, c: &Chain, k: usize, p: &Place) -> Option<(usize, usize, u8)> {
    let d = c.digits(k, c.n);
    let cue = bit::PHONE;
    if p.plus {
        return international(s, c, k, p);
    }
    if d.len() < 6 || p.glued || d[0] != 0 && is_decimal(c, k) || years(c, k) {
        return None;
    }
    let strong = (s.cues.prefers(cue, OTHERS, p.start, REACH) || labelled_after(s, c.groups[c.n - 1].end()))
        && !(d.len() < 10 && s.cues.prefers(bit::ZIP, bit::PHONE, p.start, 16));
    let weak = !strong && p.recent & ids::CUES == 0 && s.cues.prefers(bit::NUMBER, OTHERS, p.start, 40);
    let distance = if strong { s.cues.near(cue, p.start, REACH).unwrap_or(REACH) } else { 3 * REACH };
    let refused = s.cues.prefers(bit::NEGATIVE | bit::VERSION, cue | bit::NUMBER, p.start, 24);
    if c.lens[k] > 1
        && d.starts_with(&[0, 0])
        && (strong || weak || c.n - k >= 3 && !refused)
        && let Some(m) = longest(s, c, k, true, 2)
    {
        return Some((m, distance, 90));
    }
    // The North American forms need no cue: they are hardly anything else.
    if let Some(m) = american(s, c, k, p, strong || weak) {
        // Right behind the name of another number it is that, with a digit wrong.
        let other = !strong && s.cues.near(ids::CUES, p.start, 10).is_some();
        if strong || weak || !refused && !p.inner && !other {
            return Some((m, distance, if strong { 95 } else { 80 }));
        }
        return None;
    }
    if !strong && !weak && d[0] != 0 && !p.paren {
        return None;
    }
    let Some(m) = longest(s, c, k, false, 0) else {
        let called = weak && s.cues.prefers(bit::CALL, OTHERS, p.start, 16) && matches!(&c.lens[k..c.n], [3, 4]);
        let loosely = (strong || called) && !p.inner;
        return if loosely { loose(s, c, k, p).map(|m| (m, distance, 70)) } else { None };
    };
    let digits = c.digits(k, m);
    let grouped = m - k > 1;
    let dotted = grouped && m - k == 2 && c.groups[k + 1].separator == b'.';
    // One dot is a decimal number, and slashes are dates and fractions.
    if dotted && !(strong && (digits[0] == 0 && digits[1] != 0 || c.lens[k] > 2 && c.lens[k + 1] == 4)) {
        return None;
    }
    let trunk = digits[0] == 0 || p.paren;
    if strong && (digits.len() >= 8 || grouped || trunk) {
        return Some((m, distance, 90));
    }
    // A bare run of digits behind "number" is one only if it is said like one.
    let said = (10..=11).contains(&digits.len())
        && !matches!(s.before(p.start), b'>' | b'=')
        && !s.b[..p.start].ends_with(b"= ")
        && !s.b[..p.start].ends_with(b"> ");
    let called = !s.b[..p.start].ends_with(b"= ")
        && (digits.len() >= 8 || grouped)
        && s.cues.prefers(bit::CALL, OTHERS, p.start, 16);
    if weak && (digits.len() >= 8 && (grouped || trunk && digits.len() >= 9 || said) || called) {
        return Some((m, distance, 75));
    }
    let decimals = (k + 1..m).any(|i| c.groups[i].separator == b'.' && c.lens[i] > 4);
    let local = !p.inner
        && trunk
        && grouped
        && !decimals
        && digits.len() >= 9
        && !refused
        && !matches!(&c.lens[k..m], [4, 4, 4])
        && (m == c.n || c.groups[m].separator != b' ');
    (local && shaped(s, c, k, m, p)).then_some((m, distance, 65))
}

/// ` office`, `-Fax`, ` (mobile)` behind a run that ends at `end`.
pub(super) fn labelled_after(s: &Scan<'_>, end: usize) -> bool {
    const LABELS: [&[u8]; 9] =
        [b"office", b"fax", b"mobile", b"cell", b"home", b"work", b"handy", b"mobil", "numarasından".as_bytes()];
    if !matches!(s.at(end), b' ' | b'-') {
        return false;
    }
    let mut at = end + 1;
    if s.at(at) == b'(' {
        at += 1;
    }
    let first = fold(s.at(at));
    if !matches!(first, b'o' | b'f' | b'm' | b'c' | b'h' | b'w' | b'n') {
        return false;
    }
    let len = (0..16).take_while(|n| is_word(s.at(at + n))).count();
    s.b.get(at..at + len).is_some_and(|word| LABELS.iter().any(|label| label.eq_ignore_ascii_case(word)))
        && (first == b'n' || matches!(s.at(at + len), 0 | b')' | b',' | b'\n' | b'\\' | b';' | b'|'))
}

/// Numbers with a `+`. One that nobody can have been given is still meant as one if it is written like one.
fn international(s: &Scan<'_>, c: &Chain, k: usize, p: &Place) -> Option<(usize, usize, u8)> {
    let cued = p.recent & (bit::PHONE | bit::NUMBER) != 0;
    // `+402646-0740023` is a place on a map.
    if !cued && matches!(&c.lens[k..c.n], [4 | 6, 5 | 7]) && c.groups[k + 1].separator == b'-' {
        return None;
    }
    if let Some(m) = longest(s, c, k, true, 0) {
        let count = c.digits(k, m).len();
        return (count >= 8 || count >= 7 && cued).then_some((m, 0, 100));
    }
    let refused = s.cues.prefers(bit::NEGATIVE | bit::VERSION, bit::PHONE | bit::NUMBER, p.start, 24);
    let d = c.digits(k, c.n);
    let groups = c.n - k;
    let dialled = groups >= 3
        && c.lens[k] <= 3
        && (k + 1..c.n).all(|i| (2..=5).contains(&c.lens[i]) || c.groups[i].separator == b'(')
        || groups == 1 && d.len() >= 11
        || cued;
    let known = !matches!(d, [] | [0, ..] | [1, 0 | 1, ..]) && (10..=15).contains(&d.len());
    (dialled && known && !refused && ends(s, c, c.n)).then_some((c.n, 0, if cued { 80 } else { 60 }))
}

/// A number right behind a word for one, of a country or a form that is not known.
fn loose(s: &Scan<'_>, c: &Chain, k: usize, p: &Place) -> Option<usize> {
    let near = match s.cues.near(bit::PHONE | bit::CALL, p.start, 20) {
        Some(near) => near,
        None if labelled_after(s, c.groups[c.n - 1].end()) => 0,
        None => return None,
    };
    let (n, lens) = (c.n - k, &c.lens[k..c.n]);
    let d = c.digits(k, c.n);
    if p.recent & (bit::NEGATIVE | bit::VERSION | bit::BORN | ids::CUES) != 0 || !ends(s, c, c.n) {
        return None;
    }
    let written = match n {
        // A mask that follows was a part of the run.
        1 => (7..=12).contains(&d.len()) && near <= 3 && !masked_after(s, c.groups[c.n - 1].end()),
        2 => {
            matches!(lens, [3, 4] | [4, 3] | [3, 5] | [2 | 4, 6] | [5, 4..=6] | [2..=4, 7] | [4, 4])
                && c.groups[k + 1].separator != b'/'
                && (c.groups[k + 1].separator != b'.' || lens[1] == 4)
        }
        _ => n <= 6 && lens[1..].iter().all(|n| (2..=5).contains(n)) && lens[0] <= 5,
    };
    (written && (7..=13).contains(&d.len())).then_some(c.n)
}

/// Whether `2015-2017` stands at group `k`.
fn years(c: &Chain, k: usize) -> bool {
    matches!(&c.lens[k..c.n], [4, 4, ..])
        && [k, k + 1].into_iter().all(|i| matches!(c.digits(i, i + 1), [1, 9, ..] | [2, 0, 0..=4, _]))
        && c.groups[k + 1].separator != b' '
}

/// Whether `13.404954` begins at group `k`.
fn is_decimal(c: &Chain, k: usize) -> bool {
    matches!(&c.lens[k..c.n], [1..=3, decimals, ..] if *decimals > 4) && c.groups[k + 1].separator == b'.'
}

/// Whether a mask stands where the run would have gone on.
fn masked_after(s: &Scan<'_>, end: usize) -> bool {
    let gap = (0..3).take_while(|n| matches!(s.at(end + n), b' ' | b'(' | b')' | b'-' | b'.' | b'/')).count();
    gap > 0 && mask_at(s, end + gap).is_some()
}

/// How many groups the longest telephone number from group `k` on has.
fn longest(s: &Scan<'_>, c: &Chain, k: usize, international: bool, skip: usize) -> Option<usize> {
    let automaton = if international { INTERNATIONAL } else { DOMESTIC };
    let mut state = START;
    let mut best = None;
    let mut seen = 0;
    for m in k + 1..=c.n {
        let group = c.groups[m - 1];
        let digits = c.digits(m - 1, m);
        if m > k + 1 && group.separator == b'(' && international && digits == [0] {
            // `+44 (0)20 …`
            continue;
        }
        for digit in digits {
            seen += 1;
            if seen <= skip {
                continue;
            }
            state = automaton.step(state, *digit);
            if state == 0 {
                return best;
            }
        }
        if automaton.accepts(state) && ends(s, c, m) {
            best = Some(m);
        }
    }
    best
}

/// `(212) 555-0100`, `212-555-0100`, `212.555.0100`, `1-212-555-0100`, `+1` aside.
fn american(s: &Scan<'_>, c: &Chain, k: usize, p: &Place, cued: bool) -> Option<usize> {
    let (m, first) = match &c.lens[k..c.n] {
        [3, 3, 4, ..] => (k + 3, k),
        [1, 3, 3, 4, ..] if c.digits(k, k + 1) == [1] => (k + 4, k + 1),
        [3, 1, 3, 3, 4, ..] if c.digits(k, k + 2) == [0, 0, 1, 1] => (k + 5, k + 2),
        _ => return None,
    };
    let last = c.groups[m - 1].separator;
    let middle = c.groups[m - 2].separator;
    let spaced = middle == b' ' && last == b' ' && !p.paren;
    if spaced && !cued || !matches!(last, b'-' | b'.' | b' ') || middle == b'/' || !ends(s, c, m) {
        return None;
    }
    if middle != last && middle != b')' && !(middle == b' ' && last == b'-') {
        return None;
    }
    let d = c.digits(first, m);
    let mut digits = [1; 11];
    digits[1..].copy_from_slice(d);
    if INTERNATIONAL.matches(&digits) {
        return Some(m);
    }
    // Area codes nobody has are common in made-up numbers; parentheses or an extension say what is meant.
    let extended = m == c.n && extension(s, c.groups[m - 1].end()) > c.groups[m - 1].end();
    let meant = p.paren || middle == b')' || extended || cued;
    (d[0] >= 2 && meant && p.recent & ids::CUES == 0).then_some(m)
}

/// Whether the groups `k..m` are how some country writes its numbers.
fn shaped(s: &Scan<'_>, c: &Chain, k: usize, m: usize, p: &Place) -> bool {
    let end = c.groups[m - 1].end();
    let mut shape = [0; 32];
    let Some(text) = s.b.get(p.start..end).filter(|t| t.len() <= 32) else { return false };
    for (slot, b) in shape.iter_mut().zip(text) {
        *slot = if b.is_ascii_digit() { b'd' } else { *b };
    }
    k < m && known_shape(&shape[..text.len()])
}
