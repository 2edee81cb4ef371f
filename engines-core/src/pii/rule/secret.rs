//! Secrets that say themselves what they are, by a prefix their issuer gives them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::pii::entity::Kind;
use crate::pii::scan::class::{ALPHA, DIGIT, class, is_alnum, is_word};
use crate::pii::scan::cue::bit;
use crate::pii::scan::hits::Hits;
use crate::pii::scan::{Scan, run_end};

use super::prefix::PREFIXES;

/// What the part behind a prefix is made of.
#[derive(Clone, Copy)]
pub(super) enum Set {
    /// Letters and digits.
    Alnum,
    /// And `-`, `_`.
    Url,
    /// And `-`, `_`, `.`.
    Dotted,
    /// Capitals and digits.
    Upper,
    Hex,
    /// Base64 with `+`, `/`, `=`.
    Base64,
}

/// How much of a body is looked at when many were looked at for nothing.
const GLANCED: usize = 48;

/// How many of them there are.
pub(crate) const SETS: usize = 6;

impl Set {
    fn has(self, b: u8) -> bool {
        match self {
            Self::Alnum => is_alnum(b),
            Self::Url => is_alnum(b) || b == b'-' || b == b'_',
            Self::Dotted => is_alnum(b) || matches!(b, b'-' | b'_' | b'.'),
            Self::Upper => b.is_ascii_uppercase() || b.is_ascii_digit(),
            Self::Hex => b.is_ascii_hexdigit(),
            Self::Base64 => is_alnum(b) || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_'),
        }
    }

    /// Where a run of such bytes ends.
    fn end(self, b: &[u8], from: usize) -> usize {
        match self {
            Self::Alnum => run_end(b, from, []),
            Self::Url => run_end(b, from, [b'-', b'_']),
            Self::Dotted => run_end(b, from, [b'-', b'_', b'.']),
            Self::Base64 => run_end(b, from, [b'+', b'/', b'=', b'-', b'_']),
            Self::Upper | Self::Hex => {
                b.get(from..).map_or(from, |rest| from + rest.iter().take_while(|b| self.has(**b)).count())
            }
        }
    }
}

pub(super) struct Prefix {
    text: &'static str,
    kind: Kind,
    set: Set,
    least: usize,
    most: usize,
}

pub(super) const fn p(text: &'static str, kind: Kind, set: Set, least: usize, most: usize) -> Prefix {
    Prefix { text, kind, set, least, most }
}

/// For a first byte, which row of `ALIKE`, counted from 1, and which of the prefixes is the first.
static ROWS: [(u8, u16); 128] = {
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

/// For a first byte and the lower bits of a second, which prefixes begin so: one bit for each, from the first with that first byte on.
static ALIKE: [[u64; 16]; 64] = {
    let mut alike = [[0; 16]; 64];
    let mut i = 0;
    while i < PREFIXES.len() {
        let text = PREFIXES[i].text.as_bytes();
        let (row, first) = ROWS[text[0] as usize];
        alike[row as usize - 1][text[1] as usize % 16] |= 1 << (i - first as usize);
        i += 1;
    }
    alike
};

/// The first four bytes of each prefix, and which of their bits it has.
static HEADS: [(u32, u32); PREFIXES.len()] = {
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
static SECOND: [[u64; 2]; 128] = {
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
pub(crate) const PLAIN: usize = 16;

/// Whether some prefix begins with these two bytes.
#[inline]
pub(crate) fn may_begin(first: u8, second: u8) -> bool {
    let halves = SECOND[usize::from(first % 128)];
    (first | second) < 0x80 && halves[usize::from(second / 64 % 2)] >> (second % 64) & 1 != 0
}

/// A word stands at `start..end`: a secret if it begins like one.
#[inline]
pub(crate) fn prefixed(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let (a, b) = (s.b[start], s.at(start + 1));
    if !may_begin(a, b) {
        return None;
    }
    begins(s, start, end)
}

#[inline(never)]
fn begins(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let first = s.b[start];
    if first == b'e' && s.starts(start, b"eyJ") {
        return jwt(s, start);
    }
    if first == b'h' && s.starts(start, b"hooks") {
        return webhook(s, start);
    }
    if matches!(first, b'M' | b'N' | b'O') && end - start >= 20 && s.at(end) == b'.' {
        return discord(s, start, end);
    }
    if first == b'I' && s.starts(start, b"IncomingWebhook/") {
        return teams(s, start);
    }
    if first == b'a' && s.starts(start, b"atlasv1.") {
        return terraform(s, start);
    }
    if s.starts(start, b"AC")
        && end - start == 34
        && s.cues.near(bit::TWILIO, start, 48).is_some()
        && s.b[start + 2..end].iter().all(u8::is_ascii_hexdigit)
    {
        return Some(s.hit(Kind::Twilio, start, end, 80));
    }
    let (row, base) = ROWS[usize::from(first % 128)];
    let row = usize::from(row).checked_sub(1)?;
    let mut alike = ALIKE[row % 64][usize::from(s.at(start + 1) % 16)];
    let head = u32::from_le_bytes([first, s.at(start + 1), s.at(start + 2), s.at(start + 3)]);
    while alike != 0 {
        let at = usize::from(base) + alike.trailing_zeros() as usize;
        alike &= alike - 1;
        let (Some(prefix), Some((known, which))) = (PREFIXES.get(at), HEADS.get(at)) else { break };
        // Four bytes tell nearly all of them apart.
        if (head ^ known) & which != 0 {
            continue;
        }
        if !s.starts(start, prefix.text.as_bytes()) {
            continue;
        }
        let body = start + prefix.text.len();
        let mut i = set_run(s, body, prefix.most + 1, prefix.set);
        let fixed = prefix.least == prefix.most && i - body == prefix.most;
        while !fixed && i > body && matches!(s.b[i - 1], b'.' | b'-') {
            i -= 1;
        }
        let len = i - body;
        if len < prefix.least || len > prefix.most || is_word(s.at(i)) {
            continue;
        }
        // Where prefixes stand inside of bodies, what a body begins with has to do.
        let judged = if s.cues.credit(start) < len { len.min(GLANCED) } else { len };
        s.cues.charge(judged);
        let made_up = match prefix.set {
            Set::Upper => distinct(&s.b[body..body + judged]) >= 6,
            _ => mixed(&s.b[body..body + judged]),
        };
        if !made_up {
            continue;
        }
        return Some(s.hit(prefix.kind, start, i, 98));
    }
    None
}

/// A made-up word after a prefix has digits or changes case; `sk-learn-contributors-and-friends-…` does not.
fn mixed(body: &[u8]) -> bool {
    let flags = body.iter().fold(0, |flags, b| flags | class(*b));
    (flags & DIGIT != 0 || flags & ALPHA == ALPHA) && distinct(body) >= 6.min(body.len() as u32)
}

/// How many different bytes there are, counted until there are six.
fn distinct(body: &[u8]) -> u32 {
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

/// Webhooks of Teams: `…office.com/webhook…/id@tenant/IncomingWebhook/…/…`; the word stands at `start`.
fn teams(s: &mut Scan<'_>, start: usize) -> Option<usize> {
    let low = start.saturating_sub(128);
    let path = memchr::memmem::rfind(&s.b[low..start], b"office.com/webhook")? + low + 18;
    let from = path + s.b[path..start].iter().position(|b| *b == b'/')? + 1;
    let from = s.uncovered(from).min(start);
    let to = run(s, start, 160, |b| is_alnum(b) || matches!(b, b'/' | b'-'));
    (to - start >= 48).then(|| s.hit(Kind::OtherToken, from, to, 98))
}

/// Webhooks of Discord: the host of a URL stands at `from`; whoever has the path can post.
pub(crate) fn posting(s: &mut Scan<'_>, from: usize) -> Option<usize> {
    let hosts: [&[u8]; 2] = [b"discord.com/api/webhooks/", b"discordapp.com/api/webhooks/"];
    let host = hosts.iter().find(|host| s.starts(from, host))?;
    let id = from + host.len();
    let to = run(s, id, 120, |b| Set::Url.has(b) || b == b'/');
    (to - id >= 70 && s.b[id..to].contains(&b'/')).then(|| s.hit(Kind::Discord, id, to, 98))
}

/// Access tokens of Salesforce: the id of an organization at `start..end`, `!`, some ninety more.
pub(crate) fn salesforce(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    if !s.starts(start, b"00D") || !(12..=18).contains(&(end - start)) {
        return None;
    }
    let to = run(s, end + 1, 200, |b| Set::Dotted.has(b));
    (to - end > 80 && mixed(&s.b[end + 1..to])).then(|| s.hit(Kind::OtherToken, start, to, 98))
}

/// Keys that Azure marks: `AZDO` and `AzSe` at their places.
pub(crate) fn marked(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let word = &s.b[start..end];
    let known = match word.len() {
        84 => &word[76..80] == b"AZDO" || &word[52..56] == b"JQQJ",
        52 => &word[42..46] == b"AzSe",
        _ => false,
    };
    (known && mixed(word)).then(|| s.hit(Kind::Azure, start, end, 95))
}

/// Terraform Cloud: fourteen characters, `.atlasv1.`, some sixty more.
fn terraform(s: &mut Scan<'_>, start: usize) -> Option<usize> {
    let from = start.checked_sub(15)?;
    let id = &s.b[from..start - 1];
    if s.b[start - 1] != b'.' || !id.iter().all(|b| is_alnum(*b)) || is_word(s.before(from)) {
        return None;
    }
    let to = run(s, start + 8, 72, |b| Set::Base64.has(b));
    (to - start >= 60).then(|| s.hit(Kind::OtherToken, from, to, 98))
}

/// Client secrets of Azure AD: three characters, a digit, `Q~`, 31 to 34 more; a word that ends with the `Q` stands at `start..end`.
pub(crate) fn entra(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let has = |b: u8| is_alnum(b) || matches!(b, b'_' | b'~' | b'.' | b'-');
    let from = end.checked_sub(5)?;
    if from + 3 < start && !s.b[from..start].iter().all(|b| has(*b)) || !s.b[from..end].iter().all(|b| has(*b)) {
        return None;
    }
    let to = run(s, end + 1, 36, has);
    let to = if matches!(s.b[to - 1], b'.') { to - 1 } else { to };
    ((31..=34).contains(&(to - end - 1)) && mixed(&s.b[end + 1..to])).then(|| s.hit(Kind::Azure, from, to, 95))
}

/// `1//0…`: refresh tokens of Google; the `1` stands at `start`.
pub(crate) fn refresh(s: &mut Scan<'_>, start: usize) -> Option<usize> {
    if !s.starts(start, b"1//0") || is_word(s.before(start)) {
        return None;
    }
    let to = run(s, start + 4, 200, |b| Set::Url.has(b));
    (to - start >= 40 && mixed(&s.b[start + 4..to])).then(|| s.hit(Kind::Gcp, start, to, 95))
}

/// Mailchimp's keys: the 32 digits of a hash stand before `end`, `-us12` behind it.
pub(crate) fn mailchimp(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let to = end + 3 + usize::from(s.at(end + 3).is_ascii_digit()) + usize::from(s.at(end + 4).is_ascii_digit());
    let hex = s.b[start..end].iter().all(u8::is_ascii_hexdigit);
    (hex && s.starts(end, b"-us") && to > end + 3 && !is_word(s.at(to))).then(|| s.hit(Kind::OtherToken, start, to, 90))
}

/// The same for a set. What was seen to be in it is not looked at again, so that prefixes in the middle of one run cost no more than one.
fn set_run(s: &mut Scan<'_>, from: usize, most: usize, set: Set) -> usize {
    let (first, last) = s.runs[set as usize];
    let inside = (first as usize..=last as usize).contains(&from);
    let known = if inside { (last as usize).min(from + most) } else { from };
    let stop = s.b.len().min(from + most);
    let end = set.end(&s.b[..stop], known);
    let end = seen_to(s, known, end);
    s.runs[set as usize] = if inside { (first, last.max(end as u32)) } else { (from as u32, end as u32) };
    end
}

/// Where a run of such bytes ends, at most `most` bytes on; says that it starves if the text ends first.
pub(crate) fn run(s: &mut Scan<'_>, from: usize, most: usize, has: impl Fn(u8) -> bool) -> usize {
    let stop = s.b.len().min(from + most);
    let mut i = from;
    while i < stop && has(s.b[i]) {
        i += 1;
    }
    seen_to(s, from, i)
}

/// Notes that a run was looked at from `from` to its `end`; says that it starves if the text ends there. Returns the end.
pub(crate) fn seen_to(s: &mut Scan<'_>, from: usize, end: usize) -> usize {
    #[cfg(test)]
    s.looks.set(s.looks.get() + (end - from) as u64);
    debug_assert!(from <= end, "a run ends behind its beginning");
    if end == s.b.len() && !s.last {
        s.starved = true;
    }
    end
}

const JWT_MAX: usize = 16 * 1024;

/// JSON web tokens (RFC 7519): three parts, the first of which is a JSON object; also encrypted ones with five.
fn jwt(s: &mut Scan<'_>, start: usize) -> Option<usize> {
    let url = |b: u8| Set::Url.has(b);
    let header = set_run(s, start, 2048, Set::Url);
    let text = &s.b[start..header];
    if text.len() < 16 || s.at(header) != b'.' {
        return packed(s, start);
    }
    // Whole groups of four decode on their own.
    let head = URL_SAFE_NO_PAD.decode(text.get(..16)?).ok()?;
    if !head.starts_with(b"{\"") {
        return None;
    }
    let mut i = header;
    let mut parts = 1;
    while s.at(i) == b'.' && parts < 5 {
        let to = run(s, i + 1, JWT_MAX, url);
        if to == i + 1 && parts < 2 {
            break;
        }
        i = to;
        parts += 1;
    }
    // Unsigned tokens end with a dot.
    (parts >= 3).then(|| s.hit(Kind::Jwt, start, i, 100))
}

const PACKED_MAX: usize = 4096;

/// JSON in base64: a key of Grafana (`{"k":"…`), or what has something in it that would be found.
fn packed(s: &mut Scan<'_>, start: usize) -> Option<usize> {
    let seen = set_run(s, start, PACKED_MAX, Set::Base64);
    let text = &s.b[start..seen];
    if text.starts_with(b"eyJrIjoi") && text.len() >= 40 {
        return Some(s.hit(Kind::OtherToken, start, seen, 95));
    }
    if text.len() < 24 || s.cues.credit(start) < text.len() {
        return None;
    }
    s.cues.charge(seen - start);
    let mut plain: Vec<u8> = text.iter().copied().filter(|b| *b != b'=').collect();
    for b in &mut plain {
        *b = match *b {
            b'+' => b'-',
            b'/' => b'_',
            b => b,
        };
    }
    let decoded = URL_SAFE_NO_PAD.decode(&plain).ok().filter(|json| json.ends_with(b"}"))?;
    let mut hits = Hits::new();
    Scan::new(&decoded, 0, None, &mut hits).run();
    let kind = hits.as_slice().first().and_then(|hit| Kind::from_index(hit.kind))?;
    Some(s.hit(kind, start, seen, 85))
}

/// Discord bot tokens: the id in base64, a time, a signature.
fn discord(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let id = s.b.get(start..start + 24.min(end - start))?;
    let decoded = URL_SAFE_NO_PAD.decode(&id[..id.len() / 4 * 4]).ok()?;
    if !decoded.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let time = run(s, end + 1, 8, |b| Set::Url.has(b));
    if time - end - 1 != 6 || s.at(time) != b'.' {
        return None;
    }
    let to = run(s, time + 1, 48, |b| Set::Url.has(b));
    (to - time > 26).then(|| s.hit(Kind::Discord, start, to, 98))
}

/// `hooks.slack.com/services/…`: whoever has the path can post.
fn webhook(s: &mut Scan<'_>, start: usize) -> Option<usize> {
    let paths: [&[u8]; 2] = [b"hooks.slack.com/services/", b"hooks.slack.com/workflows/"];
    let path = paths.iter().find(|path| s.starts(start, path))?;
    let from = start + path.len();
    let to = run(s, from, 100, |b| is_alnum(b) || b == b'/');
    (to - from >= 30).then(|| s.hit(Kind::Slack, from, to, 98))
}

/// Telegram bot tokens: an id of 8 to 10 digits at `start..end`, a colon, 35 characters.
pub(crate) fn telegram(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    if s.at(end) != b':' || s.at(end + 1) != b'A' {
        return None;
    }
    let to = run(s, end + 1, 36, |b| Set::Url.has(b));
    (to - end - 1 == 35 && mixed(&s.b[end + 1..to])).then(|| s.hit(Kind::Telegram, start, to, 95))
}

#[cfg(test)]
mod tests {
    use super::{PLAIN, PREFIXES};

    #[test]
    fn no_secret_is_a_short_word() {
        for prefix in PREFIXES {
            let letters = prefix.text.bytes().all(|b| b.is_ascii_alphabetic());
            assert!(!letters || prefix.text.len() + prefix.least >= PLAIN, "{}", prefix.text);
        }
    }
}
