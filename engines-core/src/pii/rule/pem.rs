//! Private keys in PEM (RFC 7468), OpenSSH's own, and PGP blocks.

use crate::pii::entity::Kind;
use crate::pii::scan::Scan;

use super::cli;

const LABEL_MAX: usize = 64;
/// A key longer than this is cut there; the rest has no header and is masked with it as long as it is base64.
const BODY_MAX: usize = 64 * 1024;

/// At a `-`.
pub(crate) fn dashes(s: &mut Scan<'_>, i: usize) -> usize {
    if s.at(i + 1) != b'-' {
        return i + 1;
    }
    if !s.starts(i, b"-----BEGIN ") && !s.starts(i, b"---- BEGIN ") {
        return cli::long(s, i).unwrap_or(i + 1);
    }
    let head = i + 11;
    let rest = &s.b[head..];
    let Some(len) = rest.iter().take(LABEL_MAX).position(|b| *b == b'-') else { return head };
    let label = &rest[..len];
    if label.contains(&b'[') || !contains(label, b"PRIVATE KEY") && !contains(label, b"ENCRYPTED PRIVATE") {
        return head;
    }
    let mut j = head + len;
    while s.at(j) == b'-' && j < head + len + 5 {
        j += 1;
    }
    let end = body(s, j);
    s.hit(Kind::PrivateKey, i, end, 100)
}

/// Where the block ends: behind its END line, or where it stops looking like one.
fn body(s: &mut Scan<'_>, from: usize) -> usize {
    let stop = s.b.len().min(from + BODY_MAX);
    let mut i = from;
    let mut end = from;
    while i < stop {
        match s.b[i] {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' => {
                i += 1;
                end = i;
            }
            // Line breaks, also escaped ones, and the headers of encrypted keys.
            b' ' | b'\n' | b'\r' | b'\t' | b'\\' | b':' | b',' | b'"' | b'\'' => i += 1,
            // `DEK-Info: AES-256-CBC,…`.
            b'-' if s.b.get(i + 1) != Some(&b'-') => i += 1,
            b'-' => {
                let tail = &s.b[i..];
                if !s.last && tail.len() < LABEL_MAX + 12 {
                    // The line that ends it may not be there yet.
                    s.starved = true;
                    return end;
                }
                let dashes = tail.iter().take(5).take_while(|b| **b == b'-').count();
                let after = &tail[dashes..];
                let after = after.strip_prefix(b" ").unwrap_or(after);
                let close = after.iter().take(LABEL_MAX).position(|b| *b == b'-');
                // What there is of a stream may be no more than the beginning of the END line.
                let begun = if after.len() < 4 { b"END ".starts_with(after) } else { after.starts_with(b"END ") };
                if begun && close.is_none() && after.len() < LABEL_MAX && !s.last {
                    s.starved = true;
                    return end;
                }
                if after.starts_with(b"END ") {
                    let mut j = i + (tail.len() - after.len()) + close.unwrap_or(0);
                    let most = j + 5;
                    while s.at(j) == b'-' && j < most {
                        j += 1;
                    }
                    if j == s.b.len() && !s.last && j < most {
                        s.starved = true;
                    }
                    return j;
                }
                return end;
            }
            _ => return end,
        }
    }
    if i == s.b.len() && !s.last {
        s.starved = true;
    }
    end
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|w| w == needle)
}
