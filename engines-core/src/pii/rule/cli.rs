//! Passwords on command lines: `curl -u name:password`, `mysql -ppassword`, `sshpass -p password`.

use crate::pii::entity::Kind;
use crate::pii::scan::Scan;

use super::secret::run;

/// How far back the name of the program may stand.
const PROGRAM: usize = 160;
/// How far behind its name an option may stand.
const OPTIONS: usize = 96;
const VALUE_MAX: usize = 128;

/// The name of a program stands at `start..end`: the place behind a password among its first options.
pub(super) fn program(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let name = s.b[start..end].to_ascii_lowercase();
    if name == b"lines" {
        // PuTTY's private keys.
        let key = s.b[..start].ends_with(b"Private-") && s.starts(end, b": ");
        return if key { putty(s, end + 2) } else { None };
    }
    let options = s.b.get(end..)?;
    // Nothing else may be found between the name and the option.
    let plain = options
        .iter()
        .take(OPTIONS)
        .position(|b| matches!(b, b'\n' | b'"' | b'\'' | b'@' | b':' | b'='))
        .unwrap_or(options.len().min(OPTIONS));
    let flag: &[u8] = if name == b"curl" { b" -u" } else { b" -p" };
    let value = end + memchr::memmem::find(&options[..plain], flag)? + flag.len();
    match (name.as_slice(), s.at(value)) {
        (b"curl", _) => pair(s, value),
        (b"sshpass", b' ') => single(s, value + 1),
        (b"sshpass", _) | (_, b' ' | b'\n' | 0) => None,
        _ => single(s, value),
    }
}

/// At `--`: `curl --user name:password`.
pub(super) fn long(s: &mut Scan<'_>, i: usize) -> Option<usize> {
    let option = ["--user", "--proxy-user"].iter().find(|o| s.starts(i, o.as_bytes()))?;
    let from = i + option.len();
    if matches!(s.at(from), b' ' | b'=' | b'\t') && runs(s, i, b"curl") { pair(s, from + 1) } else { None }
}

fn runs(s: &Scan<'_>, at: usize, program: &[u8]) -> bool {
    memchr::memmem::find(&s.b[at.saturating_sub(PROGRAM)..at], program).is_some()
}

/// Where a value begins and ends, without its quotes.
fn word(s: &mut Scan<'_>, from: usize) -> (usize, usize) {
    let mut i = from;
    while s.at(i) == b' ' && i < from + 4 {
        i += 1;
    }
    let quote = s.at(i);
    if matches!(quote, b'"' | b'\'') {
        let to = run(s, i + 1, VALUE_MAX, |b| b != quote && b != b'\n');
        return (i + 1, to);
    }
    let to = run(s, i, VALUE_MAX, |b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'`' | b'|' | b'<' | b'>'));
    (i, to)
}

fn hidden(value: &[u8]) -> bool {
    value.len() < 4
        || value.contains(&b'[')
        || matches!(value[0], b'$' | b'{' | b'<' | b'*' | b'%' | b'[')
        || value == b"password"
}

fn pair(s: &mut Scan<'_>, from: usize) -> Option<usize> {
    let (start, to) = word(s, from);
    let colon = start + s.b[start..to].iter().position(|b| *b == b':')?;
    // The user is masked, and so would be the password.
    if s.b[start..colon].contains(&b'[') {
        return None;
    }
    let mut first = colon + 1;
    // `name:'password'`.
    let end = if matches!(s.at(first), b'"' | b'\'') {
        first += 1;
        to - usize::from(matches!(s.b[to - 1], b'"' | b'\''))
    } else {
        to
    };
    let value = s.b.get(first..end)?;
    if hidden(value) || value.starts_with(b"//") {
        return None;
    }
    Some(s.hit(Kind::Password, first, end, 85))
}

fn single(s: &mut Scan<'_>, from: usize) -> Option<usize> {
    let (start, to) = word(s, from);
    if hidden(&s.b[start..to]) {
        return None;
    }
    Some(s.hit(Kind::Password, start, to, 80))
}

/// The lines between `Private-Lines: n` and `Private-MAC`.
fn putty(s: &mut Scan<'_>, from: usize) -> Option<usize> {
    let lines = run(s, from, 4, |b| b.is_ascii_digit());
    let start = run(s, lines, 4, |b| matches!(b, b'\r' | b'\n' | b'\\' | b'n' | b'r'));
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'\r' | b'\n');
    let mut to = run(s, start, 16 * 1024, base64);
    if s.b[..to].ends_with(b"Private") {
        to -= 7;
    }
    while to > start && matches!(s.b[to - 1], b'\r' | b'\n') {
        to -= 1;
    }
    (to > start + 24).then(|| s.hit(Kind::PrivateKey, start, to, 100))
}
