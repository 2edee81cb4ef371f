//! A writer that scrubs finished log lines.

use std::{
    borrow::Cow,
    fmt,
    io::{self, Write},
};

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

use super::fields::WITHHELD;
use crate::{ScrubError, Scrubber};

/// Starts a control sequence of a terminal.
const ESCAPE: char = '\u{1b}';

/// Wraps the writer of a formatting layer and scrubs each line before it is written. A line of JSON stays JSON. A line
/// with findings loses its colours.
#[derive(Debug, Clone)]
pub struct ScrubWriter<M> {
    inner: M,
    scrubber: Scrubber,
}

impl<M> ScrubWriter<M> {
    /// Wraps `inner`.
    #[must_use]
    pub fn new(inner: M, scrubber: Scrubber) -> Self {
        Self { inner, scrubber }
    }
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for ScrubWriter<M> {
    type Writer = ScrubbedLineWriter<'a, M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        ScrubbedLineWriter { scrubber: &self.scrubber, writer: self.inner.make_writer(), buffer: Vec::new() }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        ScrubbedLineWriter {
            scrubber: &self.scrubber,
            writer: self.inner.make_writer_for(metadata),
            buffer: Vec::new(),
        }
    }
}

/// The line of one event. It is written when it is complete: when it is flushed or dropped.
pub struct ScrubbedLineWriter<'a, W: Write> {
    scrubber: &'a Scrubber,
    writer: W,
    buffer: Vec<u8>,
}

impl<W: Write> ScrubbedLineWriter<'_, W> {
    fn write_scrubbed(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.buffer);
        let line = String::from_utf8_lossy(&held);
        match scrub_line(self.scrubber, &line) {
            Ok(clean) => self.writer.write_all(clean.as_bytes()),
            Err(_) => writeln!(self.writer, "{WITHHELD}"),
        }
    }
}

fn scrub_line<'l>(scrubber: &Scrubber, line: &'l str) -> Result<Cow<'l, str>, ScrubError> {
    if line.starts_with('{') {
        match scrubber.scrub_json_str(line) {
            Err(ScrubError::NotJson { .. } | ScrubError::TooDeep { .. }) => {}
            scrubbed => return scrubbed.map(|scrubbed| scrubbed.value),
        }
    }
    if !line.contains(ESCAPE) {
        return scrubber.scrub_text(line).map(|scrubbed| scrubbed.value);
    }
    // A control sequence ends in a letter, which would hide the start of the word behind it.
    let plain = strip_control_sequences(line);
    let scrubbed = scrubber.scrub_text(&plain)?;
    Ok(if scrubbed.findings.is_empty() { Cow::Borrowed(line) } else { Cow::Owned(scrubbed.value.into_owned()) })
}

/// The line without control sequences (ECMA-48 section 5.4): `ESC [`, parameters, one final byte.
fn strip_control_sequences(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c != ESCAPE {
            plain.push(c);
        } else if rest.as_str().starts_with('[') {
            rest.next();
            rest.find(|c| ('\u{40}'..='\u{7e}').contains(c));
        }
    }
    plain
}

impl<W: Write> Write for ScrubbedLineWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_scrubbed()?;
        self.writer.flush()
    }
}

impl<W: Write> Drop for ScrubbedLineWriter<'_, W> {
    fn drop(&mut self) {
        // A failure of the log writer cannot be reported anywhere.
        let _ = self.write_scrubbed();
    }
}

impl<W: Write> fmt::Debug for ScrubbedLineWriter<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScrubLine").field("held", &self.buffer.len()).finish_non_exhaustive()
    }
}
