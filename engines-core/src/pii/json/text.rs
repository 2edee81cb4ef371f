//! Scrubbing JSON as it is written, without building a value.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::pii::error::ScrubError;
use crate::pii::finding::{Finding, Receipt, Scrubbed};
use crate::pii::scan::cue::{Cues, bit};
use crate::pii::scan::hits::{Hit, Hits};
use crate::pii::scan::{is_name, next_quoted};
use crate::pii::scrubber::Scrubber;

use super::place::{Place, distinct, hint, named, number_matters};

impl Scrubber {
    /// Like [`Scrubber::scrub_json`] over the text of a JSON document: what is clean stays byte for byte as it was written.
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
        let mut walk = Walk {
            scrubber: self,
            text: json,
            b: json.as_bytes(),
            pos: 0,
            out: String::new(),
            copied: 0,
            findings: Vec::new(),
            receipt: Receipt::new(Arc::clone(&self.inner.version)),
            hits: Hits::new(),
            simple: self.inner.deny.is_none() && self.inner.detectors.is_empty(),
        };
        walk.value(&Place::ROOT, 0, 0)?;
        walk.space();
        if walk.pos != json.len() {
            return Err(walk.wrong());
        }
        let value = if walk.findings.is_empty() && walk.copied == 0 {
            Cow::Borrowed(json)
        } else {
            walk.out.push_str(&json[walk.copied..]);
            Cow::Owned(walk.out)
        };
        Ok(Scrubbed { value, findings: walk.findings, receipt: walk.receipt })
    }
}

/// Nothing that is found without a cue is shorter.
const TINY: usize = 5;

/// Nothing that is found is shorter.
const LEAST: usize = 4;

/// Moves what begins or ends inside an escape to its edge: half of an escape is no JSON, and a detector of one's own sees the string
/// as it is written.
fn keep_escapes(raw: &[u8], hits: &mut [Hit]) {
    let mut floor = 0;
    for hit in hits {
        if let Some(escape) = escape_around(raw, hit.start as usize) {
            // A letter that was written as its number belongs to the value.
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

/// The escape that goes on at `at`.
fn escape_around(raw: &[u8], at: usize) -> Option<Range<usize>> {
    let near = raw.get(at.saturating_sub(5)..at)?;
    let start = at - near.iter().rev().position(|b| *b == b'\\')? - 1;
    let slashes = raw[..=start].iter().rev().take_while(|b| **b == b'\\').count();
    let end = start + if raw.get(start + 1) == Some(&b'u') { 6 } else { 2 };
    (slashes % 2 == 1 && at < end).then_some(start..end)
}

/// A key as a reader takes it: an escaped letter is that letter.
fn meant(key: &str) -> Cow<'_, str> {
    if !key.contains('\\') {
        return Cow::Borrowed(key);
    }
    // Half a surrogate pair stays as it was written: no reader takes it.
    serde_json::from_str(&format!("\"{key}\"")).map_or(Cow::Borrowed(key), Cow::Owned)
}

struct Walk<'a, 's> {
    scrubber: &'s Scrubber,
    text: &'a str,
    b: &'a [u8],
    pos: usize,
    out: String,
    /// How much of the document has been written out.
    copied: usize,
    findings: Vec<Finding>,
    receipt: Receipt,
    hits: Hits,
    /// Nothing is looked for but what the engine's own rules find.
    simple: bool,
}

impl<'a> Walk<'a, '_> {
    fn wrong(&self) -> ScrubError {
        ScrubError::NotJson { offset: self.pos }
    }

    fn peek(&self) -> u8 {
        self.b.get(self.pos).copied().unwrap_or(0)
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.pos += 1;
        }
    }

    fn value(&mut self, place: &Place<'_>, around: Cues, depth: usize) -> Result<(), ScrubError> {
        if depth > self.scrubber.inner.max_depth {
            return Err(ScrubError::TooDeep { limit: self.scrubber.inner.max_depth });
        }
        self.space();
        match self.peek() {
            b'"' => {
                let (start, end) = self.string()?;
                self.leaf(start, end, place, around)
            }
            b'{' => self.object(place, around, depth),
            b'[' => self.array(place, around, depth),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' | b'0'..=b'9' => self.number(place, around),
            _ => Err(self.wrong()),
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), ScrubError> {
        if !self.b[self.pos..].starts_with(word.as_bytes()) {
            return Err(self.wrong());
        }
        self.pos += word.len();
        Ok(())
    }

    /// Reads a string; the range of what is between its quotes.
    #[inline]
    fn string(&mut self) -> Result<(usize, usize), ScrubError> {
        let start = self.pos + 1;
        let end = next_quoted(self.b, start);
        if self.b.get(end) == Some(&b'"') {
            self.pos = end + 1;
            return Ok((start, end));
        }
        self.escaped(start, end)
    }

    /// The rest of a string with escapes, from the first of them on.
    #[inline(never)]
    fn escaped(&mut self, start: usize, from: usize) -> Result<(usize, usize), ScrubError> {
        let mut i = from;
        loop {
            match self.b.get(i) {
                Some(b'"') => {
                    self.pos = i + 1;
                    return Ok((start, i));
                }
                Some(b'\\') => match self.b.get(i + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => i += 2,
                    Some(b'u') if self.b.get(i + 2..i + 6).is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit)) => {
                        i += 6;
                    }
                    _ => break,
                },
                _ => break,
            }
            i = next_quoted(self.b, i);
        }
        self.pos = i;
        Err(self.wrong())
    }

    fn object(&mut self, place: &Place<'_>, around: Cues, depth: usize) -> Result<(), ScrubError> {
        self.pos += 1;
        self.space();
        if self.peek() == b'}' {
            self.pos += 1;
            return Ok(());
        }
        let mut made: Vec<String> = Vec::new();
        loop {
            self.space();
            if self.peek() != b'"' {
                return Err(self.wrong());
            }
            let (start, end) = self.string()?;
            let name = is_name(self.b, start, end);
            let key = if name && self.simple && made.is_empty() {
                Cow::Borrowed(&self.text[start..end])
            } else {
                self.key(start, end, place, &mut made)?
            };
            self.space();
            if self.peek() != b':' {
                return Err(self.wrong());
            }
            self.pos += 1;
            let hint = if name && matches!(key, Cow::Borrowed(_)) {
                named(self.b, start, end, around)
            } else {
                hint(meant(&key).as_bytes(), around)
            };
            self.space();
            let inner = place.key(&key);
            if self.peek() == b'"' && depth < self.scrubber.inner.max_depth {
                let (start, end) = self.string()?;
                self.leaf(start, end, &inner, hint)?;
            } else {
                self.value(&inner, hint, depth + 1)?;
            }
            self.space();
            match self.peek() {
                b',' => self.pos += 1,
                b'}' => {
                    self.pos += 1;
                    return Ok(());
                }
                _ => return Err(self.wrong()),
            }
        }
    }

    /// A key: what it is written out as.
    fn key(
        &mut self,
        start: usize,
        end: usize,
        place: &Place<'_>,
        made: &mut Vec<String>,
    ) -> Result<Cow<'a, str>, ScrubError> {
        let text = self.text;
        let raw = &text[start..end];
        self.scrubber.find(raw, 0, &mut self.hits)?;
        keep_escapes(raw.as_bytes(), self.hits.as_mut_slice());
        let hits = self.hits.as_slice();
        if hits.is_empty() && !made.iter().any(|m| m == raw) {
            return Ok(Cow::Borrowed(raw));
        }
        let mut clean = String::with_capacity(raw.len());
        self.scrubber.replace(&mut clean, raw, hits, true)?;
        let clean = distinct(clean, made);
        made.push(clean.clone());
        self.out.push_str(&text[self.copied..start]);
        self.out.push_str(&clean);
        self.copied = end;
        for hit in hits {
            self.findings.push(self.scrubber.finding(hit, start));
        }
        if !hits.is_empty() {
            self.scrubber.note(hits, &place.key(&clean), &mut self.receipt);
        }
        Ok(Cow::Owned(clean))
    }

    /// Whether the string can be passed by without a scan: tiny, or short and of letters only, under a key that is no cue,
    /// and nobody else asks.
    #[inline]
    fn passes(&self, start: usize, end: usize, hint: Cues) -> bool {
        self.simple
            && (end - start < if hint == 0 { TINY } else { LEAST }
                || hint & bit::FORWARD == 0 && is_name(self.b, start, end))
    }

    fn array(&mut self, place: &Place<'_>, around: Cues, depth: usize) -> Result<(), ScrubError> {
        self.pos += 1;
        self.space();
        if self.peek() == b']' {
            self.pos += 1;
            return Ok(());
        }
        let mut index = 0;
        loop {
            self.value(&place.index(index), around, depth + 1)?;
            index += 1;
            self.space();
            match self.peek() {
                b',' => self.pos += 1,
                b']' => {
                    self.pos += 1;
                    return Ok(());
                }
                _ => return Err(self.wrong()),
            }
        }
    }

    fn leaf(&mut self, start: usize, end: usize, place: &Place<'_>, around: Cues) -> Result<(), ScrubError> {
        let text = self.text;
        let raw = &text[start..end];
        if self.passes(start, end, around) {
            return Ok(());
        }
        self.scrubber.find(raw, around, &mut self.hits)?;
        keep_escapes(raw.as_bytes(), self.hits.as_mut_slice());
        let hits = self.hits.as_slice();
        if hits.is_empty() {
            return Ok(());
        }
        if self.out.capacity() == 0 {
            self.out.reserve(text.len() + 16);
        }
        self.out.push_str(&text[self.copied..start]);
        self.scrubber.replace(&mut self.out, raw, hits, true)?;
        self.copied = end;
        for hit in hits {
            self.findings.push(self.scrubber.finding(hit, start));
        }
        self.scrubber.note(hits, place, &mut self.receipt);
        Ok(())
    }

    fn number(&mut self, place: &Place<'_>, around: Cues) -> Result<(), ScrubError> {
        let start = self.pos;
        if self.peek() == b'-' {
            self.pos += 1;
        }
        match self.peek() {
            b'0' => self.pos += 1,
            b'1'..=b'9' => self.digits()?,
            _ => return Err(self.wrong()),
        }
        if self.peek() == b'.' {
            self.pos += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.pos += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.pos += 1;
            }
            self.digits()?;
        }
        let text = self.text;
        let raw = &text[start..self.pos];
        if !number_matters(raw, around) {
            return Ok(());
        }
        self.scrubber.find(raw, around, &mut self.hits)?;
        let Some(hit) = self.hits.as_slice().first() else { return Ok(()) };
        let mut stand_in = String::new();
        self.scrubber.stand_in(&mut stand_in, hit, raw, false)?;
        self.out.push_str(&text[self.copied..start]);
        if stand_in.is_empty() {
            self.out.push_str("null");
        } else {
            self.out.push('"');
            self.out.push_str(&stand_in);
            self.out.push('"');
        }
        self.copied = self.pos;
        self.findings.push(Finding { start, end: self.pos, ..self.scrubber.finding(hit, 0) });
        self.scrubber.note(&[*hit], place, &mut self.receipt);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ScrubError> {
        if !self.peek().is_ascii_digit() {
            return Err(self.wrong());
        }
        while self.peek().is_ascii_digit() {
            self.pos += 1;
        }
        Ok(())
    }
}
