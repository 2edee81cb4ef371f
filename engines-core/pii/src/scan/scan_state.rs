//! A scan: the text, the position in it, and what was found so far.

use super::body_set::BODY_SETS;
use super::byte_class::{is_alnum, is_word, separates_values};
use super::cue::{CueTable, Cues, carried_cues, table};
use super::cue_window::CueWindow;
use super::deny_list::DenyList;
use super::findings::{FindingList, PackedFinding};
use super::lookahead::{Lookahead, MAX_DEPTH};
use crate::entity::EntityKind;

/// How far a rule may look back, in bytes.
pub(crate) const LOOKBACK: usize = 192;

/// The functions of the scanner that rules need. The scanner sets them, so that neither a scan nor a rule depends on
/// it.
pub(crate) struct ScannerCalls {
    /// Scans as far as a decision is possible.
    pub(crate) run: fn(&mut Scan<'_>),
    /// Scans the text before a finding again. The position is that of the finding; the flag says that digits precede
    /// it.
    pub(crate) rescan_before: fn(&mut Scan<'_>, usize, bool),
}

/// A scan of one text or of a part of a stream.
pub(crate) struct Scan<'a> {
    pub(crate) bytes: &'a [u8],
    /// The text ends with `b`.
    pub(crate) is_last: bool,
    /// A rule reached the end of `b` and needs more text to decide.
    pub(crate) starved: bool,
    pub(crate) findings: &'a mut FindingList,
    pub(crate) cues: CueWindow,
    pub(crate) pos: usize,
    /// The position is inside a word that is longer than the scanner reads.
    pub(crate) in_long_word: bool,
    /// The last run of bytes of each class that secrets consist of, as far as it was examined.
    pub(crate) secret_runs: [(u32, u32); BODY_SETS],
    pub(crate) lookahead: Lookahead,
    /// The end of the last finding, counted from 1. 0 if there is none.
    pub(crate) last_end: usize,
    pub(crate) deny: Option<&'a DenyList>,
    pub(crate) table: &'static CueTable,
    pub(crate) calls: &'static ScannerCalls,
    /// The number of bytes examined, for the test of linear complexity.
    #[cfg(test)]
    pub(crate) examined: std::cell::Cell<u64>,
}

impl<'a> Scan<'a> {
    #[inline]
    pub(crate) fn new(
        b: &'a [u8],
        hint: Cues,
        deny: Option<&'a DenyList>,
        hits: &'a mut FindingList,
        calls: &'static ScannerCalls,
    ) -> Self {
        let edge = hits.as_slice().last().map_or(0, |hit| hit.end as usize + 1);
        Self {
            bytes: b,
            is_last: true,
            starved: false,
            findings: hits,
            cues: CueWindow::new(hint),
            pos: 0,
            in_long_word: false,
            secret_runs: [(0, 0); BODY_SETS],
            lookahead: Lookahead::default(),
            last_end: edge,
            deny,
            table: table(),
            calls,
            #[cfg(test)]
            examined: std::cell::Cell::new(0),
        }
    }

    /// The byte at `i`; 0 beyond the end.
    #[inline]
    pub(crate) fn byte_at(&self, index: usize) -> u8 {
        #[cfg(test)]
        self.examined.set(self.examined.get() + 1);
        match self.bytes.get(index) {
            Some(b) => *b,
            None => 0,
        }
    }

    /// The byte before `i`; 0 before the start, and `]` directly after a finding, as in its mask.
    #[inline]
    pub(crate) fn byte_before(&self, at: usize) -> u8 {
        if at + 1 == self.last_end { b']' } else { self.byte_at(at.wrapping_sub(1)) }
    }

    /// Whether a word ends directly before `i`. A word that was a finding does not count, because its mask is not a
    /// word.
    #[inline]
    pub(crate) fn word_before(&self, at: usize) -> bool {
        is_word(self.byte_before(at))
    }

    /// The end of the last finding, or the start.
    #[inline]
    pub(crate) fn last_finding_end(&self) -> usize {
        self.last_end.saturating_sub(1)
    }

    /// The start of a value that seems to begin at `i`: behind a finding that it overlaps in part.
    #[inline]
    pub(crate) fn next_uncovered(&self, at: usize) -> usize {
        let reaching = self.findings.as_slice().iter().rev().take_while(|hit| hit.end as usize > at);
        reaching.last().filter(|hit| (hit.start as usize) < at).map_or(at, |hit| hit.end as usize)
    }

    #[inline]
    pub(crate) fn starts_with(&self, at: usize, with: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(with))
    }

    /// Records a finding; it is extended to whole characters. Returns its end.
    pub(crate) fn add_finding(&mut self, kind: EntityKind, mut start: usize, mut end: usize, score: u8) -> usize {
        while start > 0 && self.byte_at(start) & 0xc0 == 0x80 {
            start -= 1;
        }
        while self.byte_at(end) & 0xc0 == 0x80 {
            end += 1;
        }
        self.rescan_before(start);
        if self.findings.add_longest(PackedFinding::new(kind, start, end, score)) {
            self.carry_context(kind, end);
            self.last_end = end + 1;
        }
        end
    }

    /// Makes the finding or its mask the only context for the following text, so that a masked text gives the same
    /// result as the original.
    #[inline]
    pub(crate) fn carry_context(&mut self, kind: EntityKind, end: usize) {
        self.cues.reset(carried_cues(kind), end);
    }

    /// Scans the text before a finding at `start` again, as far as it may be a finding.
    #[inline]
    fn rescan_before(&mut self, start: usize) {
        if start < self.last_end || start == 0 || self.lookahead.depth >= MAX_DEPTH {
            return;
        }
        // Nearly all findings follow a quote or a word in lower case.
        let near = self.bytes[start - 1];
        let far = if start > 1 { self.bytes[start - 2] } else { b' ' };
        let plain = near == b'"' || matches!(near, b' ' | b'=') && far.is_ascii_lowercase();
        let crowded = !plain && self.digits_before(start);
        if crowded || self.lookahead.is_armed(start) {
            (self.calls.rescan_before)(self, start, crowded);
        }
    }

    /// Whether digits, or something joined to digits, precede a position.
    #[inline(never)]
    fn digits_before(&self, start: usize) -> bool {
        let (mut i, mut apart) = (start, false);
        while i > self.last_end && start - i < 3 && separates_values(self.bytes[i - 1]) {
            i -= 1;
            apart |= self.bytes[i] == b' ';
        }
        let last = if i > 0 { self.bytes[i - 1] } else { b' ' };
        last.is_ascii_digit() || !apart && (last.is_ascii_uppercase() || last == b')' || i == start && is_alnum(last))
    }
}
