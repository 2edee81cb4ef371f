//! Redacts a stream: lines of JSON as JSON, and all lines between them as one text.

use std::io::{self, Read, Write};

use engines::core::pii::{PolicyError, ScrubError, Scrubber, StreamScrubber};
use memchr::{memchr, memrchr};

use crate::cli::error::CliError;

/// Bytes of one read.
const CHUNK_BYTES: usize = 64 << 10;
/// The size limit of a line that is read as JSON, in bytes. A line that begins like JSON is held until it is complete;
/// a longer one is text.
const MAX_JSON_LINE_BYTES: usize = 16 << 20;
/// The byte order marks of UTF-16. The rules would find nothing in such text, so it is refused.
const UTF16: [[u8; 2]; 2] = [[0xff, 0xfe], [0xfe, 0xff]];

/// The format of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineFormat {
    /// A line that is a JSON object or array is redacted as JSON, with its keys as context.
    Auto,
    /// All lines are one text.
    Text,
}

/// Copies `from` to `to` without the findings of `scrubber`. Memory is bounded by [`MAX_JSON_LINE_BYTES`] and the
/// longest secret. The filter holds back some 600 bytes of text, or one line of JSON.
pub(super) fn filter(
    scrubber: &Scrubber,
    lines: LineFormat,
    mut from: impl Read,
    mut to: impl Write,
) -> Result<(), CliError> {
    let mut filter = Filter { scrubber, lines, text: None, line: Vec::new(), inside: false, out: Vec::new() };
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut begun = false;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("reading failed: {error}").into()),
        };
        if !begun && UTF16.iter().any(|mark| read.starts_with(mark)) {
            return Err("the input is UTF-16, in which nothing would be found; convert it to UTF-8 first".into());
        }
        begun = true;
        filter.push(read)?;
        to.write_all(&filter.out)?;
        to.flush()?;
        filter.out.clear();
    }
    filter.finish()?;
    to.write_all(&filter.out)?;
    to.flush()?;
    Ok(())
}

struct Filter<'s> {
    scrubber: &'s Scrubber,
    lines: LineFormat,
    /// The text since the last line of JSON.
    text: Option<StreamScrubber>,
    /// The beginning of a line that may be JSON.
    line: Vec<u8>,
    /// Whether the next bytes continue a line of text.
    inside: bool,
    /// The output that can be written.
    out: Vec<u8>,
}

impl Filter<'_> {
    fn push(&mut self, mut chunk: &[u8]) -> Result<(), CliError> {
        if self.lines == LineFormat::Text {
            return self.text(chunk);
        }
        while !chunk.is_empty() {
            if self.line.is_empty() {
                // Consecutive lines of text are redacted together.
                let json = self.next_json(chunk);
                let (text, rest) = chunk.split_at(json);
                if !text.is_empty() {
                    self.text(text)?;
                    self.inside = !text.ends_with(b"\n");
                }
                chunk = rest;
            }
            match memchr(b'\n', chunk) {
                Some(end) if self.line.is_empty() => {
                    let (line, rest) = chunk.split_at(end + 1);
                    self.json(line)?;
                    chunk = rest;
                }
                Some(end) => {
                    let (line, rest) = chunk.split_at(end + 1);
                    self.line.extend_from_slice(line);
                    let line = std::mem::take(&mut self.line);
                    self.json(&line)?;
                    chunk = rest;
                }
                None => {
                    self.line.extend_from_slice(chunk);
                    chunk = &[];
                }
            }
            if self.line.len() > MAX_JSON_LINE_BYTES {
                let line = std::mem::take(&mut self.line);
                self.text(&line)?;
                self.inside = true;
            }
        }
        Ok(())
    }

    /// Returns the position in `chunk` of the next line that may be JSON, or the length of `chunk` if there is none.
    fn next_json(&self, chunk: &[u8]) -> usize {
        let mut at = 0;
        if self.inside {
            match memchr(b'\n', chunk) {
                Some(end) => at = end + 1,
                None => return chunk.len(),
            }
        }
        // A chunk of text without brackets needs no check of each line.
        if memrchr(b'{', &chunk[at..]).is_none() && memrchr(b'[', &chunk[at..]).is_none() {
            return chunk.len();
        }
        while at < chunk.len() && !matches!(chunk[at], b'{' | b'[') {
            match memchr(b'\n', &chunk[at..]) {
                Some(end) => at += end + 1,
                None => return chunk.len(),
            }
        }
        at
    }

    /// Redacts a complete line that begins like JSON.
    fn json(&mut self, line: &[u8]) -> Result<(), CliError> {
        let Ok(text) = std::str::from_utf8(line) else { return self.text(line) };
        let scrubber = self.scrubber;
        match scrubber.scrub_json_str(text) {
            Ok(clean) => {
                self.end_text()?;
                self.out.extend_from_slice(clean.value.as_bytes());
                Ok(())
            }
            Err(ScrubError::NotJson { .. } | ScrubError::TooDeep { .. }) => self.text(line),
            Err(error) => Err(error.into()),
        }
    }

    fn text(&mut self, chunk: &[u8]) -> Result<(), CliError> {
        let mut text = match self.text.take() {
            Some(text) => text,
            None => self.scrubber.stream().map_err(|error: PolicyError| CliError::from(error))?,
        };
        self.out.extend_from_slice(text.push_bytes(chunk)?.as_bytes());
        self.text = Some(text);
        Ok(())
    }

    fn end_text(&mut self) -> Result<(), CliError> {
        if let Some(text) = self.text.take() {
            let (rest, _) = text.finish()?;
            self.out.extend_from_slice(rest.as_bytes());
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), CliError> {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.json(&line)?;
        }
        self.end_text()
    }
}
