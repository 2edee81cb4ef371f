//! Encoded and disguised characters: a plain copy of a text with a map back to the original bytes.
//!
//! Full-width and other Unicode digits become ASCII, zero-width characters and soft hyphens go, special spaces and dashes become
//! plain ones, typographic punctuation becomes ASCII punctuation, and percent-, HTML-, `\u0040`- and `\x40`-escapes are decoded.

use std::cell::Cell;

use super::block::next_odd;

/// The most that a thread keeps of the room for a copy.
const KEPT_BYTES: usize = 64 * 1024;

thread_local! {
    static KEPT: Cell<Plain> = const { Cell::new(Plain { text: Vec::new(), marks: Vec::new() }) };
}

/// The plain copy and the map.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    pub(crate) text: Vec<u8>,
    /// Where the offset changes: position in the copy, position in the original, end in the original of what stands before.
    marks: Vec<(u32, u32, u32)>,
}

impl Plain {
    pub(crate) fn of(source: &[u8]) -> Self {
        let mut plain = Self::default();
        plain.set(source);
        plain
    }

    /// Becomes the plain copy of another text.
    fn set(&mut self, source: &[u8]) {
        self.text.clear();
        self.marks.clear();
        self.text.reserve(source.len() + 16);
        let end = self.extend(source, 0, true);
        debug_assert_eq!(end, source.len());
    }

    /// Lends the plain copy of a text, in room that a thread keeps for the next one unless it is large.
    pub(crate) fn lend<R>(source: &[u8], to: impl FnOnce(&Self) -> R) -> R {
        let mut plain = KEPT.try_with(Cell::take).unwrap_or_default();
        plain.set(source);
        let result = to(&plain);
        if plain.text.capacity() <= KEPT_BYTES && plain.marks.capacity() <= KEPT_BYTES / 16 {
            // A thread that ends keeps nothing.
            KEPT.try_with(|kept| kept.set(plain)).unwrap_or_default();
        }
        result
    }

    /// Decodes `source[from..]`; unless it is the `last` part, stops before something that may go on. Returns where it stopped.
    pub(crate) fn extend(&mut self, source: &[u8], from: usize, last: bool) -> usize {
        let mut i = from;
        while i < source.len() {
            let odd = next_odd(source, i);
            self.copy(source, i, odd);
            i = odd;
            let rest = &source[i..];
            let Some(&b) = rest.first() else { break };
            if !last && rest.len() < MAX_ESCAPE {
                break;
            }
            // Nearly all escapes are these.
            if b == b'\\'
                && let Some(simple) = rest.get(1).and_then(|b| simple(*b))
            {
                let at = self.text.len() as u32;
                self.text.push(simple);
                self.marks.push((at + 1, i as u32 + 2, i as u32 + 2));
                i += 2;
                continue;
            }
            match decode(rest) {
                Some((bytes, used)) => {
                    let at = self.text.len() as u32;
                    match bytes {
                        Decoded::Byte(b) => self.text.push(b),
                        Decoded::Char(c) => self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                        Decoded::Nothing => {}
                    }
                    i += used;
                    self.mark(at, i, i - used);
                }
                None => {
                    let len = width(b).min(rest.len());
                    self.text.extend_from_slice(&rest[..len]);
                    i += len;
                }
            }
        }
        i
    }

    /// Appends `source[from..to]`.
    #[inline]
    fn copy(&mut self, source: &[u8], from: usize, to: usize) {
        let end = self.text.len() + to - from;
        match source[from..].first_chunk::<16>() {
            // Most stretches are short: one move, and a little less of it kept.
            Some(chunk) if to - from <= 16 => {
                self.text.extend_from_slice(chunk);
                self.text.truncate(end);
            }
            _ => self.text.extend_from_slice(&source[from..to]),
        }
    }

    /// Something that was decoded stands at `at` of the copy and is over; it stood at `before..source` of the original.
    fn mark(&mut self, at: u32, source: usize, before: usize) {
        let now = self.text.len() as u32;
        match self.marks.last_mut() {
            Some(last) if last.0 == now => last.1 = source as u32,
            _ => self.marks.push((now, source as u32, if now == at { before } else { source } as u32)),
        }
    }

    /// Where in the original the character at `at` of the copy begins.
    pub(crate) fn start(&self, at: usize) -> usize {
        let k = self.marks.partition_point(|m| m.0 as usize <= at);
        match k.checked_sub(1).and_then(|k| self.marks.get(k)) {
            Some(m) => m.1 as usize + (at - m.0 as usize),
            None => at,
        }
    }

    /// Where in the original the character before `at` of the copy ends.
    pub(crate) fn end(&self, at: usize) -> usize {
        let k = self.marks.partition_point(|m| m.0 as usize <= at);
        match k.checked_sub(1).and_then(|k| self.marks.get(k)) {
            Some(m) if m.0 as usize == at => m.2 as usize,
            Some(m) => m.1 as usize + (at - m.0 as usize),
            None => at,
        }
    }

    /// Forgets the copy before `plain` and the original before `source`.
    pub(crate) fn drop_front(&mut self, plain: usize, source: usize) {
        let base = self.start(plain);
        self.text.drain(..plain);
        let mut kept = Vec::with_capacity(self.marks.len() + 1);
        kept.push((0, (base - source) as u32, (self.end(plain).max(source) - source) as u32));
        for m in &self.marks {
            if m.0 as usize > plain {
                kept.push((m.0 - plain as u32, m.1 - source as u32, m.2 - source as u32));
            }
        }
        self.marks = kept;
    }
}

/// The longest escape, in bytes: an entity whose characters are escaped themselves.
pub(crate) const MAX_ESCAPE: usize = 48;

enum Decoded {
    Byte(u8),
    Char(char),
    Nothing,
}

fn width(lead: u8) -> usize {
    match lead {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc2.. => 2,
        _ => 1,
    }
}

/// Whether anything in a text needs decoding.
pub(crate) fn anywhere(b: &[u8]) -> bool {
    let mut i = 0;
    while i < b.len() {
        i = next_odd(b, i);
        let Some(rest) = b.get(i..).filter(|rest| !rest.is_empty()) else { return false };
        if decode(rest).is_some() {
            return true;
        }
        i += width(rest[0]);
    }
    false
}

const fn special_lead(b: u8) -> bool {
    matches!(b, 0xc2 | 0xcd | 0xd8..=0xdb | 0xdf | 0xe0..=0xe3 | 0xef | 0xf0)
}

fn decode(rest: &[u8]) -> Option<(Decoded, usize)> {
    let (first, used) = flat(rest)?;
    let sign = match first {
        Decoded::Byte(b) => b,
        Decoded::Char(c) if c.is_ascii() => c as u8,
        _ => return Some((first, used)),
    };
    if !matches!(sign, b'%' | b'&' | b'\\') || used == 1 {
        return Some((first, used));
    }
    Some(nested(sign, rest, used).unwrap_or((first, used)))
}

/// An escape whose own characters are escaped: `&amp;#64;`, `%26%2364%3B`, `\u002540`, `%5Cu0040`. What was decoded is `sign`.
fn nested(sign: u8, rest: &[u8], used: usize) -> Option<(Decoded, usize)> {
    const INNER: usize = 10;
    let (mut inner, mut ends) = ([sign; INNER], [used; INNER]);
    let (mut n, mut at) = (1, used);
    while n < INNER && at < rest.len() {
        let (b, len) = match flat(&rest[at..]) {
            Some((Decoded::Byte(b), len)) => (b, len),
            Some((Decoded::Char(c), len)) if c.is_ascii() => (c as u8, len),
            Some(_) => break,
            None => (rest[at], 1),
        };
        // Nothing of an escape looks otherwise.
        if !b.is_ascii_alphanumeric() && !matches!(b, b'#' | b';' | b'{' | b'}' | b'%') {
            break;
        }
        at += len;
        (inner[n], ends[n]) = (b, at);
        n += 1;
        if b == b';' {
            break;
        }
    }
    let (decoded, len) = flat(&inner[..n])?;
    (len > 1).then(|| (decoded, ends[len - 1]))
}

fn flat(rest: &[u8]) -> Option<(Decoded, usize)> {
    match *rest.first()? {
        b'\\' => backslash(rest),
        b'%' => percent(rest),
        b'&' => entity(rest),
        b if special_lead(b) => unicode(rest),
        _ => None,
    }
}

fn hex(b: u8) -> Option<u32> {
    (b as char).to_digit(16)
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    digits.iter().try_fold(0_u32, |n, b| Some(n * radix + (*b as char).to_digit(radix)?))
}

/// A code point that was written as an escape: disguises inside escapes count too.
fn character(code: u32, used: usize) -> Option<(Decoded, usize)> {
    let c = char::from_u32(code)?;
    let mut buffer = [0; 4];
    let bytes = c.encode_utf8(&mut buffer).as_bytes();
    if !c.is_ascii()
        && let Some((inner, _)) = decode(bytes)
    {
        return Some((inner, used));
    }
    Some((Decoded::Char(c), used))
}

/// What stands for a backslash and this, and nothing else.
#[inline]
fn simple(b: u8) -> Option<u8> {
    match b {
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'b' => Some(8),
        b'f' => Some(12),
        b'"' | b'/' => Some(b),
        _ => None,
    }
}

fn backslash(rest: &[u8]) -> Option<(Decoded, usize)> {
    let next = *rest.get(1)?;
    if let Some(byte) = simple(next) {
        return Some((Decoded::Byte(byte), 2));
    }
    match next {
        b'u' if rest.get(2) == Some(&b'{') => {
            let close = rest.iter().take(11).position(|b| *b == b'}')?;
            character(number(rest.get(3..close).filter(|d| !d.is_empty())?, 16)?, close + 1)
        }
        b'u' => {
            let code = number(rest.get(2..6)?, 16)?;
            if (0xd800..0xdc00).contains(&code) {
                if rest.get(6..8) != Some(b"\\u") {
                    return None;
                }
                let low = number(rest.get(8..12)?, 16)?;
                let low = low.checked_sub(0xdc00).filter(|l| *l < 0x400)?;
                return character(0x10000 + ((code - 0xd800) << 10) + low, 12);
            }
            character(code, 6)
        }
        b'x' => {
            let code = number(rest.get(2..4)?, 16)?;
            (0x20..0x7f).contains(&code).then_some((Decoded::Byte(code as u8), 4))
        }
        // Escaped twice, in JSON inside of JSON.
        b'\\' => match rest.get(2) {
            Some(b'u' | b'x' | b'n' | b'r' | b't' | b'b' | b'f' | b'"' | b'/') => match backslash(&rest[1..]) {
                Some((inner, used)) => Some((inner, used + 1)),
                None => Some((Decoded::Byte(b'\\'), 2)),
            },
            _ => Some((Decoded::Byte(b'\\'), 2)),
        },
        _ => None,
    }
}

fn percent(rest: &[u8]) -> Option<(Decoded, usize)> {
    let byte = (hex(*rest.get(1)?)? << 4 | hex(*rest.get(2)?)?) as u8;
    if byte == b'%' {
        // Encoded twice: `%2540` is `%40` is `@`.
        if let (Some(high), Some(low)) = (rest.get(3).and_then(|b| hex(*b)), rest.get(4).and_then(|b| hex(*b))) {
            let inner = (high << 4 | low) as u8;
            if (0x20..0x7f).contains(&inner) {
                return Some((Decoded::Byte(inner), 5));
            }
        }
        return Some((Decoded::Byte(b'%'), 3));
    }
    if byte < 0x80 {
        return ((0x20..0x7f).contains(&byte) || byte == b'\n' || byte == b'\t' || byte == b'\r')
            .then_some((Decoded::Byte(byte), 3));
    }
    let len = width(byte);
    if len == 1 {
        return None;
    }
    let mut buffer = [byte, 0, 0, 0];
    for (k, slot) in buffer.iter_mut().enumerate().take(len).skip(1) {
        if rest.get(3 * k) != Some(&b'%') {
            return None;
        }
        *slot = (hex(*rest.get(3 * k + 1)?)? << 4 | hex(*rest.get(3 * k + 2)?)?) as u8;
    }
    let c = std::str::from_utf8(&buffer[..len]).ok()?.chars().next()?;
    character(c as u32, 3 * len)
}

/// `&#64` without its semicolon, which browsers take as well.
fn unended(rest: &[u8]) -> Option<(Decoded, usize)> {
    let digits = rest.strip_prefix(b"&#")?.iter().take(7).take_while(|b| b.is_ascii_digit()).count();
    if !(2..=6).contains(&digits) {
        return None;
    }
    character(number(&rest[2..2 + digits], 10)?, 2 + digits)
}

fn entity(rest: &[u8]) -> Option<(Decoded, usize)> {
    let Some(semicolon) = rest.iter().take(12).position(|b| *b == b';') else { return unended(rest) };
    if rest[..semicolon].iter().skip(1).any(|b| matches!(b, b' ' | b'&')) {
        return unended(rest);
    }
    let name = rest.get(1..semicolon)?;
    let used = semicolon + 1;
    let code = match name {
        [b'#', b'x' | b'X', digits @ ..] if !digits.is_empty() => number(digits, 16)?,
        [b'#', digits @ ..] if !digits.is_empty() => number(digits, 10)?,
        b"amp" => u32::from(b'&'),
        b"commat" => u32::from(b'@'),
        b"period" => u32::from(b'.'),
        b"plus" => u32::from(b'+'),
        b"colon" => u32::from(b':'),
        b"sol" => u32::from(b'/'),
        b"lt" => u32::from(b'<'),
        b"gt" => u32::from(b'>'),
        b"quot" => u32::from(b'"'),
        b"apos" => u32::from(b'\''),
        b"nbsp" => 0xa0,
        b"shy" => 0xad,
        b"hyphen" | b"dash" => 0x2010,
        b"lowbar" => u32::from(b'_'),
        b"lpar" => u32::from(b'('),
        b"rpar" => u32::from(b')'),
        b"num" => u32::from(b'#'),
        _ => return None,
    };
    character(code, used)
}

/// Characters outside ASCII that stand for, or hide between, plain ones.
fn unicode(rest: &[u8]) -> Option<(Decoded, usize)> {
    let len = width(rest[0]);
    let c = std::str::from_utf8(rest.get(..len)?).ok()?.chars().next()? as u32;
    let byte = |b: u8| Some((Decoded::Byte(b), len));
    let digit = |zero: u32| Some((Decoded::Byte(b'0' + (c - zero) as u8), len));
    match c {
        0xad
        | 0x34f
        | 0x61c
        | 0x115f
        | 0x1160
        | 0x17b4
        | 0x17b5
        | 0x180e
        | 0x200b..=0x200f
        | 0x202a..=0x202e
        | 0x2060..=0x206f
        | 0xfe00..=0xfe0f
        | 0xfeff => Some((Decoded::Nothing, len)),
        0xa0 | 0x1680 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => byte(b' '),
        0x2028 | 0x2029 | 0x85 => byte(b'\n'),
        0x2010..=0x2015 | 0x2212 | 0xfe58 | 0xfe63 | 0xff0d | 0x2e3a | 0x2e3b => byte(b'-'),
        0x2018..=0x201b | 0x2032 | 0xb4 => byte(b'\''),
        0xab | 0xbb | 0x201c..=0x201f | 0x2033 | 0x300c..=0x300f => byte(b'"'),
        0x2024 | 0x2025 | 0x2026 | 0x3002 | 0xff61 | 0xb7 | 0x2022 | 0x30fb => {
            byte(if c == 0x2024 || c == 0x3002 || c == 0xff61 { b'.' } else { b';' })
        }
        0x3001 => byte(b','),
        0x3008..=0x300b | 0x3010 | 0x3011 | 0x3014..=0x301b => byte(b'"'),
        0x20a0..=0x20cf | 0xa2..=0xa5 => byte(b'$'),
        0x2044 | 0x2215 => byte(b'/'),
        0xfe6b => byte(b'@'),
        0xfe52 => byte(b'.'),
        0xff01..=0xff5e => byte((c - 0xff01 + 0x21) as u8),
        0x660..=0x669 => digit(0x660),
        0x6f0..=0x6f9 => digit(0x6f0),
        0x7c0..=0x7c9 => digit(0x7c0),
        0x966..=0x96f => digit(0x966),
        0x9e6..=0x9ef => digit(0x9e6),
        0xa66..=0xa6f => digit(0xa66),
        0xae6..=0xaef => digit(0xae6),
        0xb66..=0xb6f => digit(0xb66),
        0xbe6..=0xbef => digit(0xbe6),
        0xc66..=0xc6f => digit(0xc66),
        0xce6..=0xcef => digit(0xce6),
        0xd66..=0xd6f => digit(0xd66),
        0xe50..=0xe59 => digit(0xe50),
        0xed0..=0xed9 => digit(0xed0),
        0xf20..=0xf29 => digit(0xf20),
        0x1040..=0x1049 => digit(0x1040),
        0x17e0..=0x17e9 => digit(0x17e0),
        // Mathematical letters, by alphabets of fifty-two; circled ones.
        0x1d400..=0x1d6a3 => {
            let letter = ((c - 0x1d400) % 52) as u8;
            byte(if letter < 26 { b'A' + letter } else { b'a' + letter - 26 })
        }
        0x2460..=0x2468 => byte(b'1' + (c - 0x2460) as u8),
        0x24ea => byte(b'0'),
        0x24b6..=0x24cf => byte(b'A' + (c - 0x24b6) as u8),
        0x24d0..=0x24e9 => byte(b'a' + (c - 0x24d0) as u8),
        0x1d7ce..=0x1d7ff => Some((Decoded::Byte(b'0' + ((c - 0x1d7ce) % 10) as u8), len)),
        0xa1
        | 0xa6..=0xac
        | 0xae..=0xb4
        | 0xb6
        | 0xb8..=0xb9
        | 0xbf
        | 0xd7
        | 0x2016
        | 0x2017
        | 0x2020..=0x2023
        | 0x2027
        | 0x2030..=0x2043
        | 0x2045..=0x205e => byte(b';'),
        _ => None,
    }
}
