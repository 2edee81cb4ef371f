//! One pass over JSON text that checks depth, keys, numbers and surrogates. The grammar is checked by `serde_json`; on
//! text that is not JSON the scanner's result has no meaning, but the scan ends.

use std::{borrow::Cow, cmp::Ordering, fmt::Write as _};

/// A member's name and the start of its value, as byte offsets.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemberKey {
    start: usize,
    end: usize,
    /// The offset behind the colon.
    pub(super) value_start: usize,
    escaped: bool,
}

impl MemberKey {
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

/// What the scanner rejects.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ScanError {
    /// The text is nested deeper than the limit.
    TooDeep,
    /// The member at this pointer occurs twice.
    Duplicate(String),
    /// The number at this pointer cannot be kept as it was sent.
    Number(String),
    /// The string at this pointer has half of a UTF-16 surrogate pair.
    Surrogate(String),
}

/// An open object or array.
struct Frame {
    is_object: bool,
    /// Where its keys begin in the list of keys.
    first_key: usize,
    /// The number of commas so far: the index in an array.
    commas: usize,
}

/// Objects with more keys are sorted to find duplicates; smaller ones are compared pair by pair.
const PAIRWISE_MAX_KEYS: usize = 16;

/// Scans `text`; returns the keys of the outermost object.
pub(super) fn scan(text: &str, max_depth: usize) -> Result<Vec<MemberKey>, ScanError> {
    let mut scanner =
        Scanner { text, bytes: text.as_bytes(), frames: Vec::with_capacity(8), keys: Vec::with_capacity(16) };
    scanner.run(max_depth)?;
    Ok(scanner.keys)
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    frames: Vec<Frame>,
    keys: Vec<MemberKey>,
}

impl Scanner<'_> {
    fn run(&mut self, max_depth: usize) -> Result<(), ScanError> {
        let mut at = 0;
        while let Some(byte) = self.bytes.get(at) {
            match byte {
                b'"' => {
                    at = self.scan_string(at)?;
                    continue;
                }
                b'-' | b'0'..=b'9' => {
                    at = self.scan_number(at)?;
                    continue;
                }
                b'{' | b'[' => {
                    if self.frames.len() >= max_depth {
                        return Err(ScanError::TooDeep);
                    }
                    self.frames.push(Frame { is_object: *byte == b'{', first_key: self.keys.len(), commas: 0 });
                }
                b'}' | b']' => self.close_container()?,
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

    /// Reads from an opening quote to behind the string, or behind its colon if it is a key.
    fn scan_string(&mut self, open: usize) -> Result<usize, ScanError> {
        let mut at = open + 1;
        let mut escaped = false;
        loop {
            match self.bytes.get(at) {
                None => return Ok(at),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += self.escape_length(at)?;
                }
                Some(_) => at += 1,
            }
        }
        let end = at;
        at += 1;
        if !self.frames.last().is_some_and(|frame| frame.is_object) {
            return Ok(at);
        }
        let mut next = at;
        while self.bytes.get(next).is_some_and(u8::is_ascii_whitespace) {
            next += 1;
        }
        if self.bytes.get(next) == Some(&b':') {
            self.keys.push(MemberKey { start: open + 1, end, value_start: next + 1, escaped });
            return Ok(next + 1);
        }
        Ok(at)
    }

    /// The length of the escape at `at`. `\u` escapes of surrogates must come in pairs (RFC 8259 section 8.2).
    fn escape_length(&self, at: usize) -> Result<usize, ScanError> {
        let unit = |at: usize| {
            let hex = self.bytes.get(at..at + 6).filter(|escape| escape.starts_with(b"\\u"))?;
            u16::from_str_radix(std::str::from_utf8(&hex[2..]).ok()?, 16).ok()
        };
        match unit(at) {
            None => Ok(2),
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => Ok(12),
            Some(0xD800..=0xDFFF) => Err(ScanError::Surrogate(self.current_pointer(None))),
            Some(_) => Ok(6),
        }
    }

    fn scan_number(&self, start: usize) -> Result<usize, ScanError> {
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
                return Err(ScanError::Number(self.current_pointer(None)));
            }
        }
        Ok(start + length)
    }

    /// Closes the innermost object or array; the outermost one's keys are kept.
    fn close_container(&mut self) -> Result<(), ScanError> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        if frame.is_object {
            let text = self.text;
            let keys = self.keys.get_mut(frame.first_key..).unwrap_or_default();
            if let Some(twice) = find_duplicate(text, keys) {
                self.keys.truncate(frame.first_key);
                return Err(ScanError::Duplicate(self.current_pointer(Some(&twice))));
            }
        }
        if !self.frames.is_empty() {
            self.keys.truncate(frame.first_key);
        }
        Ok(())
    }

    /// A JSON Pointer to the scanner's position, and to `last` in it.
    fn current_pointer(&self, last: Option<&str>) -> String {
        let mut pointer = String::new();
        let ends = self.frames.iter().skip(1).map(|frame| frame.first_key).chain([self.keys.len()]);
        for (frame, end) in self.frames.iter().zip(ends) {
            if frame.is_object {
                if let Some(key) = self.keys.get(frame.first_key..end).and_then(<[MemberKey]>::last) {
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
fn find_duplicate(text: &str, keys: &mut [MemberKey]) -> Option<String> {
    let compare = |a: &MemberKey, b: &MemberKey| -> Ordering {
        if a.escaped || b.escaped {
            a.name(text).as_bytes().cmp(b.name(text).as_bytes())
        } else {
            text.as_bytes().get(a.start..a.end).cmp(&text.as_bytes().get(b.start..b.end))
        }
    };
    let same = |a: &MemberKey, b: &MemberKey| {
        (a.escaped || b.escaped || a.end - a.start == b.end - b.start) && compare(a, b) == Ordering::Equal
    };
    if keys.len() <= PAIRWISE_MAX_KEYS {
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
