//! Scans the text before a finding again, as it will be once the finding is masked.
//!
//! A rule that looked ahead from there saw the finding's own characters: a telephone number seemed to continue into a
//! card number, a token into the next one. In the masked text both end before the mask. Scanning the text that way at
//! once finds what its neighbour had hidden, and keeps a second scrub from finding anything new.

use super::Scan;
use super::byte_class::{is_alnum, is_word};
use super::cue::{Cues, bit};
use crate::rule;

/// The distance before a finding that is scanned again, in bytes; it is within what a stream keeps.
const RESCAN_BYTES: usize = 96;
/// The depth of nested rescans: a finding in rescanned text may hide another one.
const MAX_DEPTH: u8 = 3;
/// The fewest digits of a finding without a cue.
const MIN_DIGITS: usize = 5;
/// A shorter word attached to a finding is its key.
const MIN_TOKEN_BYTES: usize = 6;
/// The longest distance from a label to the end of an address that was searched without success.
const LABEL_REACH: usize = 128;
/// The longest distance from a cue to the end of a value that was searched without success.
const VALUE_REACH: usize = 48;
/// A finding that is nearer to its cue is the value of that cue.
const ADJACENT_BYTES: usize = 3;
/// The longest distance from a house number to the end of its street.
const STREET_REACH: usize = 64;

/// Cues whose values are judged by where they end.
const VALUE_CUES: Cues = bit::PASSWORD | bit::SECRET | bit::KEY | bit::BEARER | bit::BASIC | bit::PROGRAM;
/// Cues that an address may follow.
const LABEL_CUES: Cues = bit::LABEL | bit::LIVES;

/// A cue behind which nothing was found: its range, and which of the above cues it is.
#[derive(Clone, Copy, Default)]
struct MissedCue {
    start: u32,
    end: u32,
    cue_bits: u8,
}

/// The recorded cues, in the order of their bits in [`MissedCue::which`].
const REMEMBERED_CUES: [Cues; 8] =
    [bit::PASSWORD, bit::SECRET, bit::KEY, bit::BEARER, bit::BASIC, bit::PROGRAM, bit::LABEL, bit::LIVES];

impl MissedCue {
    fn new(start: usize, end: usize, bits: Cues) -> Self {
        let which = REMEMBERED_CUES.iter().rev().fold(0, |which, cue| which << 1 | u8::from(bits & cue != 0));
        Self { start: start as u32, end: end as u32, cue_bits: which }
    }

    fn cues(self) -> Cues {
        REMEMBERED_CUES
            .iter()
            .enumerate()
            .filter(|(i, _)| self.cue_bits >> i & 1 != 0)
            .fold(0, |bits, (_, cue)| bits | cue)
    }

    /// Whether it is at most `reach` bytes before a finding at `start`, and not directly before it.
    #[inline]
    fn ends_before(self, start: usize, reach: usize) -> bool {
        self.cue_bits != 0 && (ADJACENT_BYTES + 1..=reach).contains(&start.wrapping_sub(self.end as usize))
    }

    fn shifted(self, by: usize) -> Self {
        let by = by as u32;
        let which = if self.start < by { 0 } else { self.cue_bits };
        Self { start: self.start.saturating_sub(by), end: self.end.saturating_sub(by), cue_bits: which }
    }
}

/// Records where a scan looked ahead without success.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lookahead {
    /// The end of the range in which this record may matter.
    armed_until: u32,
    /// The last cue of each sort behind which nothing was found.
    missed_label: MissedCue,
    missed_value: MissedCue,
    /// The position, counted from 1, of a number between names that were not a street; 0 if there is none.
    house_number: u32,
    /// The end of the cue behind which a rule searches; the bytes it skips have not been scanned. 0 if there is none.
    pub(crate) unread_from: u32,
    /// The number of scans this one is nested in.
    depth: u8,
}

impl Lookahead {
    /// Moves every position back by `by`, after the front of a buffer was dropped.
    pub(crate) fn shift_back(&mut self, by: usize) {
        self.missed_label = self.missed_label.shifted(by);
        self.missed_value = self.missed_value.shifted(by);
        self.house_number = self.house_number.saturating_sub(by as u32);
        self.armed_until = self.armed_until.saturating_sub(by as u32);
    }

    /// Records that nothing was found behind a cue at `start..end`.
    #[inline]
    pub(crate) fn note_missed_cue(&mut self, start: usize, end: usize, bits: Cues) {
        if bits & VALUE_CUES != 0 {
            self.missed_value = MissedCue::new(start, end, bits & VALUE_CUES);
            self.armed_until = self.armed_until.max((end + VALUE_REACH) as u32);
        }
        // A label within the line of another label belongs to that line.
        if bits & LABEL_CUES != 0 && !self.missed_label.ends_before(start, VALUE_REACH) {
            self.missed_label = MissedCue::new(start, end, bits & LABEL_CUES);
            self.armed_until = self.armed_until.max((end + LABEL_REACH) as u32);
        }
    }

    /// Records that no street was found behind a number at `start`.
    pub(crate) fn note_missing_street(&mut self, start: usize) {
        self.house_number = start as u32 + 1;
        self.armed_until = self.armed_until.max((start + STREET_REACH) as u32);
    }

    /// Whether there may be something to scan again before a finding at `start`.
    #[inline]
    fn is_armed(&self, start: usize) -> bool {
        self.unread_from != 0 || start < self.armed_until as usize
    }

    /// The same, decided by the text before the finding.
    #[inline(never)]
    fn has_pending(&self, bytes: &[u8], start: usize) -> bool {
        let skipped = self.unread_from != 0 && start > self.unread_from as usize + MIN_TOKEN_BYTES;
        skipped
            || self.house_number_before(bytes, start)
            || self.missed_value_before(bytes, start)
            || self.missed_label_before(bytes, start)
    }

    fn house_number_before(&self, bytes: &[u8], start: usize) -> bool {
        self.house_number != 0
            && (start + 1).wrapping_sub(self.house_number as usize) <= STREET_REACH
            && rule::address::may_end_address(&bytes[self.house_number as usize - 1..start])
    }

    /// A value that extends to the finding.
    fn missed_value_before(&self, bytes: &[u8], start: usize) -> bool {
        self.missed_value.ends_before(start, VALUE_REACH) && !matches!(bytes[start - 1], b' ' | b'\n' | b'"' | b'\'')
    }

    /// A line with a number.
    fn missed_label_before(&self, bytes: &[u8], start: usize) -> bool {
        self.missed_label.ends_before(start, LABEL_REACH)
            && bytes[self.missed_label.end as usize..start].iter().any(u8::is_ascii_digit)
    }
}

/// Characters that may separate the groups of a number.
#[inline]
fn joins_groups(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'+' | b',')
}

/// Characters that may join two values.
#[inline]
fn separates_values(byte: u8) -> bool {
    joins_groups(byte) || matches!(byte, b':' | b';' | b'=' | b'&' | b'#' | b'\'' | b'?')
}

impl Scan<'_> {
    /// Scans the text before a finding at `start` again, as far as it may be a finding.
    #[inline]
    pub(crate) fn rescan_before(&mut self, start: usize) {
        if start < self.last_end || start == 0 || self.lookahead.depth >= MAX_DEPTH {
            return;
        }
        // Nearly all findings follow a quote or a word in lower case.
        let near = self.bytes[start - 1];
        let far = if start > 1 { self.bytes[start - 2] } else { b' ' };
        let plain = near == b'"' || matches!(near, b' ' | b'=') && far.is_ascii_lowercase();
        let crowded = !plain && self.digits_before(start);
        if crowded || self.lookahead.is_armed(start) && self.lookahead.has_pending(self.bytes, start) {
            self.rescan(start);
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

    #[inline(never)]
    fn rescan(&mut self, start: usize) {
        let floor = self.last_finding_end().max(start.saturating_sub(RESCAN_BYTES));
        let ahead = self.lookahead;
        self.lookahead = Lookahead { depth: ahead.depth, ..Lookahead::default() };
        let mut from = cluster_start(&self.bytes[..start], floor).unwrap_or(start);
        let unread = ahead.unread_from as usize;
        if unread > floor && start > unread + MIN_TOKEN_BYTES {
            let skipped = &self.bytes[unread..start];
            if skipped.iter().any(|b| b.is_ascii_digit() || *b == b'@') || skipped.windows(3).any(|w| w == b"---") {
                from = from.min(unread);
            }
        }
        if ahead.house_number_before(self.bytes, start) && ahead.house_number as usize > floor {
            from = from.min(ahead.house_number as usize - 1);
        }
        let label = ahead.missed_label.end as usize >= floor && ahead.missed_label_before(self.bytes, start);
        let value = ahead.missed_value.end as usize >= floor && ahead.missed_value_before(self.bytes, start);
        if from == start && !label && !value {
            return;
        }
        let mut scan = Scan {
            bytes: &self.bytes[..start],
            is_last: true,
            starved: false,
            findings: &mut *self.findings,
            cues: self.cues,
            pos: from,
            in_long_word: false,
            secret_runs: [(0, 0); rule::secret::BODY_SETS],
            lookahead: Lookahead {
                depth: ahead.depth + 1,
                missed_label: ahead.missed_label,
                missed_value: ahead.missed_value,
                ..Lookahead::default()
            },
            last_end: self.last_end,
            deny: self.deny,
            table: self.table,
            #[cfg(test)]
            examined: std::cell::Cell::new(0),
        };
        for (miss, wanted) in [(ahead.missed_label, label), (ahead.missed_value, value)] {
            if wanted
                && miss.end as usize >= scan.last_finding_end()
                && (miss.start as usize) < scan.pos
                && let Some(to) =
                    rule::cue_values::value_after_cue(&mut scan, miss.start as usize, miss.end as usize, miss.cues())
            {
                scan.pos = scan.pos.max(to);
            }
        }
        scan.pos = scan.pos.max(scan.last_finding_end());
        if scan.pos < start {
            scan.run();
        }
        let edge = scan.last_end;
        #[cfg(test)]
        let looks = scan.examined.get();
        self.last_end = edge;
        #[cfg(test)]
        self.examined.set(self.examined.get() + looks);
    }
}

/// The start of the value at the end of `text`, if it may be a finding: digits with separators, or a token.
fn cluster_start(text: &[u8], floor: usize) -> Option<usize> {
    let end = text.len();
    let mut i = end;
    while i > floor && end - i < 3 && separates_values(text[i - 1]) {
        i -= 1;
    }
    if i == floor {
        return None;
    }
    let apart = text[i..].contains(&b' ');
    let mut at = i;
    if text[i - 1].is_ascii_digit() {
        let mut digits = 0;
        while at > floor && (text[at - 1].is_ascii_digit() || joins_groups(text[at - 1])) {
            at -= 1;
            digits += usize::from(text[at].is_ascii_digit());
        }
        if digits >= MIN_DIGITS {
            while at > floor && is_word(text[at - 1]) {
                at -= 1;
            }
            return Some(at);
        }
    }
    if apart || !(is_alnum(text[i - 1]) || i < end) {
        return None;
    }
    at = i;
    let mut telling = false;
    while at > floor && text[at - 1] > b' ' && text[at - 1] != b'"' {
        at -= 1;
        telling |= text[at].is_ascii_digit() || matches!(text[at], b'@' | b')');
    }
    (telling && end - at >= MIN_TOKEN_BYTES).then_some(at)
}
