//! Passwords, tokens and keys next to a word that says so.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::pii::entity::Kind;
use crate::pii::scan::class::{is_alnum, is_word};
use crate::pii::scan::cue::{CueTable, Cues, bit};
use crate::pii::scan::{Scan, value_end};

use super::look::{
    CAPITALS, DIGITS, HEX, Look, SMALL, all_hex, code_like, entropic, look, prose, random, set, strong_mix,
    strongly_mixed, uuid,
};
use super::secret::{run, seen_to};

/// Longer values are masked up to here; a secret that long has a prefix or a frame of its own.
const VALUE_MAX: usize = 4096;

/// How much of a value is looked at to say whether it is a secret; a rejected one may be looked at again behind every cue inside of it.
const JUDGED: usize = 256;

/// How much of one where values inside of values have used up what may be looked at.
const GLANCED: usize = 24;

/// How much of the value at `from` may be looked at.
fn window(s: &mut Scan<'_>, from: usize) -> usize {
    if s.cues.credit(from) >= JUDGED { JUDGED } else { GLANCED }
}

/// How the value hangs on its cue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    /// `password=`, `"token": "`, `--secret `.
    Assigned,
    /// `the password is`.
    Is,
    /// Only a space.
    Bare,
}

/// Where the value behind a cue that ends at `end` begins, and the quote it stands in.
fn link(s: &Scan<'_>, end: usize) -> Option<(usize, Link, u8)> {
    let mut i = end;
    // The closing quote of a key, the bracket of an index.
    while matches!(s.at(i), b'"' | b'\'' | b'`' | b']' | b'*') && i < end + 3 {
        i += 1;
    }
    let closed = i > end;
    // `<add key="ApiKey" value="…" />`.
    if closed && s.starts(i, b" value=") {
        let quote = s.at(i + 7);
        let quoted = matches!(quote, b'"' | b'\'');
        return Some((i + 7 + usize::from(quoted), Link::Assigned, if quoted { quote } else { 0 }));
    }
    if s.at(i) == b':' && s.at(i + 1) == b':' {
        // A path in a program.
        return None;
    }
    let mut j = i;
    while matches!(s.at(j), b' ' | b'\t') && j < i + 6 {
        j += 1;
    }
    let mut how = match s.at(j) {
        b':' | b'=' => {
            j += 1;
            while matches!(s.at(j), b'=' | b'>' | b':') && j < i + 9 {
                j += 1;
            }
            Link::Assigned
        }
        b'-' if s.at(j + 1) == b'>' => {
            j += 2;
            Link::Assigned
        }
        0xef if s.starts(j, "：".as_bytes()) => {
            j += 3;
            Link::Assigned
        }
        _ if j > i => Link::Bare,
        // In writing without spaces the value follows at once.
        b if i > 0 && s.b[i - 1] >= 0x80 && b < 0x80 && b > b' ' => Link::Is,
        b'>' => {
            j += 1;
            Link::Assigned
        }
        _ => return None,
    };
    let from = j;
    while matches!(s.at(j), b' ' | b'\t') && j < from + 8 {
        j += 1;
    }
    if how == Link::Bare {
        match said(s, j) {
            Some(to) => {
                j = to;
                how = Link::Is;
            }
            None if closed => return None,
            None => {}
        }
    }
    // `=\n  value` does not count, but a quote does.
    let quote = match s.at(j) {
        q @ (b'"' | b'\'' | b'`') => {
            j += 1;
            q
        }
        // `token - 'value'`.
        b'-' if how == Link::Bare && s.at(j + 1) == b' ' && matches!(s.at(j + 2), b'"' | b'\'') => {
            how = Link::Assigned;
            j += 3;
            s.b[j - 1]
        }
        _ => 0,
    };
    Some((j, how, quote))
}

/// Words that say that the value follows.
const IS: &str =
    "is was ist es est are lautet è é to set jest now 은 は er är on je este είναι היא הוא คือ है هي هو là adalah is: =";

/// Words that may stand before them.
const BETWEEN: &str =
    "for the my our your new old temporary μου mea mea mi mia meu minha per pour para til für till dla do שלי";

/// Both, compiled.
static SAYING: LazyLock<CueTable> = LazyLock::new(|| CueTable::compile(&[(IS, SAYS), (BETWEEN, MAY_STAND)]));
const SAYS: Cues = 1;
const MAY_STAND: Cues = 2;

/// Where the value begins behind `is`, `for the server is` and the like; `j` is behind the space after the cue.
fn said(s: &Scan<'_>, j: usize) -> Option<usize> {
    let mut i = j;
    let mut any = false;
    for _ in 0..4 {
        let len = s.b[i..].iter().take(20).take_while(|b| is_word(**b)).count();
        let word = s.b.get(i..i + len).filter(|w| !w.is_empty())?;
        if !matches!(s.at(i + len), b' ' | b':') {
            return None;
        }
        let bits = SAYING.get(word);
        if bits & SAYS != 0 {
            i += len + 1;
            while matches!(s.at(i), b' ' | b':') && i < j + 48 {
                i += 1;
            }
            return Some(i);
        }
        if i == j && word.eq_ignore_ascii_case(b"for") {
            let mut to = i + len + 1;
            while matches!(s.at(to), b' ' | b':') && to < i + len + 4 {
                to += 1;
            }
            // `password for x7Gk…` as well as `password for the server is …`.
            let next = s.b[to..].iter().take(32).take_while(|b| is_word(**b)).count();
            let rest = &s.b[to..to + next];
            if !rest.iter().all(u8::is_ascii_lowercase) {
                return Some(to);
            }
            any = true;
        } else if bits & MAY_STAND == 0 && !any {
            return None;
        }
        i += len + 1;
    }
    None
}

/// Where a value that begins at `from` ends.
fn extent(s: &mut Scan<'_>, from: usize, quote: u8, most: usize) -> usize {
    if quote != 0 {
        let end = run(s, from, most, |b| b != quote && b != b'\n' && b != b'\r');
        s.cues.charge(end - from);
        if s.at(end) == quote {
            return end;
        }
    }
    let mut end = seen_to(s, from, value_end(&s.b[..s.b.len().min(from + most)], from));
    s.cues.charge(end - from);
    // The next parameter of a query.
    let mut k = from;
    while let Some(next) = memchr::memchr3(b'&', b';', b',', &s.b[k..end]) {
        k += next;
        let name = s.b[k + 1..end].iter().take(24).take_while(|b| is_alnum(**b) || matches!(b, b'_' | b'-')).count();
        if name > 0 && matches!(s.at(k + 1 + name), b'=' | b':') {
            end = k;
            break;
        }
        k += 1;
    }
    // `…7Lです`: the sentence goes on in a script without spaces.
    if !s.b[from..end].is_ascii()
        && s.b[from].is_ascii()
        && let Some(k) = s.b[from..end].iter().position(|b| matches!(b, 0xe0 | 0xe3..=0xed))
    {
        end = from + k;
    }
    while end > from && matches!(s.b[end - 1], b',' | b';' | b'.' | b')' | b']' | b'}' | b':' | b'?') {
        end -= 1;
    }
    end
}

/// Words that stand for a value that is not there, or that a program has in its place.
static WORDS: LazyLock<CueTable> = LazyLock::new(|| {
    const WORDS: &str = "usize u32 u64 i32 i64 bool int char impl const option std null \
        none nil true false undefined required optional string password passwd secret token changed \
        reset expired invalid missing wrong incorrect redacted hidden empty here yes no n/a \
        na text value str bytes not must should the your a an and";
    CueTable::compile(&[(WORDS, 1)])
});

/// A value that stands for one that is not there.
fn placeholder(value: &[u8], l: &Look) -> bool {
    const MASKS: u128 = set(b"*xX.-_#");
    let masked = l.within(MASKS) || l.high == value.len() && value.iter().all(|b| matches!(b, 0xe2 | 0x80 | 0xa2));
    let variable = value.starts_with(b"${")
        || value.starts_with(b"$(")
        || value.starts_with(b"{{")
        || value.starts_with(b"<")
        || value.starts_with(b"%(")
        || value.starts_with(b"process.env")
        || value.starts_with(b"os.environ");
    masked || variable || WORDS.get(value) != 0
}

/// A cue stands at `start..end`: the value behind it, if that is a secret.
pub(crate) fn after(s: &mut Scan<'_>, start: usize, end: usize, bits: Cues) -> Option<usize> {
    // `"$PWD:/src"`.
    if s.before(start) == b'$' && &s.b[start..end] == b"PWD" {
        return None;
    }
    let (from, how, quote) = link(s, end)?;
    if s.at(from) == b'[' && super::mask_at(s, from).is_some() {
        return None;
    }
    if bits & bit::BEARER != 0 {
        return bearer(s, from, how);
    }
    if bits & bit::BASIC != 0 {
        return basic(s, from);
    }
    let most = window(s, from);
    let to = extent(s, from, quote, most);
    // `sku=AZN-2347-PW amount=3602,15`: the next field, and no password.
    let field = s.b[from..to]
        .iter()
        .position(|b| *b == b'=')
        .is_some_and(|at| at > 1 && s.b[from..from + at].iter().all(|b| b.is_ascii_lowercase() || *b == b'_'));
    // `--password …`, but not `one-time-password …`.
    let option = how == Link::Bare && s.before(start) == b'-' && option(s, start);
    if how == Link::Bare && (field || s.before(start) == b'-' && !option) {
        return None;
    }
    let how = if option { Link::Is } else { how };
    // `apikey: 3a16750d-…`, `SNYK_TOKEN=3a16750d-…`: some keys are UUIDs.
    if how == Link::Assigned && uuid(&s.b[from..to]) && keyed(s, start, end, bits) {
        return Some(s.hit(Kind::HighEntropy, from, to, 70));
    }
    let kind = judge(s, end, from, to, how, quote, bits)?;
    // What was looked at is the beginning of a longer one.
    let to = if to - from == most { seen_to(s, to, value_end(&s.b[..s.b.len().min(to + VALUE_MAX)], to)) } else { to };
    Some(s.hit(kind, from, to, if how == Link::Assigned { 90 } else { 75 }))
}

/// Whether the word at `start`, with a hyphen before it, is the end of an option on a command line.
fn option(s: &Scan<'_>, start: usize) -> bool {
    let low = start.saturating_sub(40);
    let name = s.b[low..start].iter().rev().take_while(|b| is_alnum(**b) || matches!(b, b'-' | b'_')).count();
    let from = start - name;
    s.b[from] == b'-'
        && (from == 0 || matches!(s.b[from - 1], b' ' | b'\t' | b'\n' | b'"' | b'\'' | b'`' | b'[' | b'('))
}

/// Whether a cue says that a UUID behind it is a secret: `api_key`, `SNYK_TOKEN`, `X-Server-Token`; not `token` or `page_token`.
fn keyed(s: &Scan<'_>, start: usize, end: usize, bits: Cues) -> bool {
    let near = s.cues.all(end, 24);
    let word = &s.b[start..end];
    let has = |part: &[u8]| word.windows(part.len()).any(|w| w.eq_ignore_ascii_case(part));
    if has(b"key") {
        return bits & bit::SECRET != 0 || near & bit::STRENGTHENS != 0 && near & bit::HARMLESS == 0;
    }
    let composed = word.len() > 6 || s.before(start) == b'-';
    composed && near & (bit::HARMLESS | bit::NEGATIVE) == 0 && (has(b"token") || has(b"secret"))
}

/// Whether the value at `from..to` is a secret, and which.
fn judge(s: &Scan<'_>, cue: usize, from: usize, to: usize, how: Link, quote: u8, bits: Cues) -> Option<Kind> {
    let value = &s.b[from..to];
    // Whatever is drawn at random has a digit; all but what is said to be one, and those of one length.
    let drawn = || value.iter().any(u8::is_ascii_digit) || value.len() == 40 || how == Link::Is && value.len() >= 32;
    if value.len() < 4 || bits & bit::PASSWORD == 0 && !drawn() {
        return None;
    }
    // A password has letters, if only a word says that it is one.
    if bits & bit::PASSWORD != 0 && how != Link::Assigned && !value.iter().any(u8::is_ascii_alphabetic) {
        return None;
    }
    let l = look(value);
    if placeholder(value, &l) || l.may_have(b'/') && value.windows(3).any(|w| w == b"://") {
        return None;
    }
    // What an earlier scrub has looked at; judging the rest of it anew would not come to the same end.
    if l.may_have(b'[') && (from..to).any(|i| s.b[i] == b'[' && super::mask_at(s, i).is_some()) {
        return None;
    }
    // A secret with a name of its own is found under it.
    if value.starts_with(b"eyJ") || value.starts_with(b"-----") {
        return None;
    }
    if bits & bit::PASSWORD != 0 {
        return password(s, value, &l, how, quote, to).then_some(Kind::Password);
    }
    drawn_at_random(s, cue, value, &l, how, quote, bits)
}

/// Whether a value behind a word for a password is one.
fn password(s: &Scan<'_>, value: &[u8], l: &Look, how: Link, quote: u8, to: usize) -> bool {
    match how {
        Link::Assigned => {
            let word = l.digits == 0 && l.other == 0 && !l.humps;
            // `Password: must be …` is prose; a mask may stand for a word, too.
            let word_next = || s.at(to + 1).is_ascii_lowercase() || super::mask_at(s, to + 1).is_some();
            let sentence = word && quote == 0 && s.at(to) == b' ' && word_next() && !prose_end(s, to);
            !sentence && !code_like(value, l)
        }
        Link::Is | Link::Bare => {
            value.len() >= 6
                && (how == Link::Is || !option_like(value))
                && !version(value)
                && random(value, l)
                && !prose(l)
                && (how == Link::Is || l.digits > 0)
                && !code_like(value, l)
        }
    }
}

/// `-p4`, `--no-tls1.2`, `--out=/tmp/a1`: what follows the word on a command line.
fn option_like(value: &[u8]) -> bool {
    value[0] == b'-' && value.iter().all(|b| is_word(*b) || matches!(b, b'-' | b'=' | b'.' | b'/' | b':' | b','))
}

/// `1:4.13+dfsg1-1`, `2.0.6`.
fn version(value: &[u8]) -> bool {
    let digits = value.iter().take_while(|b| b.is_ascii_digit()).count();
    digits > 0
        && matches!(value.get(digits), Some(b'.' | b':'))
        && value.get(digits + 1).is_some_and(u8::is_ascii_digit)
}

/// Which secret a value behind another cue is.
fn drawn_at_random(s: &Scan<'_>, cue: usize, value: &[u8], l: &Look, how: Link, quote: u8, bits: Cues) -> Option<Kind> {
    let near = s.cues.all(cue, 24);
    let hex = l.within(HEX);
    let aws = value.len() == 40
        && l.within(DIGITS | CAPITALS | SMALL | set(b"/+"))
        && !hex
        && (entropic(value, l, 40) || strongly_mixed(l));
    // `[A-Za-z0-9]{40}` is a pattern for one.
    let pattern = l.may_have(b'[') && value.windows(3).any(|w| w == b"A-Z" || w == b"a-z");
    if uuid(value) || pattern || !aws && code_like(value, l) {
        return None;
    }
    if bits & bit::SECRET != 0 || bits & bit::KEY != 0 && near & bit::STRENGTHENS != 0 && near & bit::HARMLESS == 0 {
        if aws && (near & bit::AWS != 0 || how != Link::Assigned || bits & bit::SECRET != 0) {
            return Some(Kind::AwsSecret);
        }
        if value.len() == 88 && value.ends_with(b"==") && entropic(value, l, 88) {
            return Some(Kind::Azure);
        }
        let ok = match how {
            Link::Assigned => {
                entropic(value, l, 12)
                    || hex && value.len() >= 24 && l.digits > 0
                    || quote != 0 && value.len() >= 8 && strong_mix(l)
            }
            Link::Is | Link::Bare => {
                entropic(value, l, 16) && strong_mix(l) || hex && value.len() >= 32 && how == Link::Is
            }
        };
        return ok.then_some(Kind::HighEntropy);
    }
    let harmless = near & bit::HARMLESS != 0;
    (how == Link::Assigned && !harmless && !hex && entropic(value, l, 24) && strong_mix(l)).then_some(Kind::HighEntropy)
}

/// A sentence does not go on behind the value: the word after it ends with a `=` or `:`.
fn prose_end(s: &Scan<'_>, to: usize) -> bool {
    let len = s.b[to + 1..].iter().take(32).take_while(|b| is_word(**b) || **b == b'-').count();
    matches!(s.at(to + 1 + len), b'=' | b':')
}

/// RFC 6750.
fn bearer(s: &mut Scan<'_>, from: usize, how: Link) -> Option<usize> {
    let token = |b: u8| is_alnum(b) || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    let most = window(s, from);
    let seen = run(s, from, most, token);
    s.cues.charge(seen - from);
    let value = s.b[from..seen].strip_suffix(b".").unwrap_or(&s.b[from..seen]);
    if value.starts_with(b"eyJ") || how == Link::Is {
        return None;
    }
    if !(value.len() >= 16 && random(value, &look(value)) || value.len() >= 32 && all_hex(value)) {
        return None;
    }
    let to = if seen - from == most { run(s, seen, VALUE_MAX, token) } else { from + value.len() };
    Some(s.hit(Kind::BearerToken, from, to, 90))
}

/// RFC 7617: base64 of `name:password`.
fn basic(s: &mut Scan<'_>, from: usize) -> Option<usize> {
    let most = window(s, from);
    let to = run(s, from, most, |b| is_alnum(b) || matches!(b, b'+' | b'/' | b'='));
    s.cues.charge(to - from);
    let value = &s.b[from..to];
    let body = &value[..value.iter().rposition(|b| *b != b'=').map_or(0, |k| k + 1)];
    if body.len() < 6 {
        return None;
    }
    let decoded = STANDARD_NO_PAD.decode(body).ok()?;
    let text = std::str::from_utf8(&decoded).ok()?;
    let ok = text.contains(':') && !text.contains(char::is_control);
    ok.then(|| s.hit(Kind::BasicAuth, from, to, 95))
}

/// The whole text is the value of a key that is such a cue.
pub(crate) fn whole(s: &mut Scan<'_>, bits: Cues) -> Option<usize> {
    let n = s.b.len();
    if n < 4 || s.b[0] == b'[' && super::mask_at(s, 0) == Some(n) {
        return None;
    }
    if bits & (bit::PASSWORD | bit::SECRET) == 0 {
        return None;
    }
    let spaced = s.b.contains(&b' ');
    if bits & bit::PASSWORD == 0 && spaced {
        return None;
    }
    // A sentence about passwords under a key that has the word in it.
    if spaced && s.b.iter().filter(|b| **b == b' ').count() > 5 {
        return None;
    }
    let kind = judge(s, 0, 0, n, Link::Assigned, b'"', bits)?;
    Some(s.hit(kind, 0, n, 90))
}
