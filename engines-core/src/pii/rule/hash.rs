//! Hashes of passwords as `crypt(3)` and its kin write them: `$2b$12$…`, `$6$salt$…`, `$argon2id$…`, `pbkdf2_sha256$…`.

use crate::pii::entity::Kind;
use crate::pii::scan::Scan;
use crate::pii::scan::class::is_alnum;

use super::secret::run;

const MOST: usize = 1024;

/// The names of schemes (the modular crypt format and PHC strings), and those of tickets that are cracked like them.
const SCHEMES: [&[u8]; 24] = [
    b"1",
    b"2",
    b"2a",
    b"2b",
    b"2x",
    b"2y",
    b"5",
    b"6",
    b"7",
    b"8",
    b"9",
    b"y",
    b"gy",
    b"P",
    b"H",
    b"S",
    b"apr1",
    b"sha1",
    b"argon2i",
    b"argon2d",
    b"argon2id",
    b"scrypt",
    b"krb5tgs",
    b"krb5asrep",
];

/// A word stands at `start..end` with a `$` behind it: the end of a hash that it names.
pub(crate) fn crypt(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let name = &s.b[start..end];
    let framed = s.before(start) == b'$';
    let known = framed && SCHEMES.contains(&name) || !framed && name.starts_with(b"pbkdf2_sha");
    if !known {
        return None;
    }
    let ticket = name.starts_with(b"krb5");
    let to = run(s, end, MOST, |b| {
        is_alnum(b)
            || matches!(b, b'$' | b'.' | b'/' | b'+' | b'=' | b',' | b'-' | b'_')
            || ticket && matches!(b, b'*' | b'@' | b':' | b'~')
    });
    let to = end + s.b[end..to].iter().rposition(|b| *b != b'.' && *b != b',').map_or(0, |k| k + 1);
    // Salt and hash, or bcrypt's 53 characters of both.
    let last = s.b[end..to].rsplit(|b| *b == b'$').next()?;
    let digits = last.iter().any(u8::is_ascii_digit);
    let letters = last.iter().any(u8::is_ascii_alphabetic);
    if last.len() < 20 || !digits && last.len() < 30 || !letters {
        return None;
    }
    let from = if framed { start - 1 } else { start };
    Some(s.hit(Kind::Password, from, to, 95))
}
