//! Scrubbing a text that comes in chunks.

use std::io::{Read, Write};
use std::sync::Arc;

use super::entity::Kind;
use super::error::{PolicyError, ScrubError};
use super::finding::Receipt;
use super::scan::hits::Hits;
use super::scan::normal::Plain;
use super::scan::ring::Ring;
use super::scan::{Ahead, LOOKBACK, Scan};
use super::scrubber::Scrubber;

/// Scrubs chunks of one text as they come; what comes out is what [`Scrubber::scrub_text`] makes of the whole, wherever the borders are.
///
/// A chunk is held back as long as something in it may still turn out to be, or to belong to, a finding: for about 600 bytes, and longer only
/// inside a long secret (a private key, a token). Memory is bounded by the same.
///
/// ```
/// use engines_core::pii::Scrubber;
///
/// let mut stream = Scrubber::default().stream()?;
/// let mut out = String::new();
/// for chunk in ["mail an", "a@exam", "ple.org", " please"] {
///     out += &stream.push(chunk)?;
/// }
/// let (rest, receipt) = stream.finish()?;
/// assert_eq!(out + &rest, "mail [EMAIL_ADDRESS] please");
/// assert_eq!(receipt.total(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StreamScrubber {
    scrubber: Scrubber,
    /// What has come in and not gone out, with a little before it as context.
    source: String,
    /// How much of `source` is in `plain`.
    taken: usize,
    plain: Plain,
    /// How much of the plain copy has gone out.
    emitted: usize,
    /// How much of `source` has gone out.
    written: usize,
    state: State,
    receipt: Receipt,
    /// How many of each kind were found, by number; the receipt counts them in the end.
    tally: Vec<u64>,
    /// An incomplete character at the end of the last bytes.
    partial: Vec<u8>,
    /// It failed; nothing more may come out.
    failed: Option<ScrubError>,
}

/// What a scan needs to go on.
struct State {
    pos: usize,
    cues: Ring,
    hits: Hits,
    ahead: Ahead,
    endless: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("pos", &self.pos).finish_non_exhaustive()
    }
}

impl Scrubber {
    /// A scrubber for one text in chunks.
    ///
    /// # Errors
    ///
    /// Detectors of one's own see whole texts; with one of them this fails rather than skip it.
    pub fn stream(&self) -> Result<StreamScrubber, PolicyError> {
        if let Some(detector) = self.inner.detectors.first() {
            return Err(PolicyError::DetectorStream(detector.name().to_owned()));
        }
        Ok(StreamScrubber {
            scrubber: self.clone(),
            source: String::new(),
            taken: 0,
            plain: Plain::default(),
            emitted: 0,
            written: 0,
            state: State { pos: 0, cues: Ring::new(0), hits: Hits::new(), ahead: Ahead::default(), endless: false },
            receipt: Receipt::new(Arc::clone(&self.inner.version)),
            tally: vec![0; Kind::all().count()],
            partial: Vec::new(),
            failed: None,
        })
    }
}

impl StreamScrubber {
    /// Takes a chunk and gives what is certain by now; often nothing.
    ///
    /// # Errors
    ///
    /// [`ScrubError`]; after that every call fails, so that nothing slips through behind it.
    pub fn push(&mut self, chunk: &str) -> Result<String, ScrubError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.source.push_str(chunk);
        let out = self.advance(false);
        self.keep_failure(out)
    }

    /// Like [`push`](Self::push) for bytes: characters may be cut anywhere, and what is not UTF-8 becomes U+FFFD.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    pub fn push_bytes(&mut self, chunk: &[u8]) -> Result<String, ScrubError> {
        self.partial.extend_from_slice(chunk);
        let bytes = std::mem::take(&mut self.partial);
        let mut text = String::with_capacity(bytes.len());
        let mut rest = bytes.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(good) => {
                    text.push_str(good);
                    break;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    text.push_str(std::str::from_utf8(good).unwrap_or_default());
                    match error.error_len() {
                        Some(len) => {
                            text.push('\u{fffd}');
                            rest = &bad[len..];
                        }
                        None => {
                            self.partial = bad.to_vec();
                            break;
                        }
                    }
                }
            }
        }
        self.push(&text)
    }

    /// The rest, and the receipt for the whole.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    pub fn finish(mut self) -> Result<(String, Receipt), ScrubError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !self.partial.is_empty() {
            self.source.push('\u{fffd}');
        }
        let out = self.advance(true)?;
        let found = Kind::all().zip(self.tally).filter(|(_, count)| *count > 0);
        self.receipt.counts.extend(found.map(|(kind, count)| (kind.into(), count)));
        Ok((out, self.receipt))
    }

    fn keep_failure(&mut self, out: Result<String, ScrubError>) -> Result<String, ScrubError> {
        if let Err(error) = &out {
            self.failed = Some(error.clone());
        }
        out
    }

    fn advance(&mut self, last: bool) -> Result<String, ScrubError> {
        self.taken = self.plain.extend(self.source.as_bytes(), self.taken, last);
        let limit = self.scrubber.inner.max_bytes;
        if self.source.len() > limit {
            return Err(ScrubError::TooLarge { size: self.source.len(), limit });
        }
        let mut hits = std::mem::replace(&mut self.state.hits, Hits::new());
        let mut scan = Scan::new(&self.plain.text, 0, self.scrubber.inner.deny.as_ref(), &mut hits);
        scan.last = last;
        scan.pos = self.state.pos;
        scan.cues = self.state.cues;
        scan.endless = self.state.endless;
        scan.ahead = self.state.ahead;
        scan.run();
        let Scan { pos, cues, ahead, endless, .. } = scan;
        // A later finding may still swallow an earlier one that is near.
        let mut settled = if last { self.plain.text.len() } else { pos.saturating_sub(LOOKBACK) };
        if let Some(hit) =
            hits.as_slice().iter().find(|hit| (hit.start as usize) < settled && hit.end as usize > settled)
        {
            settled = hit.start as usize;
        }
        while settled > 0 && self.plain.text.get(settled).is_some_and(|b| b & 0xc0 == 0x80) {
            settled -= 1;
        }
        let mut out = String::new();
        if settled > self.emitted || last {
            self.emit(&mut out, &hits, settled, last)?;
        }
        let rest = hits.as_slice().iter().filter(|hit| hit.start as usize >= settled).copied().collect();
        let mut hits = Hits::new();
        hits.replace(rest);
        self.state = State { pos, cues, hits, ahead, endless };
        self.forget();
        Ok(out)
    }

    /// Writes the plain positions `emitted..settled` out, as they stand in the source.
    fn emit(&mut self, out: &mut String, hits: &Hits, settled: usize, last: bool) -> Result<(), ScrubError> {
        let mut from = self.written;
        for hit in hits.as_slice() {
            if (hit.start as usize) < self.emitted || hit.end as usize > settled {
                continue;
            }
            let (start, end) = (self.plain.start(hit.start as usize), self.plain.end(hit.end as usize));
            let source = self.source.get(start..end).unwrap_or_default();
            let (_, least) = self.scrubber.table.rule(hit.kind);
            if hit.score < least || !self.scrubber.inner.allowed.is_empty() && self.scrubber.inner.allowed.has(source) {
                continue;
            }
            out.push_str(self.source.get(from..start).unwrap_or_default());
            self.scrubber.stand_in(out, hit, source, false)?;
            if let Some(count) = self.tally.get_mut(usize::from(hit.kind)) {
                *count += 1;
            }
            from = end;
        }
        let to = if last { self.source.len() } else { self.plain.end(settled).max(from) };
        out.push_str(self.source.get(from..to).unwrap_or_default());
        self.emitted = settled;
        self.written = to;
        Ok(())
    }

    /// Drops what is out and no longer needed as context.
    fn forget(&mut self) {
        let drop = self.emitted.min(self.state.pos.saturating_sub(2 * LOOKBACK));
        if drop < 4 * LOOKBACK {
            return;
        }
        let mut drop = drop;
        while drop > 0 && self.plain.text.get(drop).is_some_and(|b| b & 0xc0 == 0x80) {
            drop -= 1;
        }
        let source = self.plain.end(drop).min(self.written);
        self.plain.drop_front(drop, source);
        self.source.drain(..source);
        self.taken -= source;
        self.emitted -= drop;
        self.written -= source;
        self.state.pos -= drop;
        self.state.cues.shift(drop);
        self.state.ahead.shift(drop);
        for hit in self.state.hits.as_mut_slice() {
            hit.start -= drop as u32;
            hit.end -= drop as u32;
        }
    }
}

/// Scrubs what a reader gives into a writer, with constant memory.
///
/// # Errors
///
/// [`ScrubError::Read`] for errors of either side, and those of [`StreamScrubber::push`].
pub fn scrub_reader(scrubber: &Scrubber, mut from: impl Read, mut to: impl Write) -> Result<Receipt, ScrubError> {
    let io = |e: std::io::Error| ScrubError::Read(e.kind().to_string());
    let mut stream = scrubber.stream().map_err(|e| ScrubError::Read(e.to_string()))?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(io(e)),
        };
        let out = stream.push_bytes(&buffer[..n])?;
        to.write_all(out.as_bytes()).map_err(io)?;
    }
    let (out, receipt) = stream.finish()?;
    to.write_all(out.as_bytes()).map_err(io)?;
    to.flush().map_err(io)?;
    Ok(receipt)
}
