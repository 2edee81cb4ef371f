//! Passwords on command lines: `curl -u name:password`, `mysql -ppassword`, `sshpass -p password`.

use crate::entity::EntityKind;
use crate::scan::Scan;

use super::secret::bounded_run_end;

/// The longest distance back to the name of the program.
const PROGRAM_REACH: usize = 160;
/// The longest distance from the program's name to an option.
const OPTIONS_REACH: usize = 96;
const VALUE_MAX: usize = 128;

/// The name of a program is at `start..end`: returns the end of a password among its first options.
pub(super) fn password_option(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let name = scan.bytes[start..end].to_ascii_lowercase();
    if name == b"lines" {
        // PuTTY's private keys.
        let key = scan.bytes[..start].ends_with(b"Private-") && scan.starts_with(end, b": ");
        return if key { putty_private_lines(scan, end + 2) } else { None };
    }
    let options = scan.bytes.get(end..)?;
    // No finding may lie between the name and the option.
    let plain = options
        .iter()
        .take(OPTIONS_REACH)
        .position(|b| matches!(b, b'\n' | b'"' | b'\'' | b'@' | b':' | b'='))
        .unwrap_or(options.len().min(OPTIONS_REACH));
    let flag: &[u8] = if name == b"curl" { b" -u" } else { b" -p" };
    let value = end + memchr::memmem::find(&options[..plain], flag)? + flag.len();
    match (name.as_slice(), scan.byte_at(value)) {
        (b"curl", _) => user_and_password(scan, value),
        (b"sshpass", b' ') => password_argument(scan, value + 1),
        (b"sshpass", _) | (_, b' ' | b'\n' | 0) => None,
        _ => password_argument(scan, value),
    }
}

/// At `--`: `curl --user name:password`.
pub(super) fn long_option(scan: &mut Scan<'_>, at: usize) -> Option<usize> {
    let option = ["--user", "--proxy-user"].iter().find(|o| scan.starts_with(at, o.as_bytes()))?;
    let from = at + option.len();
    if matches!(scan.byte_at(from), b' ' | b'=' | b'\t') && is_run_by(scan, at, b"curl") {
        user_and_password(scan, from + 1)
    } else {
        None
    }
}

fn is_run_by(scan: &Scan<'_>, at: usize, program: &[u8]) -> bool {
    memchr::memmem::find(&scan.bytes[at.saturating_sub(PROGRAM_REACH)..at], program).is_some()
}

/// Where a value begins and ends, without its quotes.
fn argument(scan: &mut Scan<'_>, from: usize) -> (usize, usize) {
    let mut i = from;
    while scan.byte_at(i) == b' ' && i < from + 4 {
        i += 1;
    }
    let quote = scan.byte_at(i);
    if matches!(quote, b'"' | b'\'') {
        let to = bounded_run_end(scan, i + 1, VALUE_MAX, |b| b != quote && b != b'\n');
        return (i + 1, to);
    }
    let to = bounded_run_end(scan, i, VALUE_MAX, |b| {
        !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'`' | b'|' | b'<' | b'>')
    });
    (i, to)
}

fn is_placeholder(value: &[u8]) -> bool {
    value.len() < 4
        || value.contains(&b'[')
        || matches!(value[0], b'$' | b'{' | b'<' | b'*' | b'%' | b'[')
        || value == b"password"
}

fn user_and_password(scan: &mut Scan<'_>, from: usize) -> Option<usize> {
    let (start, to) = argument(scan, from);
    let colon = start + scan.bytes[start..to].iter().position(|b| *b == b':')?;
    // The user is masked, and so the password would be.
    if scan.bytes[start..colon].contains(&b'[') {
        return None;
    }
    let mut first = colon + 1;
    // `name:'password'`.
    let end = if matches!(scan.byte_at(first), b'"' | b'\'') {
        first += 1;
        to - usize::from(matches!(scan.bytes[to - 1], b'"' | b'\''))
    } else {
        to
    };
    let value = scan.bytes.get(first..end)?;
    if is_placeholder(value) || value.starts_with(b"//") {
        return None;
    }
    Some(scan.add_finding(EntityKind::Password, first, end, 85))
}

fn password_argument(scan: &mut Scan<'_>, from: usize) -> Option<usize> {
    let (start, to) = argument(scan, from);
    if is_placeholder(&scan.bytes[start..to]) {
        return None;
    }
    Some(scan.add_finding(EntityKind::Password, start, to, 80))
}

/// The lines between `Private-Lines: n` and `Private-MAC`.
fn putty_private_lines(scan: &mut Scan<'_>, from: usize) -> Option<usize> {
    let lines = bounded_run_end(scan, from, 4, |b| b.is_ascii_digit());
    let start = bounded_run_end(scan, lines, 4, |b| matches!(b, b'\r' | b'\n' | b'\\' | b'n' | b'r'));
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'\r' | b'\n');
    let mut to = bounded_run_end(scan, start, 16 * 1024, base64);
    if scan.bytes[..to].ends_with(b"Private") {
        to -= 7;
    }
    while to > start && matches!(scan.bytes[to - 1], b'\r' | b'\n') {
        to -= 1;
    }
    (to > start + 24).then(|| scan.add_finding(EntityKind::PrivateKey, start, to, 100))
}
