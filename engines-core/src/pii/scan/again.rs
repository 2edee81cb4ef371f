//! What stands right before a finding, read once more as it will be when that is masked.
//!
//! A rule that looked ahead from there saw the finding's own characters: a telephone number went on in a card, a token ran into the next.
//! In the masked text both end before the mask. Reading them that way at once finds what was hidden by its neighbour, and keeps a
//! second scrub from finding anything new.

use super::Scan;
use super::class::{is_alnum, is_word};
use super::cue::{Cues, bit};
use crate::pii::rule;

/// How far before a finding is read again, in bytes; within what a stream keeps.
const REACH: usize = 96;
/// A finding in what is read again may hide another.
const DEPTH: u8 = 3;
/// Nothing that is found has fewer digits without a cue.
const DIGITS: usize = 5;
/// Shorter words that hang on a finding are its key.
const TOKEN: usize = 6;
/// How far behind a cue a value may be that was looked at in vain.
const AHEAD: usize = 128;
/// Cues whose values are judged by where they end.
const VALUES: Cues = bit::PASSWORD
    | bit::SECRET
    | bit::KEY
    | bit::BEARER
    | bit::BASIC
    | bit::LABEL
    | bit::LIVES
    | bit::UNIT
    | bit::PROGRAM;

/// How many cues are remembered behind which nothing was found.
const MISSES: usize = 4;
/// How far behind a house number its street may end.
const STREET: usize = 64;

/// What a scan remembers of where it looked ahead.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ahead {
    /// Cues behind which nothing was found, the newest last: where they begin and end, and which.
    missed: [(u32, u32, Cues); MISSES],
    /// A number with names around it that were no street, counted from 1. 0 if there is none.
    house: u32,
    /// The end of a cue behind which a rule is looking; what it steps over has not been read. 0 if there is none.
    pub(crate) unread: usize,
    /// How deep a scan is inside of others.
    depth: u8,
}

impl Ahead {
    /// Moves every position back by `by`, after the front of a buffer was dropped.
    pub(crate) fn shift(&mut self, by: usize) {
        let by = by as u32;
        for (start, end, bits) in &mut self.missed {
            if *start < by {
                *bits = 0;
            }
            (*start, *end) = (start.saturating_sub(by), end.saturating_sub(by));
        }
        self.house = self.house.saturating_sub(by);
    }

    /// Nothing was found behind a cue at `start..end`.
    #[inline]
    pub(crate) fn missed(&mut self, start: usize, end: usize, bits: Cues) {
        if bits & VALUES != 0 {
            self.missed.copy_within(1.., 0);
            self.missed[MISSES - 1] = (start as u32, end as u32, bits & VALUES);
        }
    }

    /// No street was found behind a number at `start`.
    pub(crate) fn homeless(&mut self, start: usize) {
        self.house = start as u32 + 1;
    }

    /// Whether there is something to look at again before a finding at `start`.
    #[inline]
    fn pending(&self, start: usize) -> bool {
        let near = |at: u32| at != 0 && start - (at as usize).min(start) < AHEAD;
        self.unread != 0 || near(self.missed[MISSES - 1].1) || near(self.house)
    }
}

fn separates(b: u8) -> bool {
    matches!(
        b,
        b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'+' | b',' | b':' | b';' | b'=' | b'&' | b'#' | b'\'' | b'"' | b'?'
    )
}

impl Scan<'_> {
    /// Reads again what stands before a finding that begins at `start`, as far as it may be something.
    #[inline]
    pub(crate) fn clear_before(&mut self, start: usize) {
        if self.ahead.depth >= DEPTH || start == 0 {
            return;
        }
        let near = self.b[start - 1];
        let crowded = near != b' ' || start > 1 && !self.b[start - 2].is_ascii_lowercase();
        if crowded || self.ahead.pending(start) {
            self.look_again(start);
        }
    }

    #[inline(never)]
    fn look_again(&mut self, start: usize) {
        let floor = self.edge.max(start.saturating_sub(REACH));
        let ahead = self.ahead;
        self.ahead = Ahead { depth: ahead.depth, ..Ahead::default() };
        if floor >= start {
            return;
        }
        let mut from = cluster(&self.b[..start], floor).unwrap_or(start);
        if ahead.unread > floor && start > ahead.unread + TOKEN {
            let skipped = &self.b[ahead.unread..start];
            if skipped.iter().any(|b| b.is_ascii_digit() || *b == b'@') || skipped.windows(3).any(|w| w == b"---") {
                from = from.min(ahead.unread);
            }
        }
        if let Some(house) = (ahead.house as usize).checked_sub(1)
            && (floor..start).contains(&house)
            && start - house <= STREET
        {
            from = from.min(house);
        }
        let missed = |(_, end, bits): &(u32, u32, Cues)| {
            let end = *end as usize;
            *bits != 0 && end >= floor && end < start && start - end <= AHEAD
        };
        if from == start && !ahead.missed.iter().any(missed) {
            return;
        }
        let mut scan = Scan {
            b: &self.b[..start],
            last: true,
            starved: false,
            hits: &mut *self.hits,
            cues: self.cues,
            pos: from,
            endless: false,
            runs: [(0, 0); rule::secret::SETS],
            ahead: Ahead { depth: ahead.depth + 1, missed: ahead.missed, ..Ahead::default() },
            edge: self.edge,
            brink: self.brink,
            deny: self.deny,
            table: self.table,
            #[cfg(test)]
            looks: std::cell::Cell::new(0),
        };
        for &(cue, end, bits) in ahead.missed.iter().filter(|cue| missed(cue)) {
            if (end as usize) < scan.edge {
                continue;
            }
            if (cue as usize) < scan.pos
                && let Some(to) = rule::forward::after(&mut scan, cue as usize, end as usize, bits)
            {
                scan.pos = scan.pos.max(to);
            }
        }
        scan.pos = scan.pos.max(scan.edge);
        if scan.pos < start {
            scan.run();
        }
        let (edge, brink) = (scan.edge, scan.brink);
        #[cfg(test)]
        let looks = scan.looks.get();
        (self.edge, self.brink) = (edge, brink);
        #[cfg(test)]
        self.looks.set(self.looks.get() + looks);
    }
}

/// Where what hangs on the end of `text` begins, if it may be something: digits with separators, or a token.
fn cluster(text: &[u8], floor: usize) -> Option<usize> {
    let end = text.len();
    let mut i = end;
    while i > floor && end - i < 3 && separates(text[i - 1]) {
        i -= 1;
    }
    if i == floor {
        return None;
    }
    let apart = text[i..].contains(&b' ');
    let mut at = i;
    if text[i - 1].is_ascii_digit() {
        let mut digits = 0;
        while at > floor && (text[at - 1].is_ascii_digit() || separates(text[at - 1])) {
            at -= 1;
            digits += usize::from(text[at].is_ascii_digit());
        }
        if digits >= DIGITS {
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
    (telling && end - at >= TOKEN).then_some(at)
}
