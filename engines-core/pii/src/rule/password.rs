//! Passwords, tokens and keys next to a word that names them.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::entity::EntityKind;
use crate::scan::byte_class::{is_alnum, is_word};
use crate::scan::cue::{CueTable, Cues, bit};
use crate::scan::{Scan, value_end};

use super::char_stats::{
    CAPITALS, CharStats, DIGITS, HEX, SMALL, all_hex, ascii_set, char_stats, code_like, is_no_prose_word, is_prose,
    is_uuid, looks_random, strong_mix, strongly_mixed,
};
use super::secret::{bounded_run_end, note_run_end};

/// The most bytes of a value that are masked; a longer secret has a prefix or a frame of its own.
const MAX_VALUE_BYTES: usize = 4096;

/// How many bytes of a value are examined to decide whether it is a secret; a rejected value may be examined again
/// behind every cue inside it.
const EXAMINED_BYTES: usize = 256;

/// How many bytes of a value are examined once nested values have used up the budget.
const EXHAUSTED_EXAMINED_BYTES: usize = 24;

/// How many bytes of the value at `from` may be examined.
fn examined_bytes(scan: &mut Scan<'_>, from: usize) -> usize {
    if scan.cues.remaining_credit(from) >= EXAMINED_BYTES { EXAMINED_BYTES } else { EXHAUSTED_EXAMINED_BYTES }
}

/// How the value is connected to its cue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    /// `password=`, `"token": "`, `--secret `.
    Assigned,
    /// `the password is`.
    Is,
    /// Only a space.
    Bare,
}

/// The start of the value behind a cue that ends at `end`, and the quote around the value.
fn link_to_value(scan: &Scan<'_>, end: usize) -> Option<(usize, Link, u8)> {
    let mut i = end;
    // The closing quote of a key, the bracket of an index.
    while matches!(scan.byte_at(i), b'"' | b'\'' | b'`' | b']' | b'*') && i < end + 3 {
        i += 1;
    }
    let closed = i > end;
    // `<add key="ApiKey" value="…" />`.
    if closed && scan.starts_with(i, b" value=") {
        let quote = scan.byte_at(i + 7);
        let quoted = matches!(quote, b'"' | b'\'');
        return Some((i + 7 + usize::from(quoted), Link::Assigned, if quoted { quote } else { 0 }));
    }
    if scan.byte_at(i) == b':' && scan.byte_at(i + 1) == b':' {
        // A path in a program.
        return None;
    }
    let mut j = i;
    while matches!(scan.byte_at(j), b' ' | b'\t') && j < i + 6 {
        j += 1;
    }
    let mut how = match scan.byte_at(j) {
        b':' | b'=' => {
            j += 1;
            while matches!(scan.byte_at(j), b'=' | b'>' | b':') && j < i + 9 {
                j += 1;
            }
            Link::Assigned
        }
        b'-' if scan.byte_at(j + 1) == b'>' => {
            j += 2;
            Link::Assigned
        }
        0xef if scan.starts_with(j, "：".as_bytes()) => {
            j += 3;
            Link::Assigned
        }
        _ if j > i => Link::Bare,
        // In writing without spaces the value follows at once.
        b if i > 0 && scan.bytes[i - 1] >= 0x80 && b < 0x80 && b > b' ' => Link::Is,
        b'>' => {
            j += 1;
            Link::Assigned
        }
        _ => return None,
    };
    let from = j;
    while matches!(scan.byte_at(j), b' ' | b'\t') && j < from + 8 {
        j += 1;
    }
    if how == Link::Bare {
        match value_after_saying(scan, j) {
            Some(to) => {
                j = to;
                how = Link::Is;
            }
            None if closed => return None,
            None => {}
        }
    }
    // `=\n  value` does not count, but a quote does.
    let quote = match scan.byte_at(j) {
        q @ (b'"' | b'\'' | b'`') => {
            j += 1;
            q
        }
        // `token - 'value'`.
        b'-' if how == Link::Bare && scan.byte_at(j + 1) == b' ' && matches!(scan.byte_at(j + 2), b'"' | b'\'') => {
            how = Link::Assigned;
            j += 3;
            scan.bytes[j - 1]
        }
        _ => 0,
    };
    Some((j, how, quote))
}

/// Words that announce the value.
const SAYING_WORDS: &str =
    "is was ist es est are lautet è é to set jest now 은 は er är on je este είναι היא הוא คือ है هي هو là adalah is: =";

/// Words that may stand before them.
const BETWEEN_WORDS: &str =
    "for the my our your new old temporary μου mea mea mi mia meu minha per pour para til für till dla do שלי";

/// Both, compiled.
static LINK_WORDS: LazyLock<CueTable> =
    LazyLock::new(|| CueTable::compile(&[(SAYING_WORDS, SAYING), (BETWEEN_WORDS, BETWEEN)]));
const SAYING: Cues = 1;
const BETWEEN: Cues = 2;

/// Where the value begins behind `is`, `for the server is` and the like; `j` is behind the space after the cue.
fn value_after_saying(scan: &Scan<'_>, from: usize) -> Option<usize> {
    let mut i = from;
    let mut any = false;
    for _ in 0..4 {
        let len = scan.bytes[i..].iter().take(20).take_while(|b| is_word(**b)).count();
        let word = scan.bytes.get(i..i + len).filter(|w| !w.is_empty())?;
        if !matches!(scan.byte_at(i + len), b' ' | b':') {
            return None;
        }
        let bits = LINK_WORDS.get(word);
        if bits & SAYING != 0 {
            i += len + 1;
            while matches!(scan.byte_at(i), b' ' | b':') && i < from + 48 {
                i += 1;
            }
            return Some(i);
        }
        if i == from && word.eq_ignore_ascii_case(b"for") {
            let mut to = i + len + 1;
            while matches!(scan.byte_at(to), b' ' | b':') && to < i + len + 4 {
                to += 1;
            }
            // `password for x7Gk…` as well as `password for the server is …`.
            let next = scan.bytes[to..].iter().take(32).take_while(|b| is_word(**b)).count();
            let rest = &scan.bytes[to..to + next];
            if !rest.iter().all(u8::is_ascii_lowercase) {
                return Some(to);
            }
            any = true;
        } else if bits & BETWEEN == 0 && !any {
            return None;
        }
        i += len + 1;
    }
    None
}

/// Where a value that begins at `from` ends.
fn value_extent(scan: &mut Scan<'_>, from: usize, quote: u8, most: usize) -> usize {
    if quote != 0 {
        let end = bounded_run_end(scan, from, most, |b| b != quote && b != b'\n' && b != b'\r');
        scan.cues.spend_credit(end - from);
        if scan.byte_at(end) == quote {
            return end;
        }
    }
    let mut end = note_run_end(scan, from, value_end(&scan.bytes[..scan.bytes.len().min(from + most)], from));
    scan.cues.spend_credit(end - from);
    // The next parameter of a query.
    let mut k = from;
    while let Some(next) = memchr::memchr3(b'&', b';', b',', &scan.bytes[k..end]) {
        k += next;
        let name =
            scan.bytes[k + 1..end].iter().take(24).take_while(|b| is_alnum(**b) || matches!(b, b'_' | b'-')).count();
        if name > 0 && matches!(scan.byte_at(k + 1 + name), b'=' | b':') {
            end = k;
            break;
        }
        k += 1;
    }
    // `…7Lです`: the sentence goes on in a script without spaces.
    if !scan.bytes[from..end].is_ascii()
        && scan.bytes[from].is_ascii()
        && let Some(k) = scan.bytes[from..end].iter().position(|b| matches!(b, 0xe0 | 0xe3..=0xed))
    {
        end = from + k;
    }
    while end > from && matches!(scan.bytes[end - 1], b',' | b';' | b'.' | b')' | b']' | b'}' | b':' | b'?') {
        end -= 1;
    }
    end
}

/// Words that replace a missing value, or that code has in its place.
static PLACEHOLDER_WORDS: LazyLock<CueTable> = LazyLock::new(|| {
    const WORDS: &str = "usize u32 u64 i32 i64 bool int char impl const option std null \
        none nil true false undefined required optional string password passwd secret token changed \
        reset expired invalid missing wrong incorrect redacted hidden empty here yes no n/a \
        na text value str bytes not must should the your a an and";
    CueTable::compile(&[(WORDS, 1)])
});

/// Whether the value is a placeholder.
fn is_placeholder(value: &[u8], stats: &CharStats) -> bool {
    const MASKS: u128 = ascii_set(b"*xX.-_#");
    let masked = stats.only_from(MASKS)
        || stats.non_ascii == value.len() && value.iter().all(|b| matches!(b, 0xe2 | 0x80 | 0xa2));
    let variable = value.starts_with(b"${")
        || value.starts_with(b"$(")
        || value.starts_with(b"{{")
        || value.starts_with(b"<")
        || value.starts_with(b"%(")
        || value.starts_with(b"process.env")
        || value.starts_with(b"os.environ");
    masked || variable || PLACEHOLDER_WORDS.get(value) != 0
}

/// A cue is at `start..end`: finds the value behind it, if that is a secret.
pub(crate) fn value_after_cue(scan: &mut Scan<'_>, start: usize, end: usize, bits: Cues) -> Option<usize> {
    // `"$PWD:/src"`.
    if scan.byte_before(start) == b'$' && &scan.bytes[start..end] == b"PWD" {
        return None;
    }
    let (from, how, quote) = link_to_value(scan, end)?;
    if scan.byte_at(from) == b'[' && super::mask_at(scan, from).is_some() {
        return None;
    }
    if bits & bit::BEARER != 0 {
        return bearer_token(scan, from, how);
    }
    if bits & bit::BASIC != 0 {
        return basic_credentials(scan, from);
    }
    let most = examined_bytes(scan, from);
    let to = value_extent(scan, from, quote, most);
    // `sku=AZN-2347-PW amount=3602,15`: the next field, and no password.
    let field = scan.bytes[from..to]
        .iter()
        .position(|b| *b == b'=')
        .is_some_and(|at| at > 1 && scan.bytes[from..from + at].iter().all(|b| b.is_ascii_lowercase() || *b == b'_'));
    // `--password …`, but not `one-time-password …`.
    let option = how == Link::Bare && scan.byte_before(start) == b'-' && is_option(scan, start);
    if how == Link::Bare && (field || scan.byte_before(start) == b'-' && !option) {
        return None;
    }
    let how = if option { Link::Is } else { how };
    // `apikey: 3a16750d-…`, `SNYK_TOKEN=3a16750d-…`: some keys are UUIDs.
    if how == Link::Assigned && is_uuid(&scan.bytes[from..to]) && uuid_is_secret(scan, start, end, bits) {
        return Some(scan.add_finding(EntityKind::HighEntropy, from, to, 70));
    }
    let kind = secret_kind(scan, end, from, to, how, quote, bits)?;
    // What was looked at is the beginning of a longer one.
    let to = if to - from == most {
        note_run_end(scan, to, value_end(&scan.bytes[..scan.bytes.len().min(to + MAX_VALUE_BYTES)], to))
    } else {
        to
    };
    Some(scan.add_finding(kind, from, to, if how == Link::Assigned { 90 } else { 75 }))
}

/// Whether the word at `start`, with a hyphen before it, is the end of an option on a command line.
fn is_option(scan: &Scan<'_>, start: usize) -> bool {
    let low = start.saturating_sub(40);
    let name = scan.bytes[low..start].iter().rev().take_while(|b| is_alnum(**b) || matches!(b, b'-' | b'_')).count();
    let from = start - name;
    scan.bytes[from] == b'-'
        && (from == 0 || matches!(scan.bytes[from - 1], b' ' | b'\t' | b'\n' | b'"' | b'\'' | b'`' | b'[' | b'('))
}

/// Whether a cue says that a UUID behind it is a secret: `api_key`, `SNYK_TOKEN`, `X-Server-Token`; not `token` or
/// `page_token`.
fn uuid_is_secret(scan: &Scan<'_>, start: usize, end: usize, bits: Cues) -> bool {
    let near = scan.cues.cues_within(end, 24);
    let word = &scan.bytes[start..end];
    let has = |part: &[u8]| word.windows(part.len()).any(|w| w.eq_ignore_ascii_case(part));
    if has(b"key") {
        return bits & bit::SECRET != 0 || near & bit::SECRET_QUALIFIER != 0 && near & bit::NOT_SECRET == 0;
    }
    let composed = word.len() > 6 || scan.byte_before(start) == b'-';
    composed && near & (bit::NOT_SECRET | bit::NEGATIVE) == 0 && (has(b"token") || has(b"secret"))
}

/// Whether the value at `from..to` is a secret, and which.
fn secret_kind(
    scan: &Scan<'_>,
    cue: usize,
    from: usize,
    to: usize,
    how: Link,
    quote: u8,
    bits: Cues,
) -> Option<EntityKind> {
    let value = &scan.bytes[from..to];
    // Whatever is drawn at random has a digit; all but what is said to be one, and those of one length.
    let drawn = || value.iter().any(u8::is_ascii_digit) || value.len() == 40 || how == Link::Is && value.len() >= 32;
    if value.len() < 4 || bits & bit::PASSWORD == 0 && !drawn() {
        return None;
    }
    // A password has letters, if only a word says that it is one.
    if bits & bit::PASSWORD != 0 && how != Link::Assigned && !value.iter().any(u8::is_ascii_alphabetic) {
        return None;
    }
    let l = char_stats(value);
    if is_placeholder(value, &l) || l.may_contain(b'/') && value.windows(3).any(|w| w == b"://") {
        return None;
    }
    // An earlier scrub has examined this; a new decision on the rest of it would be different.
    if l.may_contain(b'[') && (from..to).any(|i| scan.bytes[i] == b'[' && super::mask_at(scan, i).is_some()) {
        return None;
    }
    // A secret with an entity of its own is found as that entity.
    if value.starts_with(b"eyJ") || value.starts_with(b"-----") {
        return None;
    }
    if bits & bit::PASSWORD != 0 {
        return is_password(scan, value, &l, how, quote, to).then_some(EntityKind::Password);
    }
    random_secret_kind(scan, cue, value, &l, how, quote, bits)
}

/// Whether a value behind a word for a password is one.
fn is_password(scan: &Scan<'_>, value: &[u8], stats: &CharStats, how: Link, quote: u8, to: usize) -> bool {
    match how {
        Link::Assigned => {
            let word = stats.digits == 0 && stats.other == 0 && !stats.camel_case;
            // `Password: must be …` is prose; a mask may replace a word, too.
            let word_next = || scan.byte_at(to + 1).is_ascii_lowercase() || super::mask_at(scan, to + 1).is_some();
            let sentence =
                word && quote == 0 && scan.byte_at(to) == b' ' && word_next() && !value_ends_sentence(scan, to);
            !sentence && !code_like(value, stats)
        }
        Link::Is | Link::Bare => {
            value.len() >= 6
                && (how == Link::Is || !option_like(value))
                && !is_version(value)
                && is_no_prose_word(value, stats)
                && !is_prose(stats)
                && (how == Link::Is || stats.digits > 0)
                && !code_like(value, stats)
        }
    }
}

/// `-p4`, `--no-tls1.2`, `--out=/tmp/a1`: what follows the word on a command line.
fn option_like(value: &[u8]) -> bool {
    value[0] == b'-' && value.iter().all(|b| is_word(*b) || matches!(b, b'-' | b'=' | b'.' | b'/' | b':' | b','))
}

/// `1:4.13+dfsg1-1`, `2.0.6`.
fn is_version(value: &[u8]) -> bool {
    let digits = value.iter().take_while(|b| b.is_ascii_digit()).count();
    digits > 0
        && matches!(value.get(digits), Some(b'.' | b':'))
        && value.get(digits + 1).is_some_and(u8::is_ascii_digit)
}

/// Which secret a value behind another cue is.
fn random_secret_kind(
    scan: &Scan<'_>,
    cue: usize,
    value: &[u8],
    stats: &CharStats,
    how: Link,
    quote: u8,
    bits: Cues,
) -> Option<EntityKind> {
    let near = scan.cues.cues_within(cue, 24);
    let hex = stats.only_from(HEX);
    let aws = value.len() == 40
        && stats.only_from(DIGITS | CAPITALS | SMALL | ascii_set(b"/+"))
        && !hex
        && (looks_random(value, stats, 40) || strongly_mixed(stats));
    // `[A-Za-z0-9]{40}` is a pattern for one.
    let pattern = stats.may_contain(b'[') && value.windows(3).any(|w| w == b"A-Z" || w == b"a-z");
    if is_uuid(value) || pattern || !aws && code_like(value, stats) {
        return None;
    }
    if bits & bit::SECRET != 0
        || bits & bit::KEY != 0 && near & bit::SECRET_QUALIFIER != 0 && near & bit::NOT_SECRET == 0
    {
        if aws && (near & bit::AWS != 0 || how != Link::Assigned || bits & bit::SECRET != 0) {
            return Some(EntityKind::AwsSecret);
        }
        if value.len() == 88 && value.ends_with(b"==") && looks_random(value, stats, 88) {
            return Some(EntityKind::Azure);
        }
        let ok = match how {
            Link::Assigned => {
                looks_random(value, stats, 12)
                    || hex && value.len() >= 24 && stats.digits > 0
                    || quote != 0 && value.len() >= 8 && strong_mix(stats)
            }
            Link::Is | Link::Bare => {
                looks_random(value, stats, 16) && strong_mix(stats) || hex && value.len() >= 32 && how == Link::Is
            }
        };
        return ok.then_some(EntityKind::HighEntropy);
    }
    let harmless = near & bit::NOT_SECRET != 0;
    (how == Link::Assigned && !harmless && !hex && looks_random(value, stats, 24) && strong_mix(stats))
        .then_some(EntityKind::HighEntropy)
}

/// A sentence does not go on behind the value: the word after it ends with a `=` or `:`.
fn value_ends_sentence(scan: &Scan<'_>, to: usize) -> bool {
    let len = scan.bytes[to + 1..].iter().take(32).take_while(|b| is_word(**b) || **b == b'-').count();
    matches!(scan.byte_at(to + 1 + len), b'=' | b':')
}

/// RFC 6750.
fn bearer_token(scan: &mut Scan<'_>, from: usize, how: Link) -> Option<usize> {
    let token = |b: u8| is_alnum(b) || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    let most = examined_bytes(scan, from);
    let seen = bounded_run_end(scan, from, most, token);
    scan.cues.spend_credit(seen - from);
    let value = scan.bytes[from..seen].strip_suffix(b".").unwrap_or(&scan.bytes[from..seen]);
    if value.starts_with(b"eyJ") || how == Link::Is {
        return None;
    }
    if !(value.len() >= 16 && is_no_prose_word(value, &char_stats(value)) || value.len() >= 32 && all_hex(value)) {
        return None;
    }
    let to = if seen - from == most { bounded_run_end(scan, seen, MAX_VALUE_BYTES, token) } else { from + value.len() };
    Some(scan.add_finding(EntityKind::BearerToken, from, to, 90))
}

/// RFC 7617: base64 of `name:password`.
fn basic_credentials(scan: &mut Scan<'_>, from: usize) -> Option<usize> {
    let most = examined_bytes(scan, from);
    let to = bounded_run_end(scan, from, most, |b| is_alnum(b) || matches!(b, b'+' | b'/' | b'='));
    scan.cues.spend_credit(to - from);
    let value = &scan.bytes[from..to];
    let body = &value[..value.iter().rposition(|b| *b != b'=').map_or(0, |k| k + 1)];
    if body.len() < 6 {
        return None;
    }
    let decoded = STANDARD_NO_PAD.decode(body).ok()?;
    let text = std::str::from_utf8(&decoded).ok()?;
    let ok = text.contains(':') && !text.contains(char::is_control);
    ok.then(|| scan.add_finding(EntityKind::BasicAuth, from, to, 95))
}

/// The whole text is the value of a key that is such a cue.
pub(crate) fn whole_value(scan: &mut Scan<'_>, bits: Cues) -> Option<usize> {
    let n = scan.bytes.len();
    if n < 4 || scan.bytes[0] == b'[' && super::mask_at(scan, 0) == Some(n) {
        return None;
    }
    if bits & (bit::PASSWORD | bit::SECRET) == 0 {
        return None;
    }
    let spaced = scan.bytes.contains(&b' ');
    if bits & bit::PASSWORD == 0 && spaced {
        return None;
    }
    // A sentence about passwords under a key that has the word in it.
    if spaced && scan.bytes.iter().filter(|b| **b == b' ').count() > 5 {
        return None;
    }
    let kind = secret_kind(scan, 0, 0, n, Link::Assigned, b'"', bits)?;
    Some(scan.add_finding(kind, 0, n, 90))
}
