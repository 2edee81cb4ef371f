//! What a scan remembers of where it looked ahead without success.

use super::cue_bits::{Cues, bit};

/// The longest distance from a label to the end of an address that was searched without success.
const LABEL_REACH: usize = 128;
/// The longest distance from a cue to the end of a value that was searched without success.
const VALUE_REACH: usize = 48;
/// A finding that is nearer to its cue is the value of that cue.
const ADJACENT_BYTES: usize = 3;
/// The longest distance from a house number to the end of its street.
pub(crate) const STREET_REACH: usize = 64;
/// The depth of nested rescans: a finding in rescanned text may hide another one.
pub(crate) const MAX_DEPTH: u8 = 3;

/// Cues whose values are judged by where they end.
const VALUE_CUES: Cues = bit::PASSWORD | bit::SECRET | bit::KEY | bit::BEARER | bit::BASIC | bit::PROGRAM;
/// Cues that an address may follow.
const LABEL_CUES: Cues = bit::LABEL | bit::LIVES;

/// A cue behind which nothing was found: its range, and which of the above cues it is.
#[derive(Clone, Copy, Default)]
pub(crate) struct MissedCue {
    pub(crate) start: u32,
    pub(crate) end: u32,
    cue_bits: u8,
}

/// The recorded cues, in the order of their bits in `MissedCue::cue_bits`.
const REMEMBERED_CUES: [Cues; 8] =
    [bit::PASSWORD, bit::SECRET, bit::KEY, bit::BEARER, bit::BASIC, bit::PROGRAM, bit::LABEL, bit::LIVES];

impl MissedCue {
    fn new(start: usize, end: usize, bits: Cues) -> Self {
        let which = REMEMBERED_CUES.iter().rev().fold(0, |which, cue| which << 1 | u8::from(bits & cue != 0));
        Self { start: start as u32, end: end as u32, cue_bits: which }
    }

    pub(crate) fn cues(self) -> Cues {
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
    pub(crate) armed_until: u32,
    /// The last cue of each sort behind which nothing was found.
    pub(crate) missed_label: MissedCue,
    pub(crate) missed_value: MissedCue,
    /// The position, counted from 1, of a number between names that were not a street; 0 if there is none.
    pub(crate) house_number: u32,
    /// The end of the cue behind which a rule searches; the bytes it skips have not been scanned. 0 if there is none.
    pub(crate) unread_from: u32,
    /// The number of scans this one is nested in.
    pub(crate) depth: u8,
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
    pub(crate) fn is_armed(&self, start: usize) -> bool {
        self.unread_from != 0 || start < self.armed_until as usize
    }

    /// A value that extends to the finding.
    pub(crate) fn missed_value_before(&self, bytes: &[u8], start: usize) -> bool {
        self.missed_value.ends_before(start, VALUE_REACH) && !matches!(bytes[start - 1], b' ' | b'\n' | b'"' | b'\'')
    }

    /// A line with a number.
    pub(crate) fn missed_label_before(&self, bytes: &[u8], start: usize) -> bool {
        self.missed_label.ends_before(start, LABEL_REACH)
            && bytes[self.missed_label.end as usize..start].iter().any(u8::is_ascii_digit)
    }
}
