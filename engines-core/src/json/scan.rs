//! One pass over JSON text: depth, keys, numbers, surrogates. Grammar is `serde_json`'s; on text that breaks it the scanner
//! merely does no harm.

use std::{borrow::Cow, cmp::Ordering, fmt::Write as _};

/// A member's name and where its value begins, as byte offsets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    start: usize,
    end: usize,
    /// Behind the colon.
    pub(super) value: usize,
    escaped: bool,
}

impl Key {
    /// The name, unescaped.
    pub(super) fn name(self, text: &str) -> Cow<'_, str> {
        if self.escaped {
            let quoted = text.get(self.start - 1..=self.end).unwrap_or_default();
            serde_json::from_str(quoted).map_or(Cow::Borrowed(""), Cow::Owned)
        } else {
            Cow::Borrowed(text.get(self.start..self.end).unwrap_or_default())
        }
    }
}

/// What the scanner refuses.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nested deeper than the limit.
    TooDeep,
    /// This place occurs twice.
    Duplicate(String),
    /// The number here cannot be kept as it was sent.
    Number(String),
    /// The text here has half of a UTF-16 surrogate pair.
    Surrogate(String),
}

/// An open object or array.
struct Frame {
    object: bool,
    /// Where its keys begin in the list of keys.
    keys: usize,
    /// Commas so far: the index in an array.
    commas: usize,
}

/// Objects with more keys are sorted to find duplicates, smaller ones compared pair by pair.
const SMALL: usize = 16;

/// Goes over `text`; gives the keys of the outermost object.
pub(super) fn scan(text: &str, max_depth: usize) -> Result<Vec<Key>, Fault> {
    let mut scanner =
        Scanner { text, bytes: text.as_bytes(), frames: Vec::with_capacity(8), keys: Vec::with_capacity(16) };
    scanner.run(max_depth)?;
    Ok(scanner.keys)
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    frames: Vec<Frame>,
    keys: Vec<Key>,
}

impl Scanner<'_> {
    fn run(&mut self, max_depth: usize) -> Result<(), Fault> {
        let mut at = 0;
        while let Some(byte) = self.bytes.get(at) {
            match byte {
                b'"' => {
                    at = self.string(at)?;
                    continue;
                }
                b'-' | b'0'..=b'9' => {
                    at = self.number(at)?;
                    continue;
                }
                b'{' | b'[' => {
                    if self.frames.len() >= max_depth {
                        return Err(Fault::TooDeep);
                    }
                    self.frames.push(Frame { object: *byte == b'{', keys: self.keys.len(), commas: 0 });
                }
                b'}' | b']' => self.close()?,
                b',' => {
                    if let Some(frame) = self.frames.last_mut() {
                        frame.commas += 1;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        Ok(())
    }

    /// From an opening quote to behind the string, or behind its colon where it is a key.
    fn string(&mut self, open: usize) -> Result<usize, Fault> {
        let mut at = open + 1;
        let mut escaped = false;
        loop {
            match self.bytes.get(at) {
                None => return Ok(at),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += self.escape(at)?;
                }
                Some(_) => at += 1,
            }
        }
        let end = at;
        at += 1;
        if !self.frames.last().is_some_and(|frame| frame.object) {
            return Ok(at);
        }
        let mut next = at;
        while self.bytes.get(next).is_some_and(u8::is_ascii_whitespace) {
            next += 1;
        }
        if self.bytes.get(next) == Some(&b':') {
            self.keys.push(Key { start: open + 1, end, value: next + 1, escaped });
            return Ok(next + 1);
        }
        Ok(at)
    }

    /// How long the escape at `at` is. `\u` escapes of surrogates must come in pairs (RFC 8259 section 8.2).
    fn escape(&self, at: usize) -> Result<usize, Fault> {
        let unit = |at: usize| {
            let hex = self.bytes.get(at..at + 6).filter(|escape| escape.starts_with(b"\\u"))?;
            u16::from_str_radix(std::str::from_utf8(&hex[2..]).ok()?, 16).ok()
        };
        match unit(at) {
            None => Ok(2),
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => Ok(12),
            Some(0xD800..=0xDFFF) => Err(Fault::Surrogate(self.place(None))),
            Some(_) => Ok(6),
        }
    }

    fn number(&self, start: usize) -> Result<usize, Fault> {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|byte| !part(byte)).unwrap_or(rest.len());
        // 18 digits always fit.
        if length > 18 || rest[..length].iter().any(|byte| matches!(byte, b'e' | b'E')) {
            let number = self.text.get(start..start + length).unwrap_or_default();
            let integer = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            let overflows = if integer {
                number.parse::<i64>().is_err() && number.parse::<u64>().is_err()
            } else {
                number.parse::<f64>().is_ok_and(f64::is_infinite)
            };
            if overflows {
                return Err(Fault::Number(self.place(None)));
            }
        }
        Ok(start + length)
    }

    /// Closes the innermost object or array; the outermost one's keys are kept.
    fn close(&mut self) -> Result<(), Fault> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        if frame.object {
            let text = self.text;
            let keys = self.keys.get_mut(frame.keys..).unwrap_or_default();
            if let Some(twice) = duplicate(text, keys) {
                self.keys.truncate(frame.keys);
                return Err(Fault::Duplicate(self.place(Some(&twice))));
            }
        }
        if !self.frames.is_empty() {
            self.keys.truncate(frame.keys);
        }
        Ok(())
    }

    /// A JSON Pointer to where the scanner is, and to `last` in it.
    fn place(&self, last: Option<&str>) -> String {
        let mut pointer = String::new();
        let ends = self.frames.iter().skip(1).map(|frame| frame.keys).chain([self.keys.len()]);
        for (frame, end) in self.frames.iter().zip(ends) {
            if frame.object {
                if let Some(key) = self.keys.get(frame.keys..end).and_then(<[Key]>::last) {
                    push_token(&mut pointer, &key.name(self.text));
                }
            } else {
                // Writing to a string cannot fail.
                let _ = write!(pointer, "/{}", frame.commas);
            }
        }
        if let Some(last) = last {
            push_token(&mut pointer, last);
        }
        pointer
    }
}

/// Appends a reference token (RFC 6901 section 3).
pub(super) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for character in token.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// A name that occurs twice among `keys`; may reorder them when they are many.
fn duplicate(text: &str, keys: &mut [Key]) -> Option<String> {
    let compare = |a: &Key, b: &Key| -> Ordering {
        if a.escaped || b.escaped {
            a.name(text).as_bytes().cmp(b.name(text).as_bytes())
        } else {
            text.as_bytes().get(a.start..a.end).cmp(&text.as_bytes().get(b.start..b.end))
        }
    };
    let same = |a: &Key, b: &Key| {
        (a.escaped || b.escaped || a.end - a.start == b.end - b.start) && compare(a, b) == Ordering::Equal
    };
    if keys.len() <= SMALL {
        let mut rest = &*keys;
        while let Some((first, others)) = rest.split_first() {
            if others.iter().any(|other| same(first, other)) {
                return Some(first.name(text).into_owned());
            }
            rest = others;
        }
        return None;
    }
    keys.sort_unstable_by(compare);
    keys.windows(2).find(|pair| same(&pair[0], &pair[1])).map(|pair| pair[0].name(text).into_owned())
}
