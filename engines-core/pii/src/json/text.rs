//! Scrubs JSON text directly, without building a value.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::error::ScrubError;
use crate::finding::{Finding, ScrubReport, Scrubbed};
use crate::scan::cue::{Cues, bit};
use crate::scan::findings::{FindingList, PackedFinding};
use crate::scan::{is_short_name, next_json_special};
use crate::scrubber::Scrubber;

use super::json_path::{JsonPath, cached_key_cues, key_cues, number_needs_scan, unique_key};

impl Scrubber {
    /// As [`Scrubber::scrub_json`], for the text of a JSON document. Parts without findings stay byte for byte as they
    /// were written.
    ///
    /// Positions of findings are bytes of the document.
    ///
    /// # Errors
    ///
    /// [`ScrubError::NotJson`], [`ScrubError::TooDeep`], and those of [`Scrubber::scrub_text`].
    pub fn scrub_json_str<'a>(&self, json: &'a str) -> Result<Scrubbed<Cow<'a, str>>, ScrubError> {
        if json.len() > self.inner.max_bytes {
            return Err(ScrubError::TooLarge { size: json.len(), limit: self.inner.max_bytes });
        }
        let mut walk = JsonScrubber {
            scrubber: self,
            text: json,
            bytes: json.as_bytes(),
            pos: 0,
            output: String::new(),
            copied: 0,
            findings: Vec::new(),
            receipt: ScrubReport::new(Arc::clone(&self.inner.version)),
            found: FindingList::new(),
            built_in_only: self.inner.deny.is_none() && self.inner.detectors.is_empty(),
        };
        walk.scrub_value(&JsonPath::ROOT, 0, 0)?;
        walk.skip_space();
        if walk.pos != json.len() {
            return Err(walk.not_json());
        }
        let value = if walk.findings.is_empty() && walk.copied == 0 {
            Cow::Borrowed(json)
        } else {
            walk.output.push_str(&json[walk.copied..]);
            Cow::Owned(walk.output)
        };
        Ok(Scrubbed { value, findings: walk.findings, receipt: walk.receipt })
    }
}

/// The length of the shortest finding without a cue.
const MIN_UNCUED_BYTES: usize = 5;

/// The length of the shortest finding.
const MIN_FINDING_BYTES: usize = 4;

/// Moves the ends of a finding that lie inside an escape to the escape's edge: half of an escape is not JSON, and a
/// custom detector sees the string as it is written.
fn widen_to_escapes(raw: &[u8], hits: &mut [PackedFinding]) {
    let mut floor = 0;
    for hit in hits {
        if let Some(escape) = escape_around(raw, hit.start as usize) {
            // A letter that was written as an escape belongs to the value.
            let inside = if escape.len() == 2 { escape.end } else { escape.start };
            hit.start = inside as u32;
        }
        if let Some(escape) = escape_around(raw, hit.end as usize) {
            hit.end = escape.end as u32;
        }
        hit.start = hit.start.max(floor);
        hit.end = hit.end.max(hit.start);
        floor = hit.end;
    }
}

/// The escape that contains `at`.
fn escape_around(raw: &[u8], at: usize) -> Option<Range<usize>> {
    let near = raw.get(at.saturating_sub(5)..at)?;
    let start = at - near.iter().rev().position(|b| *b == b'\\')? - 1;
    let slashes = raw[..=start].iter().rev().take_while(|b| **b == b'\\').count();
    let end = start + if raw.get(start + 1) == Some(&b'u') { 6 } else { 2 };
    (slashes % 2 == 1 && at < end).then_some(start..end)
}

/// The key with its escapes decoded.
fn unescape_key(key: &str) -> Cow<'_, str> {
    if !key.contains('\\') {
        return Cow::Borrowed(key);
    }
    // Half a surrogate pair is kept as it was written: no reader accepts it.
    serde_json::from_str(&format!("\"{key}\"")).map_or(Cow::Borrowed(key), Cow::Owned)
}

struct JsonScrubber<'a, 's> {
    scrubber: &'s Scrubber,
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
    output: String,
    /// The offset in `text` up to which the input is in `output`.
    copied: usize,
    findings: Vec<Finding>,
    receipt: ScrubReport,
    found: FindingList,
    /// Only the built-in rules apply: there are no custom detectors and no deny list.
    built_in_only: bool,
}

impl<'a> JsonScrubber<'a, '_> {
    fn not_json(&self) -> ScrubError {
        ScrubError::NotJson { offset: self.pos }
    }

    fn peek(&self) -> u8 {
        self.bytes.get(self.pos).copied().unwrap_or(0)
    }

    #[inline]
    fn skip_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.pos += 1;
        }
    }

    fn scrub_value(&mut self, place: &JsonPath<'_>, around: Cues, depth: usize) -> Result<(), ScrubError> {
        if depth > self.scrubber.inner.max_depth {
            return Err(ScrubError::TooDeep { limit: self.scrubber.inner.max_depth });
        }
        self.skip_space();
        match self.peek() {
            b'"' => {
                let (start, end) = self.read_string()?;
                self.scrub_string(start, end, place, around)
            }
            b'{' => self.scrub_object(place, around, depth),
            b'[' => self.scrub_array(place, around, depth),
            b't' => self.skip_literal("true"),
            b'f' => self.skip_literal("false"),
            b'n' => self.skip_literal("null"),
            b'-' | b'0'..=b'9' => self.scrub_number(place, around),
            _ => Err(self.not_json()),
        }
    }

    fn skip_literal(&mut self, word: &str) -> Result<(), ScrubError> {
        if !self.bytes[self.pos..].starts_with(word.as_bytes()) {
            return Err(self.not_json());
        }
        self.pos += word.len();
        Ok(())
    }

    /// Reads a string; returns the range between its quotes.
    #[inline]
    fn read_string(&mut self) -> Result<(usize, usize), ScrubError> {
        let start = self.pos + 1;
        let end = next_json_special(self.bytes, start);
        if self.bytes.get(end) == Some(&b'"') {
            self.pos = end + 1;
            return Ok((start, end));
        }
        self.read_escaped(start, end)
    }

    /// Reads the rest of a string with escapes, from the first escape on.
    #[inline(never)]
    fn read_escaped(&mut self, start: usize, from: usize) -> Result<(usize, usize), ScrubError> {
        let mut i = from;
        loop {
            match self.bytes.get(i) {
                Some(b'"') => {
                    self.pos = i + 1;
                    return Ok((start, i));
                }
                Some(b'\\') => match self.bytes.get(i + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => i += 2,
                    Some(b'u') if self.bytes.get(i + 2..i + 6).is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit)) => {
                        i += 6;
                    }
                    _ => break,
                },
                _ => break,
            }
            i = next_json_special(self.bytes, i);
        }
        self.pos = i;
        Err(self.not_json())
    }

    fn scrub_object(&mut self, place: &JsonPath<'_>, around: Cues, depth: usize) -> Result<(), ScrubError> {
        self.pos += 1;
        self.skip_space();
        if self.peek() == b'}' {
            self.pos += 1;
            return Ok(());
        }
        let mut made: Vec<String> = Vec::new();
        loop {
            self.skip_space();
            if self.peek() != b'"' {
                return Err(self.not_json());
            }
            let (start, end) = self.read_string()?;
            let name = is_short_name(self.bytes, start, end);
            let key = if name && self.built_in_only && made.is_empty() {
                Cow::Borrowed(&self.text[start..end])
            } else {
                self.scrub_key(start, end, place, &mut made)?
            };
            self.skip_space();
            if self.peek() != b':' {
                return Err(self.not_json());
            }
            self.pos += 1;
            let hint = if name && matches!(key, Cow::Borrowed(_)) {
                cached_key_cues(self.bytes, start, end, around)
            } else {
                key_cues(unescape_key(&key).as_bytes(), around)
            };
            self.skip_space();
            let inner = place.key(&key);
            if self.peek() == b'"' && depth < self.scrubber.inner.max_depth {
                let (start, end) = self.read_string()?;
                self.scrub_string(start, end, &inner, hint)?;
            } else {
                self.scrub_value(&inner, hint, depth + 1)?;
            }
            self.skip_space();
            match self.peek() {
                b',' => self.pos += 1,
                b'}' => {
                    self.pos += 1;
                    return Ok(());
                }
                _ => return Err(self.not_json()),
            }
        }
    }

    /// Reads a key; returns the key to write.
    fn scrub_key(
        &mut self,
        start: usize,
        end: usize,
        place: &JsonPath<'_>,
        made: &mut Vec<String>,
    ) -> Result<Cow<'a, str>, ScrubError> {
        let text = self.text;
        let raw = &text[start..end];
        self.scrubber.find_into(raw, 0, &mut self.found)?;
        widen_to_escapes(raw.as_bytes(), self.found.as_mut_slice());
        let hits = self.found.as_slice();
        if hits.is_empty() && !made.iter().any(|m| m == raw) {
            return Ok(Cow::Borrowed(raw));
        }
        let mut clean = String::with_capacity(raw.len());
        self.scrubber.write_scrubbed(&mut clean, raw, hits, true)?;
        let clean = unique_key(clean, made);
        made.push(clean.clone());
        self.output.push_str(&text[self.copied..start]);
        self.output.push_str(&clean);
        self.copied = end;
        for hit in hits {
            self.findings.push(self.scrubber.finding(hit, start));
        }
        if !hits.is_empty() {
            self.scrubber.note_counts(hits, &place.key(&clean), &mut self.receipt);
        }
        Ok(Cow::Owned(clean))
    }

    /// Whether the string needs no scan: it is very short, or short and only of letters under a key that is not a cue,
    /// and there is no custom detector and no deny list.
    #[inline]
    fn needs_no_scan(&self, start: usize, end: usize, hint: Cues) -> bool {
        self.built_in_only
            && (end - start < if hint == 0 { MIN_UNCUED_BYTES } else { MIN_FINDING_BYTES }
                || hint & bit::VALUE_FOLLOWS == 0 && is_short_name(self.bytes, start, end))
    }

    fn scrub_array(&mut self, place: &JsonPath<'_>, around: Cues, depth: usize) -> Result<(), ScrubError> {
        self.pos += 1;
        self.skip_space();
        if self.peek() == b']' {
            self.pos += 1;
            return Ok(());
        }
        let mut index = 0;
        loop {
            self.scrub_value(&place.index(index), around, depth + 1)?;
            index += 1;
            self.skip_space();
            match self.peek() {
                b',' => self.pos += 1,
                b']' => {
                    self.pos += 1;
                    return Ok(());
                }
                _ => return Err(self.not_json()),
            }
        }
    }

    fn scrub_string(&mut self, start: usize, end: usize, place: &JsonPath<'_>, around: Cues) -> Result<(), ScrubError> {
        let text = self.text;
        let raw = &text[start..end];
        if self.needs_no_scan(start, end, around) {
            return Ok(());
        }
        self.scrubber.find_into(raw, around, &mut self.found)?;
        widen_to_escapes(raw.as_bytes(), self.found.as_mut_slice());
        let hits = self.found.as_slice();
        if hits.is_empty() {
            return Ok(());
        }
        if self.output.capacity() == 0 {
            self.output.reserve(text.len() + 16);
        }
        self.output.push_str(&text[self.copied..start]);
        self.scrubber.write_scrubbed(&mut self.output, raw, hits, true)?;
        self.copied = end;
        for hit in hits {
            self.findings.push(self.scrubber.finding(hit, start));
        }
        self.scrubber.note_counts(hits, place, &mut self.receipt);
        Ok(())
    }

    fn scrub_number(&mut self, place: &JsonPath<'_>, around: Cues) -> Result<(), ScrubError> {
        let start = self.pos;
        if self.peek() == b'-' {
            self.pos += 1;
        }
        match self.peek() {
            b'0' => self.pos += 1,
            b'1'..=b'9' => self.skip_digits()?,
            _ => return Err(self.not_json()),
        }
        if self.peek() == b'.' {
            self.pos += 1;
            self.skip_digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.pos += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.pos += 1;
            }
            self.skip_digits()?;
        }
        let text = self.text;
        let raw = &text[start..self.pos];
        if !number_needs_scan(raw, around) {
            return Ok(());
        }
        self.scrubber.find_into(raw, around, &mut self.found)?;
        let Some(hit) = self.found.as_slice().first() else { return Ok(()) };
        let mut stand_in = String::new();
        self.scrubber.write_replacement(&mut stand_in, hit, raw, false)?;
        self.output.push_str(&text[self.copied..start]);
        if stand_in.is_empty() {
            self.output.push_str("null");
        } else {
            self.output.push('"');
            self.output.push_str(&stand_in);
            self.output.push('"');
        }
        self.copied = self.pos;
        self.findings.push(Finding { start, end: self.pos, ..self.scrubber.finding(hit, 0) });
        self.scrubber.note_counts(&[*hit], place, &mut self.receipt);
        Ok(())
    }

    fn skip_digits(&mut self) -> Result<(), ScrubError> {
        if !self.peek().is_ascii_digit() {
            return Err(self.not_json());
        }
        while self.peek().is_ascii_digit() {
            self.pos += 1;
        }
        Ok(())
    }
}
