//! E-mail addresses (RFC 5321, 5322, 6531), also with a quoted local part, an address literal, or disguised as `name (at) host (dot) com`.

use std::sync::LazyLock;

use crate::pii::entity::Kind;
use crate::pii::scan::Scan;
use crate::pii::scan::class::{is_alnum, is_word};
use crate::pii::scan::cue::CueTable;

const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 253;

/// The list, compiled.
static TLDS: LazyLock<CueTable> = LazyLock::new(|| {
    // RFC 2606, RFC 6762 and what private networks use: an address there is still somebody's.
    const PRIVATE: &str = "example internal invalid lan local localdomain localhost corp home test intra intranet \
        テスト 测试 測試 испытание परीक्षा δοκιμή טעסט 테스트 إختبار آزمایشی பரிட்சை";
    CueTable::compile(&[(include_str!("../data/tlds.txt"), 1), (PRIVATE, 1)])
});

/// Whether a label is a top-level domain.
pub(crate) fn is_tld(label: &[u8]) -> bool {
    match label.len() {
        2..=24 if label.is_ascii() => TLDS.get(label) != 0,
        // Also those that were given for tests.
        4..=32 => TLDS.get(label) != 0,
        _ => false,
    }
}

fn local_byte(b: u8) -> bool {
    is_word(b) || matches!(b, b'.' | b'+' | b'-' | b'\'' | b'!' | b'#' | b'$' | b'*' | b'^' | b'~')
}

/// At an `@`: an address if there is a mailbox before it and a domain after it.
pub(crate) fn at_sign(s: &mut Scan<'_>, at: usize) -> usize {
    let Some(end) = domain(s, at + 1) else { return at + 1 };
    let Some(start) = local(s, at) else { return at + 1 };
    if remote(s, start, at, end) {
        return end;
    }
    s.hit(Kind::EmailAddress, start, end, 100)
}

/// `git@host:repo` and `ssh://git@host/` name a repository, not a person.
fn remote(s: &Scan<'_>, start: usize, at: usize, end: usize) -> bool {
    let who = &s.b[start..at];
    let service = matches!(who, b"git" | b"hg" | b"svn");
    service && (s.at(end) == b':' || s.at(end) == b'/' || s.before(start) == b'/')
        || s.at(end) == b':' && s.b[end..].iter().take(96).take_while(|b| !b.is_ascii_whitespace()).count() > 5 && {
            let path = &s.b[end..];
            let len = path.iter().take(96).take_while(|b| !b.is_ascii_whitespace() && **b != b'"').count();
            path[..len].ends_with(b".git")
        }
}

/// Where the mailbox before the `@` begins.
fn local(s: &Scan<'_>, at: usize) -> Option<usize> {
    if s.before(at) == b'"' {
        return quoted(s, at - 1);
    }
    let low = at.saturating_sub(LOCAL_MAX + 1);
    let mut i = at;
    while i > low && local_byte(s.b[i - 1]) {
        i -= 1;
    }
    if i < s.floor() && !s.b[i..at].is_ascii() {
        i = s.floor().min(at);
    }
    i = s.uncovered(i).min(at);
    // In writing without spaces the mailbox begins where the script changes.
    if let Some(k) = s.b[i..at].iter().rposition(|b| *b >= 0xe0)
        && !s.b[i..at].is_ascii()
        && s.b[i..at].iter().any(|b| is_alnum(*b))
    {
        let mut j = i + k + 1;
        while j < at && s.b[j] & 0xc0 == 0x80 {
            j += 1;
        }
        i = j;
    }
    if at.saturating_sub(i) > LOCAL_MAX {
        return None;
    }
    while i < at && !is_word(s.b[i]) {
        i += 1;
    }
    i = s.uncovered(i).min(at);
    while i < at && !is_word(s.b[i]) {
        i += 1;
    }
    // `\n` before it is an escape, not part of the name; a dot before the sign is a typing error but still an address.
    (i < at && s.b[i] & 0xc0 != 0x80).then_some(i)
}

/// `"john doe"@example.com`: `close` is the closing quote.
fn quoted(s: &Scan<'_>, close: usize) -> Option<usize> {
    let low = close.saturating_sub(LOCAL_MAX);
    let mut i = close;
    while i > low {
        i -= 1;
        match s.b[i] {
            b'"' if i + 1 < close => {
                if s.floor() > i || s.b[i..close].contains(&b'[') && (i..close).any(|k| super::mask_at(s, k).is_some())
                {
                    return None;
                }
                let opens =
                    i == 0 || matches!(s.b[i - 1], b' ' | b'<' | b'(' | b',' | b';' | b':' | b'\n' | b'\t' | b'=');
                return opens.then_some(i);
            }
            b'"' | b'\n' | b'\r' => return None,
            _ => {}
        }
    }
    None
}

/// Where the domain that begins at `from` ends.
pub(crate) fn domain(s: &Scan<'_>, from: usize) -> Option<usize> {
    if s.at(from) == b'[' {
        let close = s.b[from..].iter().take(48).position(|b| *b == b']')?;
        let inner = s.b.get(from + 1..from + close)?;
        let literal = inner.strip_prefix(b"IPv6:").unwrap_or(inner);
        let ip = std::str::from_utf8(literal).ok()?.parse::<std::net::IpAddr>().is_ok();
        return ip.then_some(from + close + 1);
    }
    let (mut i, mut label, mut dots) = (from, from, 0);
    let mut best = None;
    let stop = s.b.len().min(from + DOMAIN_MAX);
    loop {
        let b = if i < stop { s.b[i] } else { 0 };
        if is_alnum(b) || b >= 0x80 || b == b'-' || b == b'_' {
            i += 1;
            continue;
        }
        if i == label || i - label > 63 {
            break;
        }
        if dots > 0 {
            if is_tld(&s.b[label..i]) {
                best = Some(i);
            } else if let Some(cut) = script_cut(&s.b[label..i])
                && is_tld(&s.b[label..label + cut])
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
    let first = s.b[from];
    let last = s.b[end - 1];
    (first != b'-' && first != b'_' && last != b'-').then_some(end)
}

/// Where ASCII ends and a script without spaces begins.
fn script_cut(label: &[u8]) -> Option<usize> {
    let cut = label.iter().position(|b| *b >= 0x80)?;
    (cut > 0 && label[cut] >= 0xe0 || cut > 1 && label[cut] >= 0xc2).then_some(cut)
}

/// `name (at) host (dot) com`, `name [at] host.com`, `name at host dot com`; the word `at` or `dot` stands at `start..end`.
pub(crate) fn spelled(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let is_at = end - start == 2;
    if !is_at {
        return None;
    }
    let (before, after, bracketed) = brackets(s, start, end)?;
    // The name before it.
    let name_end = back_over(s, before, b' ', 2);
    let mut i = name_end;
    while i > 0 && name_end - i < LOCAL_MAX && (is_alnum(s.b[i - 1]) || matches!(s.b[i - 1], b'.' | b'_' | b'+' | b'-'))
    {
        i -= 1;
    }
    i = s.uncovered(i);
    while i < name_end && !is_alnum(s.b[i]) {
        i += 1;
    }
    if i >= name_end || name_end - i >= LOCAL_MAX {
        return None;
    }
    // The host after it: labels with `.`, ` dot `, `(dot)` between.
    let mut j = after;
    while s.at(j) == b' ' && j < after + 2 {
        j += 1;
    }
    // `meet me at the dot com boom` is prose.
    const ARTICLES: [&[u8]; 10] = [b"the", b"a", b"an", b"this", b"that", b"our", b"my", b"your", b"their", b"every"];
    let host = s.b.get(j..)?.iter().take(6).take_while(|b| is_alnum(**b)).count();
    if !bracketed && ARTICLES.iter().any(|w| w.eq_ignore_ascii_case(&s.b[j..j + host])) {
        return None;
    }
    let (mut dots, mut label) = (0, j);
    let mut spelled_dot = false;
    let mut best = None;
    for _ in 0..6 {
        while is_alnum(s.at(j)) || s.at(j) == b'-' && is_alnum(s.at(j + 1)) {
            if s.at(j) == b'-' && dots > 0 && is_tld(&s.b[label..j]) {
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
        if dots > 0 && is_tld(&s.b[label..j]) {
            best = Some((j, spelled_dot));
        }
        let (next, word) = dot_after(s, j)?;
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
    s.hit(Kind::EmailAddress, i, to, 90);
    Some(to)
}

/// The place before and after the word with its brackets or spaces.
fn brackets(s: &Scan<'_>, start: usize, end: usize) -> Option<(usize, usize, bool)> {
    let (mut a, mut z) = (start, end);
    if s.before(a) == b' ' && matches!(s.at(a.wrapping_sub(2)), b'(' | b'[' | b'{' | b'<') {
        a -= 1;
    }
    if s.at(z) == b' ' && matches!(s.at(z + 1), b')' | b']' | b'}' | b'>') {
        z += 1;
    }
    match (s.before(a), s.at(z)) {
        (b'(', b')') | (b'[', b']') | (b'{', b'}') | (b'<', b'>') => Some((a - 1, z + 1, true)),
        (b' ', b' ') => Some((a - 1, z + 1, false)),
        (b'_' | b'-', b'_' | b'-') => Some((a - 1, z + 1, true)),
        _ => None,
    }
}

fn back_over(s: &Scan<'_>, mut i: usize, b: u8, most: usize) -> usize {
    let low = i.saturating_sub(most);
    while i > low && s.b[i - 1] == b {
        i -= 1;
    }
    i
}

/// What separates two labels at `i`: where the next begins, and whether it is spelled out. `i` itself if nothing does.
fn dot_after(s: &Scan<'_>, i: usize) -> Option<(usize, bool)> {
    if s.at(i) == b'.' && is_alnum(s.at(i + 1)) {
        return Some((i + 1, false));
    }
    let mut j = i;
    while s.at(j) == b' ' && j < i + 2 {
        j += 1;
    }
    let open = matches!(s.at(j), b'(' | b'[' | b'{' | b'<');
    if open {
        j += 1;
        if s.at(j) == b' ' {
            j += 1;
        }
    } else if j == i && !matches!(s.at(j), b'_' | b'-') {
        return Some((i, false));
    }
    let word = s.b.get(j..j + 3).is_some_and(|w| w.eq_ignore_ascii_case(b"dot"));
    let sign = open && s.at(j) == b'.';
    if !word && !sign {
        return Some((i, false));
    }
    j += if word { 3 } else { 1 };
    if s.at(j) == b' ' {
        j += 1;
    }
    if open {
        if !matches!(s.at(j), b')' | b']' | b'}' | b'>') {
            return Some((i, false));
        }
        j += 1;
        if s.at(j) == b' ' {
            j += 1;
        }
    }
    Some((j, true))
}
