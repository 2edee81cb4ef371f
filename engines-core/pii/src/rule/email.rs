//! E-mail addresses (RFC 5321, 5322, 6531), also with a quoted local part, an address literal, or disguised as
//! `name (at) host (dot) com`.

use std::sync::LazyLock;

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::byte_class::{is_alnum, is_word};
use crate::scan::cue::CueTable;

const MAX_LOCAL_BYTES: usize = 64;
const MAX_DOMAIN_BYTES: usize = 253;

/// The compiled list.
static TLDS: LazyLock<CueTable> = LazyLock::new(|| {
    // RFC 2606, RFC 6762 and names of private networks: an address there still belongs to a person.
    const PRIVATE: &str = "example internal invalid lan local localdomain localhost corp home test intra intranet \
        テスト 测试 測試 испытание परीक्षा δοκιμή טעסט 테스트 إختبار آزمایشی பரிட்சை";
    CueTable::compile(&[(include_str!("../data/tlds.txt"), 1), (PRIVATE, 1)])
});

/// Whether a label is a top-level domain.
pub(crate) fn is_tld(label: &[u8]) -> bool {
    match label.len() {
        2..=24 if label.is_ascii() => TLDS.get(label) != 0,
        // Also those that were assigned for tests.
        4..=32 => TLDS.get(label) != 0,
        _ => false,
    }
}

fn is_local_byte(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'.' | b'+' | b'-' | b'\'' | b'!' | b'#' | b'$' | b'*' | b'^' | b'~')
}

/// At an `@`: an address if a mailbox precedes it and a domain follows it.
pub(crate) fn at_sign(scan: &mut Scan<'_>, at: usize) -> usize {
    let Some(end) = domain_end(scan, at + 1) else { return at + 1 };
    let Some(start) = local_start(scan, at) else { return at + 1 };
    if is_repository(scan, start, at, end) {
        return end;
    }
    scan.add_finding(EntityKind::EmailAddress, start, end, 100)
}

/// `git@host:repo` and `ssh://git@host/` name a repository, not a person.
fn is_repository(scan: &Scan<'_>, start: usize, at: usize, end: usize) -> bool {
    let who = &scan.bytes[start..at];
    let service = matches!(who, b"git" | b"hg" | b"svn");
    service && (scan.byte_at(end) == b':' || scan.byte_at(end) == b'/' || scan.byte_before(start) == b'/')
        || scan.byte_at(end) == b':'
            && scan.bytes[end..].iter().take(96).take_while(|b| !b.is_ascii_whitespace()).count() > 5
            && {
                let path = &scan.bytes[end..];
                let len = path.iter().take(96).take_while(|b| !b.is_ascii_whitespace() && **b != b'"').count();
                path[..len].ends_with(b".git")
            }
}

/// The start of the mailbox before the `@`.
fn local_start(scan: &Scan<'_>, at: usize) -> Option<usize> {
    if scan.byte_before(at) == b'"' {
        return quoted_local_start(scan, at - 1);
    }
    let low = at.saturating_sub(MAX_LOCAL_BYTES + 1);
    let mut i = at;
    while i > low && is_local_byte(scan.bytes[i - 1]) {
        i -= 1;
    }
    if i < scan.last_finding_end() && !scan.bytes[i..at].is_ascii() {
        i = scan.last_finding_end().min(at);
    }
    i = scan.next_uncovered(i).min(at);
    // In writing without spaces the mailbox begins where the script changes.
    if let Some(k) = scan.bytes[i..at].iter().rposition(|b| *b >= 0xe0)
        && !scan.bytes[i..at].is_ascii()
        && scan.bytes[i..at].iter().any(|b| is_alnum(*b))
    {
        let mut j = i + k + 1;
        while j < at && scan.bytes[j] & 0xc0 == 0x80 {
            j += 1;
        }
        i = j;
    }
    if at.saturating_sub(i) > MAX_LOCAL_BYTES {
        return None;
    }
    while i < at && !is_word(scan.bytes[i]) {
        i += 1;
    }
    i = scan.next_uncovered(i).min(at);
    while i < at && !is_word(scan.bytes[i]) {
        i += 1;
    }
    // `\n` before it is an escape, not part of the name; a dot before the sign is a typing error but still an address.
    (i < at && scan.bytes[i] & 0xc0 != 0x80).then_some(i)
}

/// `"john doe"@example.com`: `close` is the closing quote.
fn quoted_local_start(scan: &Scan<'_>, close: usize) -> Option<usize> {
    let low = close.saturating_sub(MAX_LOCAL_BYTES);
    let mut i = close;
    while i > low {
        i -= 1;
        match scan.bytes[i] {
            b'"' if i + 1 < close => {
                if scan.last_finding_end() > i
                    || scan.bytes[i..close].contains(&b'[') && (i..close).any(|k| super::mask_at(scan, k).is_some())
                {
                    return None;
                }
                let opens = i == 0
                    || matches!(scan.bytes[i - 1], b' ' | b'<' | b'(' | b',' | b';' | b':' | b'\n' | b'\t' | b'=');
                return opens.then_some(i);
            }
            b'"' | b'\n' | b'\r' => return None,
            _ => {}
        }
    }
    None
}

/// The end of the domain that begins at `from`.
pub(crate) fn domain_end(scan: &Scan<'_>, from: usize) -> Option<usize> {
    if scan.byte_at(from) == b'[' {
        let close = scan.bytes[from..].iter().take(48).position(|b| *b == b']')?;
        let inner = scan.bytes.get(from + 1..from + close)?;
        let literal = inner.strip_prefix(b"IPv6:").unwrap_or(inner);
        let ip = std::str::from_utf8(literal).ok()?.parse::<std::net::IpAddr>().is_ok();
        return ip.then_some(from + close + 1);
    }
    let (mut i, mut label, mut dots) = (from, from, 0);
    let mut best = None;
    let stop = scan.bytes.len().min(from + MAX_DOMAIN_BYTES);
    loop {
        let b = if i < stop { scan.bytes[i] } else { 0 };
        if is_alnum(b) || b >= 0x80 || b == b'-' || b == b'_' {
            i += 1;
            continue;
        }
        if i == label || i - label > 63 {
            break;
        }
        if dots > 0 {
            if is_tld(&scan.bytes[label..i]) {
                best = Some(i);
            } else if let Some(cut) = script_boundary(&scan.bytes[label..i])
                && is_tld(&scan.bytes[label..label + cut])
            {
                best = Some(label + cut);
                break;
            } else if b != b'.' {
                best = None;
            }
        }
        if b != b'.' {
            break;
        }
        dots += 1;
        i += 1;
        label = i;
    }
    let end = best?;
    let first = scan.bytes[from];
    let last = scan.bytes[end - 1];
    (first != b'-' && first != b'_' && last != b'-').then_some(end)
}

/// The position where ASCII ends and a script without spaces begins.
fn script_boundary(label: &[u8]) -> Option<usize> {
    let cut = label.iter().position(|b| *b >= 0x80)?;
    (cut > 0 && label[cut] >= 0xe0 || cut > 1 && label[cut] >= 0xc2).then_some(cut)
}

/// `name (at) host (dot) com`, `name [at] host.com`, `name at host dot com`; the word `at` or `dot` is at
/// `start..end`.
pub(crate) fn spelled_out(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let is_at = end - start == 2;
    if !is_at {
        return None;
    }
    let (before, after, bracketed) = bracketed_word(scan, start, end)?;
    // The name before it.
    let name_end = skip_back(scan, before, b' ', 2);
    let mut i = name_end;
    while i > 0
        && name_end - i < MAX_LOCAL_BYTES
        && (is_alnum(scan.bytes[i - 1]) || matches!(scan.bytes[i - 1], b'.' | b'_' | b'+' | b'-'))
    {
        i -= 1;
    }
    i = scan.next_uncovered(i);
    while i < name_end && !is_alnum(scan.bytes[i]) {
        i += 1;
    }
    if i >= name_end || name_end - i >= MAX_LOCAL_BYTES {
        return None;
    }
    // The host after it: labels with `.`, ` dot `, `(dot)` between.
    let mut j = after;
    while scan.byte_at(j) == b' ' && j < after + 2 {
        j += 1;
    }
    // `meet me at the dot com boom` is prose.
    const ARTICLES: [&[u8]; 10] = [b"the", b"a", b"an", b"this", b"that", b"our", b"my", b"your", b"their", b"every"];
    let host = scan.bytes.get(j..)?.iter().take(6).take_while(|b| is_alnum(**b)).count();
    if !bracketed && ARTICLES.iter().any(|w| w.eq_ignore_ascii_case(&scan.bytes[j..j + host])) {
        return None;
    }
    let (mut dots, mut label) = (0, j);
    let mut spelled_dot = false;
    let mut best = None;
    for _ in 0..6 {
        while is_alnum(scan.byte_at(j)) || scan.byte_at(j) == b'-' && is_alnum(scan.byte_at(j + 1)) {
            if scan.byte_at(j) == b'-' && dots > 0 && is_tld(&scan.bytes[label..j]) {
                best = Some((j, spelled_dot));
            }
            j += 1;
            if j - label > 63 {
                return None;
            }
        }
        if j == label {
            break;
        }
        if dots > 0 && is_tld(&scan.bytes[label..j]) {
            best = Some((j, spelled_dot));
        }
        let (next, word) = label_separator(scan, j)?;
        if next == j {
            break;
        }
        spelled_dot |= word;
        dots += 1;
        j = next;
        label = j;
    }
    let (to, spelled_dot) = best?;
    if !bracketed && !spelled_dot {
        return None;
    }
    scan.add_finding(EntityKind::EmailAddress, i, to, 90);
    Some(to)
}

/// The positions before and after the word with its brackets or spaces.
fn bracketed_word(scan: &Scan<'_>, start: usize, end: usize) -> Option<(usize, usize, bool)> {
    let (mut a, mut z) = (start, end);
    if scan.byte_before(a) == b' ' && matches!(scan.byte_at(a.wrapping_sub(2)), b'(' | b'[' | b'{' | b'<') {
        a -= 1;
    }
    if scan.byte_at(z) == b' ' && matches!(scan.byte_at(z + 1), b')' | b']' | b'}' | b'>') {
        z += 1;
    }
    match (scan.byte_before(a), scan.byte_at(z)) {
        (b'(', b')') | (b'[', b']') | (b'{', b'}') | (b'<', b'>') => Some((a - 1, z + 1, true)),
        (b' ', b' ') => Some((a - 1, z + 1, false)),
        (b'_' | b'-', b'_' | b'-') => Some((a - 1, z + 1, true)),
        _ => None,
    }
}

fn skip_back(scan: &Scan<'_>, mut at: usize, byte: u8, most: usize) -> usize {
    let low = at.saturating_sub(most);
    while at > low && scan.bytes[at - 1] == byte {
        at -= 1;
    }
    at
}

/// What separates two labels at `i`: the start of the next label, and whether the separator is spelled out. `i` itself
/// if there is none.
fn label_separator(scan: &Scan<'_>, at: usize) -> Option<(usize, bool)> {
    if scan.byte_at(at) == b'.' && is_alnum(scan.byte_at(at + 1)) {
        return Some((at + 1, false));
    }
    let mut j = at;
    while scan.byte_at(j) == b' ' && j < at + 2 {
        j += 1;
    }
    let open = matches!(scan.byte_at(j), b'(' | b'[' | b'{' | b'<');
    if open {
        j += 1;
        if scan.byte_at(j) == b' ' {
            j += 1;
        }
    } else if j == at && !matches!(scan.byte_at(j), b'_' | b'-') {
        return Some((at, false));
    }
    let word = scan.bytes.get(j..j + 3).is_some_and(|w| w.eq_ignore_ascii_case(b"dot"));
    let sign = open && scan.byte_at(j) == b'.';
    if !word && !sign {
        return Some((at, false));
    }
    j += if word { 3 } else { 1 };
    if scan.byte_at(j) == b' ' {
        j += 1;
    }
    if open {
        if !matches!(scan.byte_at(j), b')' | b']' | b'}' | b'>') {
            return Some((at, false));
        }
        j += 1;
        if scan.byte_at(j) == b' ' {
            j += 1;
        }
    }
    Some((j, true))
}
