//! Hashes of passwords as `crypt(3)` and its kin write them: `$2b$12$…`, `$6$salt$…`, `$argon2id$…`, `pbkdf2_sha256$…`.

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::byte_class::is_alnum;

use super::secret::bounded_run_end;

const MAX_HASH_BYTES: usize = 1024;

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

/// A word is at `start..end` with a `$` behind it: returns the end of a hash of the scheme it names.
pub(crate) fn password_hash(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let name = &scan.bytes[start..end];
    let framed = scan.byte_before(start) == b'$';
    let known = framed && SCHEMES.contains(&name) || !framed && name.starts_with(b"pbkdf2_sha");
    if !known {
        return None;
    }
    let ticket = name.starts_with(b"krb5");
    let to = bounded_run_end(scan, end, MAX_HASH_BYTES, |b| {
        is_alnum(b)
            || matches!(b, b'$' | b'.' | b'/' | b'+' | b'=' | b',' | b'-' | b'_')
            || ticket && matches!(b, b'*' | b'@' | b':' | b'~')
    });
    let to = end + scan.bytes[end..to].iter().rposition(|b| *b != b'.' && *b != b',').map_or(0, |k| k + 1);
    // Salt and hash, or bcrypt's 53 characters of both.
    let last = scan.bytes[end..to].rsplit(|b| *b == b'$').next()?;
    let digits = last.iter().any(u8::is_ascii_digit);
    let letters = last.iter().any(u8::is_ascii_alphabetic);
    if last.len() < 20 || !digits && last.len() < 30 || !letters {
        return None;
    }
    let from = if framed { start - 1 } else { start };
    Some(scan.add_finding(EntityKind::Password, from, to, 95))
}
