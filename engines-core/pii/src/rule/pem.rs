//! Private keys in PEM (RFC 7468), OpenSSH's own, and PGP blocks.

use crate::entity::EntityKind;
use crate::scan::Scan;

use super::command_line;

const MAX_LABEL_BYTES: usize = 64;
/// The most bytes of a key. The rest of a longer one has no header and is masked with it as long as it is base64.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// At a `-`.
pub(crate) fn dashes(scan: &mut Scan<'_>, at: usize) -> usize {
    if scan.byte_at(at + 1) != b'-' {
        return at + 1;
    }
    if !scan.starts_with(at, b"-----BEGIN ") && !scan.starts_with(at, b"---- BEGIN ") {
        return command_line::long_option(scan, at).unwrap_or(at + 1);
    }
    let head = at + 11;
    let rest = &scan.bytes[head..];
    let Some(len) = rest.iter().take(MAX_LABEL_BYTES).position(|b| *b == b'-') else { return head };
    let label = &rest[..len];
    if label.contains(&b'[') || !contains(label, b"PRIVATE KEY") && !contains(label, b"ENCRYPTED PRIVATE") {
        return head;
    }
    let mut j = head + len;
    while scan.byte_at(j) == b'-' && j < head + len + 5 {
        j += 1;
    }
    let end = block_end(scan, j);
    scan.add_finding(EntityKind::PrivateKey, at, end, 100)
}

/// The end of the block: behind its END line, or where it stops looking like one.
fn block_end(scan: &mut Scan<'_>, from: usize) -> usize {
    let stop = scan.bytes.len().min(from + MAX_BODY_BYTES);
    let mut i = from;
    let mut end = from;
    while i < stop {
        match scan.bytes[i] {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' => {
                i += 1;
                end = i;
            }
            // Line breaks, also escaped ones, and the headers of encrypted keys.
            b' ' | b'\n' | b'\r' | b'\t' | b'\\' | b':' | b',' | b'"' | b'\'' => i += 1,
            // `DEK-Info: AES-256-CBC,…`.
            b'-' if scan.bytes.get(i + 1) != Some(&b'-') => i += 1,
            b'-' => {
                let tail = &scan.bytes[i..];
                if !scan.is_last && tail.len() < MAX_LABEL_BYTES + 12 {
                    // The line that ends it may not be there yet.
                    scan.starved = true;
                    return end;
                }
                let dashes = tail.iter().take(5).take_while(|b| **b == b'-').count();
                let after = &tail[dashes..];
                let after = after.strip_prefix(b" ").unwrap_or(after);
                let close = after.iter().take(MAX_LABEL_BYTES).position(|b| *b == b'-');
                // What there is of a stream may be no more than the beginning of the END line.
                let begun = if after.len() < 4 { b"END ".starts_with(after) } else { after.starts_with(b"END ") };
                if begun && close.is_none() && after.len() < MAX_LABEL_BYTES && !scan.is_last {
                    scan.starved = true;
                    return end;
                }
                if after.starts_with(b"END ") {
                    let mut j = i + (tail.len() - after.len()) + close.unwrap_or(0);
                    let most = j + 5;
                    while scan.byte_at(j) == b'-' && j < most {
                        j += 1;
                    }
                    if j == scan.bytes.len() && !scan.is_last && j < most {
                        scan.starved = true;
                    }
                    return j;
                }
                return end;
            }
            _ => return end,
        }
    }
    if i == scan.bytes.len() && !scan.is_last {
        scan.starved = true;
    }
    end
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|w| w == needle)
}
