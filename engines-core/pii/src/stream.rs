//! Scrubs a text that arrives in chunks.

use std::io::{Read, Write};
use std::sync::Arc;

use super::entity::EntityKind;
use super::error::{PolicyError, ScrubError};
use super::finding::ScrubReport;
use super::scan::cue_window::CueWindow;
use super::scan::findings::FindingList;
use super::scan::normalization::NormalizedText;
use super::scan::{LOOKBACK, Lookahead, Scan};
use super::scanner::begin_scan;
use super::scrubber::Scrubber;

/// Scrubs the chunks of one text as they arrive. The output equals that of [`Scrubber::scrub_text`] for the whole text,
/// wherever the chunk boundaries are.
///
/// Text is held back as long as it may still belong to a finding: for about 600 bytes, and longer only inside a long
/// secret (a private key, a token). Memory is bounded by the same amount.
///
/// ```
/// use engines_pii::Scrubber;
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
    /// The text that was received and not yet returned, with a little before it as context.
    source: String,
    /// How much of `source` is in `plain`.
    normalized_bytes: usize,
    plain: NormalizedText,
    /// How much of the plain copy was returned.
    emitted_normalized: usize,
    /// How much of `source` was returned.
    emitted_source: usize,
    state: ScanState,
    receipt: ScrubReport,
    /// The number of findings of each kind, by the kind's number; the report counts them at the end.
    kind_counts: Vec<u64>,
    /// An incomplete character at the end of the last bytes.
    partial_character: Vec<u8>,
    /// The scrub failed; nothing more may be returned.
    failed: Option<ScrubError>,
}

/// The state that a scan needs to continue.
struct ScanState {
    pos: usize,
    cue_window: CueWindow,
    findings: FindingList,
    lookahead: Lookahead,
    in_long_word: bool,
}

impl std::fmt::Debug for ScanState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("pos", &self.pos).finish_non_exhaustive()
    }
}

impl Scrubber {
    /// Makes a scrubber of one text in chunks.
    ///
    /// # Errors
    ///
    /// [`PolicyError`](super::PolicyError) with custom detectors, because they need whole texts and must not be
    /// skipped.
    pub fn stream(&self) -> Result<StreamScrubber, PolicyError> {
        if let Some(detector) = self.inner.detectors.first() {
            return Err(PolicyError::DetectorStream(detector.name().to_owned()));
        }
        Ok(StreamScrubber {
            scrubber: self.clone(),
            source: String::new(),
            normalized_bytes: 0,
            plain: NormalizedText::default(),
            emitted_normalized: 0,
            emitted_source: 0,
            state: ScanState {
                pos: 0,
                cue_window: CueWindow::new(0),
                findings: FindingList::new(),
                lookahead: Lookahead::default(),
                in_long_word: false,
            },
            receipt: ScrubReport::new(Arc::clone(&self.inner.version)),
            kind_counts: vec![0; EntityKind::all().count()],
            partial_character: Vec::new(),
            failed: None,
        })
    }
}

impl StreamScrubber {
    /// Takes a chunk and returns the text that is final by now; often it is empty.
    ///
    /// # Errors
    ///
    /// [`ScrubError`]; after it every call fails, so that no later text is returned unscrubbed.
    pub fn push(&mut self, chunk: &str) -> Result<String, ScrubError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.source.push_str(chunk);
        let out = self.advance(false);
        self.record_failure(out)
    }

    /// As [`push`](Self::push), for bytes: characters may be cut anywhere, and bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    pub fn push_bytes(&mut self, chunk: &[u8]) -> Result<String, ScrubError> {
        self.partial_character.extend_from_slice(chunk);
        let bytes = std::mem::take(&mut self.partial_character);
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
                            self.partial_character = bad.to_vec();
                            break;
                        }
                    }
                }
            }
        }
        self.push(&text)
    }

    /// Ends the text; returns the rest of it, and the report of the whole.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    pub fn finish(mut self) -> Result<(String, ScrubReport), ScrubError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !self.partial_character.is_empty() {
            self.source.push('\u{fffd}');
        }
        let out = self.advance(true)?;
        let found = EntityKind::all().zip(self.kind_counts).filter(|(_, count)| *count > 0);
        self.receipt.counts.extend(found.map(|(kind, count)| (kind.into(), count)));
        Ok((out, self.receipt))
    }

    fn record_failure(&mut self, out: Result<String, ScrubError>) -> Result<String, ScrubError> {
        if let Err(error) = &out {
            self.failed = Some(error.clone());
        }
        out
    }

    fn advance(&mut self, last: bool) -> Result<String, ScrubError> {
        self.normalized_bytes = self.plain.extend(self.source.as_bytes(), self.normalized_bytes, last);
        let limit = self.scrubber.inner.max_bytes;
        if self.source.len() > limit {
            return Err(ScrubError::TooLarge { size: self.source.len(), limit });
        }
        let mut hits = std::mem::replace(&mut self.state.findings, FindingList::new());
        let mut scan = begin_scan(&self.plain.text, 0, self.scrubber.inner.deny.as_ref(), &mut hits);
        scan.is_last = last;
        scan.pos = self.state.pos;
        scan.cues = self.state.cue_window;
        scan.in_long_word = self.state.in_long_word;
        scan.lookahead = self.state.lookahead;
        scan.run();
        let Scan { pos, cues, lookahead: ahead, in_long_word: endless, .. } = scan;
        // A later finding may still absorb an earlier one that is near.
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
        if settled > self.emitted_normalized || last {
            self.emit(&mut out, &hits, settled, last)?;
        }
        let rest = hits.as_slice().iter().filter(|hit| hit.start as usize >= settled).copied().collect();
        let mut hits = FindingList::new();
        hits.replace_all(rest);
        self.state = ScanState { pos, cue_window: cues, findings: hits, lookahead: ahead, in_long_word: endless };
        self.drop_emitted();
        Ok(out)
    }

    /// Returns the text at the plain positions `emitted..settled` as it stands in the source.
    fn emit(&mut self, out: &mut String, hits: &FindingList, settled: usize, last: bool) -> Result<(), ScrubError> {
        let mut from = self.emitted_source;
        for hit in hits.as_slice() {
            if (hit.start as usize) < self.emitted_normalized || hit.end as usize > settled {
                continue;
            }
            let (start, end) = (self.plain.source_start(hit.start as usize), self.plain.source_end(hit.end as usize));
            let source = self.source.get(start..end).unwrap_or_default();
            let (_, least) = self.scrubber.table.rule(hit.kind);
            if hit.score < least
                || !self.scrubber.inner.allowed.is_empty() && self.scrubber.inner.allowed.contains(source)
            {
                continue;
            }
            out.push_str(self.source.get(from..start).unwrap_or_default());
            self.scrubber.write_replacement(out, hit, source, false)?;
            if let Some(count) = self.kind_counts.get_mut(usize::from(hit.kind)) {
                *count += 1;
            }
            from = end;
        }
        let to = if last { self.source.len() } else { self.plain.source_end(settled).max(from) };
        out.push_str(self.source.get(from..to).unwrap_or_default());
        self.emitted_normalized = settled;
        self.emitted_source = to;
        Ok(())
    }

    /// Drops text that was returned and is no longer needed as context.
    fn drop_emitted(&mut self) {
        let drop = self.emitted_normalized.min(self.state.pos.saturating_sub(2 * LOOKBACK));
        if drop < 4 * LOOKBACK {
            return;
        }
        let mut drop = drop;
        while drop > 0 && self.plain.text.get(drop).is_some_and(|b| b & 0xc0 == 0x80) {
            drop -= 1;
        }
        let source = self.plain.source_end(drop).min(self.emitted_source);
        self.plain.drop_front(drop, source);
        self.source.drain(..source);
        self.normalized_bytes -= source;
        self.emitted_normalized -= drop;
        self.emitted_source -= source;
        self.state.pos -= drop;
        self.state.cue_window.shift_back(drop);
        self.state.lookahead.shift_back(drop);
        for hit in self.state.findings.as_mut_slice() {
            hit.start -= drop as u32;
            hit.end -= drop as u32;
        }
    }
}

/// Scrubs the text of a reader into a writer, with constant memory.
///
/// # Errors
///
/// [`ScrubError::Read`] for errors of the reader and the writer, and those of [`StreamScrubber::push`].
pub fn scrub_reader(scrubber: &Scrubber, mut from: impl Read, mut to: impl Write) -> Result<ScrubReport, ScrubError> {
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
