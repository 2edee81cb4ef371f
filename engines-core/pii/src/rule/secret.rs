//! Secrets that are recognised by a prefix of their issuer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::body_set::BodySet;
use crate::scan::byte_class::{ALPHA, DIGIT, class_of, is_alnum, is_word};
use crate::scan::cue::bit;
use crate::scan::findings::FindingList;

use super::secret_prefixes::PREFIXES;

/// How many bytes of a body are examined once many were examined without success.
const EXHAUSTED_EXAMINED_BYTES: usize = 48;

/// For a first byte, which row of `PREFIX_CANDIDATES`, counted from 1, and which of the prefixes is the first.
static FIRST_BYTE_ROWS: [(u8, u16); 128] = {
    let mut rows = [(0, 0); 128];
    let mut count = 0;
    let mut i = 0;
    while i < PREFIXES.len() {
        let row = &mut rows[PREFIXES[i].text.as_bytes()[0] as usize];
        if row.0 == 0 {
            count += 1;
            *row = (count, i as u16);
        }
        i += 1;
    }
    rows
};

/// For a first byte and the lower bits of a second, which prefixes begin so: one bit for each, from the first with that
/// first byte on.
static PREFIX_CANDIDATES: [[u64; 16]; 64] = {
    let mut alike = [[0; 16]; 64];
    let mut i = 0;
    while i < PREFIXES.len() {
        let text = PREFIXES[i].text.as_bytes();
        let (row, first) = FIRST_BYTE_ROWS[text[0] as usize];
        alike[row as usize - 1][text[1] as usize % 16] |= 1 << (i - first as usize);
        i += 1;
    }
    alike
};

/// The first four bytes of each prefix, and which of their bits it has.
static PREFIX_HEADS: [(u32, u32); PREFIXES.len()] = {
    let mut heads = [(0, 0); PREFIXES.len()];
    let mut i = 0;
    while i < PREFIXES.len() {
        let text = PREFIXES[i].text.as_bytes();
        let mut k = 0;
        while k < 4 && k < text.len() {
            heads[i].0 |= (text[k] as u32) << (8 * k);
            heads[i].1 |= 0xff << (8 * k);
            k += 1;
        }
        i += 1;
    }
    heads
};

/// For a first byte, which second bytes some prefix has, in two halves.
static SECOND_BYTES: [[u64; 2]; 128] = {
    let mut table = [[0; 2]; 128];
    let mut i = 0;
    while i < PREFIXES.len() {
        let text = PREFIXES[i].text.as_bytes();
        table[text[0] as usize][text[1] as usize / 64] |= 1 << (text[1] % 64);
        i += 1;
    }
    let others = b"eyhoMTMjMzMDNTNjNzNDOTODACatInP$H$y$";
    let mut i = 0;
    while i < others.len() {
        table[others[i] as usize][others[i + 1] as usize / 64] |= 1 << (others[i + 1] % 64);
        i += 2;
    }
    table
};

/// A word of letters that is shorter than this and has no `-`, `.` or `:` behind it is the beginning of no secret.
pub(crate) const MIN_SECRET_WORD: usize = 16;

/// Whether some prefix begins with these two bytes.
#[inline]
pub(crate) fn may_begin(first: u8, second: u8) -> bool {
    let halves = SECOND_BYTES[usize::from(first % 128)];
    (first | second) < 0x80 && halves[usize::from(second / 64 % 2)] >> (second % 64) & 1 != 0
}

/// A word is at `start..end`: finds a secret if the word begins like one.
#[inline]
pub(crate) fn prefixed(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let (a, b) = (scan.bytes[start], scan.byte_at(start + 1));
    if !may_begin(a, b) {
        return None;
    }
    match_prefix(scan, start, end)
}

#[inline(never)]
fn match_prefix(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let first = scan.bytes[start];
    if first == b'e' && scan.starts_with(start, b"eyJ") {
        return jwt(scan, start);
    }
    if first == b'h' && scan.starts_with(start, b"hooks") {
        return slack_webhook(scan, start);
    }
    if matches!(first, b'M' | b'N' | b'O') && end - start >= 20 && scan.byte_at(end) == b'.' {
        return discord_token(scan, start, end);
    }
    if first == b'I' && scan.starts_with(start, b"IncomingWebhook/") {
        return teams_webhook(scan, start);
    }
    if first == b'a' && scan.starts_with(start, b"atlasv1.") {
        return terraform_token(scan, start);
    }
    if scan.starts_with(start, b"AC")
        && end - start == 34
        && scan.cues.distance_of(bit::TWILIO, start, 48).is_some()
        && scan.bytes[start + 2..end].iter().all(u8::is_ascii_hexdigit)
    {
        return Some(scan.add_finding(EntityKind::Twilio, start, end, 80));
    }
    let (row, base) = FIRST_BYTE_ROWS[usize::from(first % 128)];
    let row = usize::from(row).checked_sub(1)?;
    let mut alike = PREFIX_CANDIDATES[row % 64][usize::from(scan.byte_at(start + 1) % 16)];
    let head = u32::from_le_bytes([first, scan.byte_at(start + 1), scan.byte_at(start + 2), scan.byte_at(start + 3)]);
    while alike != 0 {
        let at = usize::from(base) + alike.trailing_zeros() as usize;
        alike &= alike - 1;
        let (Some(prefix), Some((known, which))) = (PREFIXES.get(at), PREFIX_HEADS.get(at)) else { break };
        // Four bytes tell nearly all of them apart.
        if (head ^ known) & which != 0 {
            continue;
        }
        if !scan.starts_with(start, prefix.text.as_bytes()) {
            continue;
        }
        let body = start + prefix.text.len();
        let mut i = set_run(scan, body, prefix.max_body + 1, prefix.set);
        let fixed = prefix.min_body == prefix.max_body && i - body == prefix.max_body;
        while !fixed && i > body && matches!(scan.bytes[i - 1], b'.' | b'-') {
            i -= 1;
        }
        let len = i - body;
        if len < prefix.min_body || len > prefix.max_body || is_word(scan.byte_at(i)) {
            continue;
        }
        // Where prefixes are inside of bodies, the beginning of the body must suffice.
        let judged = if scan.cues.remaining_credit(start) < len { len.min(EXHAUSTED_EXAMINED_BYTES) } else { len };
        scan.cues.spend_credit(judged);
        let made_up = match prefix.set {
            BodySet::Upper => distinct_up_to_six(&scan.bytes[body..body + judged]) >= 6,
            _ => is_mixed(&scan.bytes[body..body + judged]),
        };
        if !made_up {
            continue;
        }
        return Some(scan.add_finding(prefix.kind, start, i, 98));
    }
    None
}

/// A made-up word after a prefix has digits or changes case; `sk-learn-contributors-and-friends-…` does not.
fn is_mixed(body: &[u8]) -> bool {
    let flags = body.iter().fold(0, |flags, b| flags | class_of(*b));
    (flags & DIGIT != 0 || flags & ALPHA == ALPHA) && distinct_up_to_six(body) >= 6.min(body.len() as u32)
}

/// How many different bytes there are, counted until there are six.
fn distinct_up_to_six(body: &[u8]) -> u32 {
    let (mut low, mut high) = (0_u64, 0_u64);
    for some in body.chunks(16) {
        for b in some {
            let (bit, upper) = (1 << (b % 64), u64::from(b / 64 % 2));
            low |= bit & upper.wrapping_sub(1);
            high |= bit & upper.wrapping_neg();
        }
        if low.count_ones() + high.count_ones() >= 6 {
            break;
        }
    }
    low.count_ones() + high.count_ones()
}

/// Webhooks of Teams: `…office.com/webhook…/id@tenant/IncomingWebhook/…/…`; the word is at `start`.
fn teams_webhook(scan: &mut Scan<'_>, start: usize) -> Option<usize> {
    let low = start.saturating_sub(128);
    let path = memchr::memmem::rfind(&scan.bytes[low..start], b"office.com/webhook")? + low + 18;
    let from = path + scan.bytes[path..start].iter().position(|b| *b == b'/')? + 1;
    let from = scan.next_uncovered(from).min(start);
    let to = bounded_run_end(scan, start, 160, |b| is_alnum(b) || matches!(b, b'/' | b'-'));
    (to - start >= 48).then(|| scan.add_finding(EntityKind::OtherToken, from, to, 98))
}

/// Webhooks of Discord: the host of a URL is at `from`; the path suffices to post.
pub(crate) fn discord_webhook(scan: &mut Scan<'_>, from: usize) -> Option<usize> {
    let hosts: [&[u8]; 2] = [b"discord.com/api/webhooks/", b"discordapp.com/api/webhooks/"];
    let host = hosts.iter().find(|host| scan.starts_with(from, host))?;
    let id = from + host.len();
    let to = bounded_run_end(scan, id, 120, |b| BodySet::Url.contains(b) || b == b'/');
    (to - id >= 70 && scan.bytes[id..to].contains(&b'/')).then(|| scan.add_finding(EntityKind::Discord, id, to, 98))
}

/// Access tokens of Salesforce: the id of an organization at `start..end`, `!`, some ninety more.
pub(crate) fn salesforce_token(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    if !scan.starts_with(start, b"00D") || !(12..=18).contains(&(end - start)) {
        return None;
    }
    let to = bounded_run_end(scan, end + 1, 200, |b| BodySet::Dotted.contains(b));
    (to - end > 80 && is_mixed(&scan.bytes[end + 1..to]))
        .then(|| scan.add_finding(EntityKind::OtherToken, start, to, 98))
}

/// Keys that Azure marks: `AZDO` and `AzSe` at their places.
pub(crate) fn azure_marked_key(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let word = &scan.bytes[start..end];
    let known = match word.len() {
        84 => &word[76..80] == b"AZDO" || &word[52..56] == b"JQQJ",
        52 => &word[42..46] == b"AzSe",
        _ => false,
    };
    (known && is_mixed(word)).then(|| scan.add_finding(EntityKind::Azure, start, end, 95))
}

/// Terraform Cloud: fourteen characters, `.atlasv1.`, some sixty more.
fn terraform_token(scan: &mut Scan<'_>, start: usize) -> Option<usize> {
    let from = start.checked_sub(15)?;
    let id = &scan.bytes[from..start - 1];
    if scan.bytes[start - 1] != b'.' || !id.iter().all(|b| is_alnum(*b)) || is_word(scan.byte_before(from)) {
        return None;
    }
    let to = bounded_run_end(scan, start + 8, 72, |b| BodySet::Base64.contains(b));
    (to - start >= 60).then(|| scan.add_finding(EntityKind::OtherToken, from, to, 98))
}

/// Client secrets of Azure AD: three characters, a digit, `Q~`, 31 to 34 more; a word that ends with the `Q` is at
/// `start..end`.
pub(crate) fn entra_client_secret(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let has = |b: u8| is_alnum(b) || matches!(b, b'_' | b'~' | b'.' | b'-');
    let from = end.checked_sub(5)?;
    if from + 3 < start && !scan.bytes[from..start].iter().all(|b| has(*b))
        || !scan.bytes[from..end].iter().all(|b| has(*b))
    {
        return None;
    }
    let to = bounded_run_end(scan, end + 1, 36, has);
    let to = if matches!(scan.bytes[to - 1], b'.') { to - 1 } else { to };
    ((31..=34).contains(&(to - end - 1)) && is_mixed(&scan.bytes[end + 1..to]))
        .then(|| scan.add_finding(EntityKind::Azure, from, to, 95))
}

/// `1//0…`: refresh tokens of Google; the `1` is at `start`.
pub(crate) fn google_refresh_token(scan: &mut Scan<'_>, start: usize) -> Option<usize> {
    if !scan.starts_with(start, b"1//0") || is_word(scan.byte_before(start)) {
        return None;
    }
    let to = bounded_run_end(scan, start + 4, 200, |b| BodySet::Url.contains(b));
    (to - start >= 40 && is_mixed(&scan.bytes[start + 4..to])).then(|| scan.add_finding(EntityKind::Gcp, start, to, 95))
}

/// Mailchimp's keys: the 32 digits of a hash precede `end`, and `-us12` follows.
pub(crate) fn mailchimp_key(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let to = end
        + 3
        + usize::from(scan.byte_at(end + 3).is_ascii_digit())
        + usize::from(scan.byte_at(end + 4).is_ascii_digit());
    let hex = scan.bytes[start..end].iter().all(u8::is_ascii_hexdigit);
    (hex && scan.starts_with(end, b"-us") && to > end + 3 && !is_word(scan.byte_at(to)))
        .then(|| scan.add_finding(EntityKind::OtherToken, start, to, 90))
}

/// The same for a set. What was seen to be in it is not looked at again, so that prefixes in the middle of one run cost
/// no more than one.
fn set_run(scan: &mut Scan<'_>, from: usize, most: usize, set: BodySet) -> usize {
    let (first, last) = scan.secret_runs[set as usize];
    let inside = (first as usize..=last as usize).contains(&from);
    let known = if inside { (last as usize).min(from + most) } else { from };
    let stop = scan.bytes.len().min(from + most);
    let end = set.run_end_from(&scan.bytes[..stop], known);
    let end = note_run_end(scan, known, end);
    scan.secret_runs[set as usize] = if inside { (first, last.max(end as u32)) } else { (from as u32, end as u32) };
    end
}

/// The end of a run of such bytes, at most `most` bytes on; reports that the rule starves if the text ends first.
pub(crate) fn bounded_run_end(scan: &mut Scan<'_>, from: usize, most: usize, has: impl Fn(u8) -> bool) -> usize {
    let stop = scan.bytes.len().min(from + most);
    let mut i = from;
    while i < stop && has(scan.bytes[i]) {
        i += 1;
    }
    note_run_end(scan, from, i)
}

/// Records that a run was examined from `from` to its `end`; reports that the rule starves if the text ends there.
/// Returns the end.
pub(crate) fn note_run_end(scan: &mut Scan<'_>, from: usize, end: usize) -> usize {
    #[cfg(test)]
    scan.examined.set(scan.examined.get() + (end - from) as u64);
    debug_assert!(from <= end, "a run ends behind its beginning");
    if end == scan.bytes.len() && !scan.is_last {
        scan.starved = true;
    }
    end
}

const MAX_JWT_BYTES: usize = 16 * 1024;

/// JSON web tokens (RFC 7519): three parts, the first of which is a JSON object; also encrypted ones with five.
fn jwt(scan: &mut Scan<'_>, start: usize) -> Option<usize> {
    let url = |b: u8| BodySet::Url.contains(b);
    let header = set_run(scan, start, 2048, BodySet::Url);
    let text = &scan.bytes[start..header];
    if text.len() < 16 || scan.byte_at(header) != b'.' {
        return encoded_json(scan, start);
    }
    // Whole groups of four decode on their own.
    let head = URL_SAFE_NO_PAD.decode(text.get(..16)?).ok()?;
    if !head.starts_with(b"{\"") {
        return None;
    }
    let mut i = header;
    let mut parts = 1;
    while scan.byte_at(i) == b'.' && parts < 5 {
        let to = bounded_run_end(scan, i + 1, MAX_JWT_BYTES, url);
        if to == i + 1 && parts < 2 {
            break;
        }
        i = to;
        parts += 1;
    }
    // Unsigned tokens end with a dot.
    (parts >= 3).then(|| scan.add_finding(EntityKind::Jwt, start, i, 100))
}

const MAX_ENCODED_JSON_BYTES: usize = 4096;

/// JSON in base64: a key of Grafana (`{"k":"…`), or what has something in it that would be found.
fn encoded_json(scan: &mut Scan<'_>, start: usize) -> Option<usize> {
    let seen = set_run(scan, start, MAX_ENCODED_JSON_BYTES, BodySet::Base64);
    let text = &scan.bytes[start..seen];
    if text.starts_with(b"eyJrIjoi") && text.len() >= 40 {
        return Some(scan.add_finding(EntityKind::OtherToken, start, seen, 95));
    }
    if text.len() < 24 || scan.cues.remaining_credit(start) < text.len() {
        return None;
    }
    scan.cues.spend_credit(seen - start);
    let mut plain: Vec<u8> = text.iter().copied().filter(|b| *b != b'=').collect();
    for b in &mut plain {
        *b = match *b {
            b'+' => b'-',
            b'/' => b'_',
            b => b,
        };
    }
    let decoded = URL_SAFE_NO_PAD.decode(&plain).ok().filter(|json| json.ends_with(b"}"))?;
    let mut hits = FindingList::new();
    (scan.calls.run)(&mut Scan::new(&decoded, 0, None, &mut hits, scan.calls));
    let kind = hits.as_slice().first().and_then(|hit| EntityKind::from_index(hit.kind))?;
    Some(scan.add_finding(kind, start, seen, 85))
}

/// Discord bot tokens: the id in base64, a time, a signature.
fn discord_token(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let id = scan.bytes.get(start..start + 24.min(end - start))?;
    let decoded = URL_SAFE_NO_PAD.decode(&id[..id.len() / 4 * 4]).ok()?;
    if !decoded.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let time = bounded_run_end(scan, end + 1, 8, |b| BodySet::Url.contains(b));
    if time - end - 1 != 6 || scan.byte_at(time) != b'.' {
        return None;
    }
    let to = bounded_run_end(scan, time + 1, 48, |b| BodySet::Url.contains(b));
    (to - time > 26).then(|| scan.add_finding(EntityKind::Discord, start, to, 98))
}

/// `hooks.slack.com/services/…`: the path suffices to post.
fn slack_webhook(scan: &mut Scan<'_>, start: usize) -> Option<usize> {
    let paths: [&[u8]; 2] = [b"hooks.slack.com/services/", b"hooks.slack.com/workflows/"];
    let path = paths.iter().find(|path| scan.starts_with(start, path))?;
    let from = start + path.len();
    let to = bounded_run_end(scan, from, 100, |b| is_alnum(b) || b == b'/');
    (to - from >= 30).then(|| scan.add_finding(EntityKind::Slack, from, to, 98))
}

/// Telegram bot tokens: an id of 8 to 10 digits at `start..end`, a colon, 35 characters.
pub(crate) fn telegram_token(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    if scan.byte_at(end) != b':' || scan.byte_at(end + 1) != b'A' {
        return None;
    }
    let to = bounded_run_end(scan, end + 1, 36, |b| BodySet::Url.contains(b));
    (to - end - 1 == 35 && is_mixed(&scan.bytes[end + 1..to]))
        .then(|| scan.add_finding(EntityKind::Telegram, start, to, 95))
}

#[cfg(test)]
mod tests {
    use super::{MIN_SECRET_WORD, PREFIXES};

    #[test]
    fn every_secret_prefix_needs_more_than_a_short_word() {
        for prefix in PREFIXES {
            let letters = prefix.text.bytes().all(|b| b.is_ascii_alphabetic());
            assert!(!letters || prefix.text.len() + prefix.min_body >= MIN_SECRET_WORD, "{}", prefix.text);
        }
    }
}
