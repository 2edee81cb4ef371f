//! Extensions of telephone numbers.

use crate::scan::Scan;
use crate::scan::byte_class::{is_word, to_lower};

/// Whether `x123` follows at once.
pub(super) fn has_extension(scan: &Scan<'_>, end: usize) -> bool {
    if to_lower(scan.byte_at(end)) != b'x' {
        return false;
    }
    let digits = (1..7).take_while(|n| scan.byte_at(end + n).is_ascii_digit()).count();
    (1..=5).contains(&digits) && !is_word(scan.byte_at(end + 1 + digits))
}

/// The end of an extension behind a number: `x123`, ` ext. 123`, ` Durchwahl 12`; `end` if there is none.
pub(super) fn extension_end(scan: &Scan<'_>, end: usize) -> usize {
    const WORDS: [&str; 9] = ["x", "ext", "extension", "extn", "durchwahl", "dw", "poste", "wew", "доб"];
    let mut i = end + usize::from(scan.byte_at(end) == b',');
    if scan.byte_at(i) == b' ' {
        i += 1;
    }
    let len = (0..16).take_while(|n| is_word(scan.byte_at(i + n)) && !scan.byte_at(i + n).is_ascii_digit()).count();
    let Some(word) = scan.bytes.get(i..i + len) else { return end };
    if !WORDS.iter().any(|w| w.as_bytes().eq_ignore_ascii_case(word)) {
        return end;
    }
    i += len;
    while matches!(scan.byte_at(i), b'.' | b' ' | b':') && i < end + 24 {
        i += 1;
    }
    let digits = (0..7).take_while(|n| scan.byte_at(i + n).is_ascii_digit()).count();
    let to = i + digits;
    let number = matches!(scan.byte_at(to), b'.' | b'-' | b'/') && scan.byte_at(to + 1).is_ascii_digit();
    if (1..=6).contains(&digits) && !is_word(scan.byte_at(to)) && !number && !two_groups_follow(scan, to) {
        to
    } else {
        end
    }
}

/// Whether two more groups of digits follow: then what is before them is the first of a longer number.
fn two_groups_follow(scan: &Scan<'_>, to: usize) -> bool {
    let group = |at: usize| (1..7).take_while(|n| scan.byte_at(at + n).is_ascii_digit()).count();
    let separates = |at: usize| matches!(scan.byte_at(at), b' ' | b'-');
    let first = group(to);
    let next = to + 1 + first;
    separates(to) && first > 2 && separates(next) && group(next) > 1
}
