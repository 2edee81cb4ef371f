//! Normalisation: a plain copy of a text with encoded and disguised characters, and a map back to the original bytes.
//!
//! Full-width and other Unicode digits become ASCII, zero-width characters and soft hyphens are removed, special spaces
//! and dashes become plain ones, typographic punctuation becomes ASCII punctuation, and percent-, HTML-, `\u0040`- and
//! `\x40`-escapes are decoded.

use std::cell::Cell;

use super::block::next_encoded;

/// The most bytes of a copy's buffer that a thread keeps.
const MAX_KEPT_BYTES: usize = 64 * 1024;

thread_local! {
    static KEPT_BUFFER: Cell<NormalizedText> = const { Cell::new(NormalizedText { text: Vec::new(), offset_changes: Vec::new() }) };
}

/// The plain copy and the map.
#[derive(Debug, Default)]
pub(crate) struct NormalizedText {
    pub(crate) text: Vec<u8>,
    /// Changes of the offset: position in the copy, position in the original, and the end in the original of the
    /// character before.
    offset_changes: Vec<(u32, u32, u32)>,
}

impl NormalizedText {
    pub(crate) fn from_source(source: &[u8]) -> Self {
        let mut plain = Self::default();
        plain.assign(source);
        plain
    }

    /// Becomes the plain copy of another text.
    fn assign(&mut self, source: &[u8]) {
        self.text.clear();
        self.offset_changes.clear();
        self.text.reserve(source.len() + 16);
        let end = self.extend(source, 0, true);
        debug_assert_eq!(end, source.len());
    }

    /// Lends the plain copy of a text. Its buffer is kept by the thread for the next text unless it is large.
    pub(crate) fn with_normalized<R>(source: &[u8], to: impl FnOnce(&Self) -> R) -> R {
        let mut plain = KEPT_BUFFER.try_with(Cell::take).unwrap_or_default();
        plain.assign(source);
        let result = to(&plain);
        if plain.text.capacity() <= MAX_KEPT_BYTES && plain.offset_changes.capacity() <= MAX_KEPT_BYTES / 16 {
            // A thread that is ending keeps no buffer.
            KEPT_BUFFER.try_with(|kept| kept.set(plain)).unwrap_or_default();
        }
        result
    }

    /// Decodes `source[from..]`. Unless it is the `last` part, it stops before an escape that may be incomplete.
    /// Returns where it stopped.
    pub(crate) fn extend(&mut self, source: &[u8], from: usize, last: bool) -> usize {
        let mut i = from;
        while i < source.len() {
            let odd = next_encoded(source, i);
            self.copy_range(source, i, odd);
            i = odd;
            let rest = &source[i..];
            let Some(&b) = rest.first() else { break };
            if !last && rest.len() < MAX_ESCAPE_BYTES {
                break;
            }
            // Nearly all escapes are these.
            if b == b'\\'
                && let Some(simple) = rest.get(1).and_then(|b| simple_escape(*b))
            {
                let at = self.text.len() as u32;
                self.text.push(simple);
                self.offset_changes.push((at + 1, i as u32 + 2, i as u32 + 2));
                i += 2;
                continue;
            }
            match decode_one(rest) {
                Some((bytes, used)) => {
                    let at = self.text.len() as u32;
                    match bytes {
                        Decoded::Byte(b) => self.text.push(b),
                        Decoded::Char(c) => self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                        Decoded::Nothing => {}
                    }
                    i += used;
                    self.note_offset_change(at, i, i - used);
                }
                None => {
                    let len = utf8_width(b).min(rest.len());
                    self.text.extend_from_slice(&rest[..len]);
                    i += len;
                }
            }
        }
        i
    }

    /// Appends `source[from..to]`.
    #[inline]
    fn copy_range(&mut self, source: &[u8], from: usize, to: usize) {
        let end = self.text.len() + to - from;
        match source[from..].first_chunk::<16>() {
            // Most stretches are short: one copy of a fixed length is faster, and the excess is dropped.
            Some(chunk) if to - from <= 16 => {
                self.text.extend_from_slice(chunk);
                self.text.truncate(end);
            }
            _ => self.text.extend_from_slice(&source[from..to]),
        }
    }

    /// Records that a decoded character ends at `at` of the copy; it was at `before..source` of the original.
    fn note_offset_change(&mut self, at: u32, source: usize, before: usize) {
        let now = self.text.len() as u32;
        match self.offset_changes.last_mut() {
            Some(last) if last.0 == now => last.1 = source as u32,
            _ => self.offset_changes.push((now, source as u32, if now == at { before } else { source } as u32)),
        }
    }

    /// The start in the original of the character at `at` of the copy.
    pub(crate) fn source_start(&self, at: usize) -> usize {
        let k = self.offset_changes.partition_point(|m| m.0 as usize <= at);
        match k.checked_sub(1).and_then(|k| self.offset_changes.get(k)) {
            Some(m) => m.1 as usize + (at - m.0 as usize),
            None => at,
        }
    }

    /// The end in the original of the character before `at` of the copy.
    pub(crate) fn source_end(&self, at: usize) -> usize {
        let k = self.offset_changes.partition_point(|m| m.0 as usize <= at);
        match k.checked_sub(1).and_then(|k| self.offset_changes.get(k)) {
            Some(m) if m.0 as usize == at => m.2 as usize,
            Some(m) => m.1 as usize + (at - m.0 as usize),
            None => at,
        }
    }

    /// Drops the copy before `plain` and the original before `source`.
    pub(crate) fn drop_front(&mut self, plain: usize, source: usize) {
        let base = self.source_start(plain);
        self.text.drain(..plain);
        let mut kept = Vec::with_capacity(self.offset_changes.len() + 1);
        kept.push((0, (base - source) as u32, (self.source_end(plain).max(source) - source) as u32));
        for m in &self.offset_changes {
            if m.0 as usize > plain {
                kept.push((m.0 - plain as u32, m.1 - source as u32, m.2 - source as u32));
            }
        }
        self.offset_changes = kept;
    }
}

/// The longest escape, in bytes: an entity whose characters are escaped themselves.
pub(crate) const MAX_ESCAPE_BYTES: usize = 48;

enum Decoded {
    Byte(u8),
    Char(char),
    Nothing,
}

fn utf8_width(lead: u8) -> usize {
    match lead {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc2.. => 2,
        _ => 1,
    }
}

/// Whether anything in a text needs decoding.
pub(crate) fn needs_decoding(bytes: &[u8]) -> bool {
    let mut i = 0;
    while i < bytes.len() {
        i = next_encoded(bytes, i);
        let Some(rest) = bytes.get(i..).filter(|rest| !rest.is_empty()) else { return false };
        if decode_one(rest).is_some() {
            return true;
        }
        i += utf8_width(rest[0]);
    }
    false
}

const fn is_special_lead(byte: u8) -> bool {
    matches!(byte, 0xc2 | 0xcd | 0xd8..=0xdb | 0xdf | 0xe0..=0xe3 | 0xef | 0xf0)
}

fn decode_one(rest: &[u8]) -> Option<(Decoded, usize)> {
    let (first, used) = decode_flat(rest)?;
    let sign = match first {
        Decoded::Byte(b) => b,
        Decoded::Char(c) if c.is_ascii() => c as u8,
        _ => return Some((first, used)),
    };
    if !matches!(sign, b'%' | b'&' | b'\\') || used == 1 {
        return Some((first, used));
    }
    Some(decode_nested(sign, rest, used).unwrap_or((first, used)))
}

/// An escape whose own characters are escaped: `&amp;#64;`, `%26%2364%3B`, `\u002540`, `%5Cu0040`. `sign` is the
/// decoded character.
fn decode_nested(sign: u8, rest: &[u8], used: usize) -> Option<(Decoded, usize)> {
    const INNER: usize = 10;
    let (mut inner, mut ends) = ([sign; INNER], [used; INNER]);
    let (mut n, mut at) = (1, used);
    while n < INNER && at < rest.len() {
        let (b, len) = match decode_flat(&rest[at..]) {
            Some((Decoded::Byte(b), len)) => (b, len),
            Some((Decoded::Char(c), len)) if c.is_ascii() => (c as u8, len),
            Some(_) => break,
            None => (rest[at], 1),
        };
        // No escape begins differently.
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
    let (decoded, len) = decode_flat(&inner[..n])?;
    (len > 1).then(|| (decoded, ends[len - 1]))
}

fn decode_flat(rest: &[u8]) -> Option<(Decoded, usize)> {
    match *rest.first()? {
        b'\\' => decode_backslash(rest),
        b'%' => decode_percent(rest),
        b'&' => decode_entity(rest),
        b if is_special_lead(b) => decode_disguised(rest),
        _ => None,
    }
}

fn hex_digit(byte: u8) -> Option<u32> {
    (byte as char).to_digit(16)
}

fn parse_number(digits: &[u8], radix: u32) -> Option<u32> {
    digits.iter().try_fold(0_u32, |n, b| Some(n * radix + (*b as char).to_digit(radix)?))
}

/// A code point that was written as an escape, which may itself be a disguised character.
fn decoded_character(code: u32, used: usize) -> Option<(Decoded, usize)> {
    let c = char::from_u32(code)?;
    let mut buffer = [0; 4];
    let bytes = c.encode_utf8(&mut buffer).as_bytes();
    if !c.is_ascii()
        && let Some((inner, _)) = decode_one(bytes)
    {
        return Some((inner, used));
    }
    Some((Decoded::Char(c), used))
}

/// The character for a backslash followed by this one; `None` for other ones.
#[inline]
fn simple_escape(byte: u8) -> Option<u8> {
    match byte {
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'b' => Some(8),
        b'f' => Some(12),
        b'"' | b'/' => Some(byte),
        _ => None,
    }
}

fn decode_backslash(rest: &[u8]) -> Option<(Decoded, usize)> {
    let next = *rest.get(1)?;
    if let Some(byte) = simple_escape(next) {
        return Some((Decoded::Byte(byte), 2));
    }
    match next {
        b'u' if rest.get(2) == Some(&b'{') => {
            let close = rest.iter().take(11).position(|b| *b == b'}')?;
            decoded_character(parse_number(rest.get(3..close).filter(|d| !d.is_empty())?, 16)?, close + 1)
        }
        b'u' => {
            let code = parse_number(rest.get(2..6)?, 16)?;
            if (0xd800..0xdc00).contains(&code) {
                if rest.get(6..8) != Some(b"\\u") {
                    return None;
                }
                let low = parse_number(rest.get(8..12)?, 16)?;
                let low = low.checked_sub(0xdc00).filter(|l| *l < 0x400)?;
                return decoded_character(0x10000 + ((code - 0xd800) << 10) + low, 12);
            }
            decoded_character(code, 6)
        }
        b'x' => {
            let code = parse_number(rest.get(2..4)?, 16)?;
            (0x20..0x7f).contains(&code).then_some((Decoded::Byte(code as u8), 4))
        }
        // Escaped twice: JSON inside of JSON.
        b'\\' => match rest.get(2) {
            Some(b'u' | b'x' | b'n' | b'r' | b't' | b'b' | b'f' | b'"' | b'/') => match decode_backslash(&rest[1..]) {
                Some((inner, used)) => Some((inner, used + 1)),
                None => Some((Decoded::Byte(b'\\'), 2)),
            },
            _ => Some((Decoded::Byte(b'\\'), 2)),
        },
        _ => None,
    }
}

fn decode_percent(rest: &[u8]) -> Option<(Decoded, usize)> {
    let byte = (hex_digit(*rest.get(1)?)? << 4 | hex_digit(*rest.get(2)?)?) as u8;
    if byte == b'%' {
        // Encoded twice: `%2540` is `%40` is `@`.
        if let (Some(high), Some(low)) =
            (rest.get(3).and_then(|b| hex_digit(*b)), rest.get(4).and_then(|b| hex_digit(*b)))
        {
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
    let len = utf8_width(byte);
    if len == 1 {
        return None;
    }
    let mut buffer = [byte, 0, 0, 0];
    for (k, slot) in buffer.iter_mut().enumerate().take(len).skip(1) {
        if rest.get(3 * k) != Some(&b'%') {
            return None;
        }
        *slot = (hex_digit(*rest.get(3 * k + 1)?)? << 4 | hex_digit(*rest.get(3 * k + 2)?)?) as u8;
    }
    let c = std::str::from_utf8(&buffer[..len]).ok()?.chars().next()?;
    decoded_character(c as u32, 3 * len)
}

/// `&#64` without its semicolon, which browsers take as well.
fn decode_unterminated_entity(rest: &[u8]) -> Option<(Decoded, usize)> {
    let digits = rest.strip_prefix(b"&#")?.iter().take(7).take_while(|b| b.is_ascii_digit()).count();
    if !(2..=6).contains(&digits) {
        return None;
    }
    decoded_character(parse_number(&rest[2..2 + digits], 10)?, 2 + digits)
}

fn decode_entity(rest: &[u8]) -> Option<(Decoded, usize)> {
    let Some(semicolon) = rest.iter().take(12).position(|b| *b == b';') else {
        return decode_unterminated_entity(rest);
    };
    if rest[..semicolon].iter().skip(1).any(|b| matches!(b, b' ' | b'&')) {
        return decode_unterminated_entity(rest);
    }
    let name = rest.get(1..semicolon)?;
    let used = semicolon + 1;
    let code = match name {
        [b'#', b'x' | b'X', digits @ ..] if !digits.is_empty() => parse_number(digits, 16)?,
        [b'#', digits @ ..] if !digits.is_empty() => parse_number(digits, 10)?,
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
    decoded_character(code, used)
}

/// Characters outside ASCII that replace plain ones or are hidden between them.
fn decode_disguised(rest: &[u8]) -> Option<(Decoded, usize)> {
    let len = utf8_width(rest[0]);
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
