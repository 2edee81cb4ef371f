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
/// How far behind a label an address may end that was looked at in vain.
const LINE: usize = 128;
/// The same for a value behind a cue.
const VALUE: usize = 48;
/// What is nearer to its cue is its value.
const NEXT: usize = 3;
/// How far behind a house number its street may end.
const STREET: usize = 64;

/// Cues whose values are judged by where they end.
const VALUES: Cues = bit::PASSWORD | bit::SECRET | bit::KEY | bit::BEARER | bit::BASIC | bit::PROGRAM;
/// Cues behind which an address may stand.
const LABELS: Cues = bit::LABEL | bit::LIVES;

/// A cue behind which nothing was found: where it begins and ends, and which of those above.
#[derive(Clone, Copy, Default)]
struct Miss {
    start: u32,
    end: u32,
    which: u8,
}

/// The cues that are remembered, in the order of their bits in [`Miss::which`].
const WHICH: [Cues; 8] =
    [bit::PASSWORD, bit::SECRET, bit::KEY, bit::BEARER, bit::BASIC, bit::PROGRAM, bit::LABEL, bit::LIVES];

impl Miss {
    fn new(start: usize, end: usize, bits: Cues) -> Self {
        let which = WHICH.iter().rev().fold(0, |which, cue| which << 1 | u8::from(bits & cue != 0));
        Self { start: start as u32, end: end as u32, which }
    }

    fn bits(self) -> Cues {
        WHICH.iter().enumerate().filter(|(i, _)| self.which >> i & 1 != 0).fold(0, |bits, (_, cue)| bits | cue)
    }

    /// Whether it stands at most `reach` bytes before a finding at `start`, and not right before it.
    #[inline]
    fn before(self, start: usize, reach: usize) -> bool {
        self.which != 0 && (NEXT + 1..=reach).contains(&start.wrapping_sub(self.end as usize))
    }

    fn shifted(self, by: usize) -> Self {
        let by = by as u32;
        let which = if self.start < by { 0 } else { self.which };
        Self { start: self.start.saturating_sub(by), end: self.end.saturating_sub(by), which }
    }
}

/// What a scan remembers of where it looked ahead.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ahead {
    /// How far what is remembered here reaches.
    armed: u32,
    /// The last cues of either sort behind which nothing was found.
    label: Miss,
    value: Miss,
    /// A number with names around it that were no street, counted from 1. 0 if there is none.
    house: u32,
    /// The end of a cue behind which a rule is looking; what it steps over has not been read. 0 if there is none.
    pub(crate) unread: u32,
    /// How deep a scan is inside of others.
    depth: u8,
}

impl Ahead {
    /// Moves every position back by `by`, after the front of a buffer was dropped.
    pub(crate) fn shift(&mut self, by: usize) {
        self.label = self.label.shifted(by);
        self.value = self.value.shifted(by);
        self.house = self.house.saturating_sub(by as u32);
        self.armed = self.armed.saturating_sub(by as u32);
    }

    /// Nothing was found behind a cue at `start..end`.
    #[inline]
    pub(crate) fn missed(&mut self, start: usize, end: usize, bits: Cues) {
        if bits & VALUES != 0 {
            self.value = Miss::new(start, end, bits & VALUES);
            self.armed = self.armed.max((end + VALUE) as u32);
        }
        // A label inside of a line with another one is a part of that.
        if bits & LABELS != 0 && !self.label.before(start, VALUE) {
            self.label = Miss::new(start, end, bits & LABELS);
            self.armed = self.armed.max((end + LINE) as u32);
        }
    }

    /// No street was found behind a number at `start`.
    pub(crate) fn homeless(&mut self, start: usize) {
        self.house = start as u32 + 1;
        self.armed = self.armed.max((start + STREET) as u32);
    }

    /// Whether there may be something to look at again before a finding at `start`.
    #[inline]
    fn armed(&self, start: usize) -> bool {
        self.unread != 0 || start < self.armed as usize
    }

    /// The same by what stands there.
    #[inline(never)]
    fn pending(&self, b: &[u8], start: usize) -> bool {
        let skipped = self.unread != 0 && start > self.unread as usize + TOKEN;
        skipped || self.house_before(b, start) || self.value_before(b, start) || self.label_before(b, start)
    }

    fn house_before(&self, b: &[u8], start: usize) -> bool {
        self.house != 0
            && (start + 1).wrapping_sub(self.house as usize) <= STREET
            && rule::address::may_end(&b[self.house as usize - 1..start])
    }

    /// A value that goes on up to the finding.
    fn value_before(&self, b: &[u8], start: usize) -> bool {
        self.value.before(start, VALUE) && !matches!(b[start - 1], b' ' | b'\n' | b'"' | b'\'')
    }

    /// A line with a number.
    fn label_before(&self, b: &[u8], start: usize) -> bool {
        self.label.before(start, LINE) && b[self.label.end as usize..start].iter().any(u8::is_ascii_digit)
    }
}

/// What may stand between the groups of a number.
#[inline]
fn joins(b: u8) -> bool {
    matches!(b, b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'+' | b',')
}

/// What may stand between two values that hang together.
#[inline]
fn separates(b: u8) -> bool {
    joins(b) || matches!(b, b':' | b';' | b'=' | b'&' | b'#' | b'\'' | b'?')
}

impl Scan<'_> {
    /// Reads again what stands before a finding that begins at `start`, as far as it may be something.
    #[inline]
    pub(crate) fn clear_before(&mut self, start: usize) {
        if start < self.edge || start == 0 || self.ahead.depth >= DEPTH {
            return;
        }
        // Nearly all findings stand behind a quote, or a word in small letters.
        let near = self.b[start - 1];
        let far = if start > 1 { self.b[start - 2] } else { b' ' };
        let plain = near == b'"' || matches!(near, b' ' | b'=') && far.is_ascii_lowercase();
        let crowded = !plain && self.crowded(start);
        if crowded || self.ahead.armed(start) && self.ahead.pending(self.b, start) {
            self.look_again(start);
        }
    }

    /// Whether digits stand before a place, or what hangs on it.
    #[inline(never)]
    fn crowded(&self, start: usize) -> bool {
        let (mut i, mut apart) = (start, false);
        while i > self.edge && start - i < 3 && separates(self.b[i - 1]) {
            i -= 1;
            apart |= self.b[i] == b' ';
        }
        let last = if i > 0 { self.b[i - 1] } else { b' ' };
        last.is_ascii_digit() || !apart && (last.is_ascii_uppercase() || last == b')' || i == start && is_alnum(last))
    }

    #[inline(never)]
    fn look_again(&mut self, start: usize) {
        let floor = self.floor().max(start.saturating_sub(REACH));
        let ahead = self.ahead;
        self.ahead = Ahead { depth: ahead.depth, ..Ahead::default() };
        let mut from = cluster(&self.b[..start], floor).unwrap_or(start);
        let unread = ahead.unread as usize;
        if unread > floor && start > unread + TOKEN {
            let skipped = &self.b[unread..start];
            if skipped.iter().any(|b| b.is_ascii_digit() || *b == b'@') || skipped.windows(3).any(|w| w == b"---") {
                from = from.min(unread);
            }
        }
        if ahead.house_before(self.b, start) && ahead.house as usize > floor {
            from = from.min(ahead.house as usize - 1);
        }
        let label = ahead.label.end as usize >= floor && ahead.label_before(self.b, start);
        let value = ahead.value.end as usize >= floor && ahead.value_before(self.b, start);
        if from == start && !label && !value {
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
            ahead: Ahead { depth: ahead.depth + 1, label: ahead.label, value: ahead.value, ..Ahead::default() },
            edge: self.edge,
            deny: self.deny,
            table: self.table,
            #[cfg(test)]
            looks: std::cell::Cell::new(0),
        };
        for (miss, wanted) in [(ahead.label, label), (ahead.value, value)] {
            if wanted
                && miss.end as usize >= scan.floor()
                && (miss.start as usize) < scan.pos
                && let Some(to) = rule::forward::after(&mut scan, miss.start as usize, miss.end as usize, miss.bits())
            {
                scan.pos = scan.pos.max(to);
            }
        }
        scan.pos = scan.pos.max(scan.floor());
        if scan.pos < start {
            scan.run();
        }
        let edge = scan.edge;
        #[cfg(test)]
        let looks = scan.looks.get();
        self.edge = edge;
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
        while at > floor && (text[at - 1].is_ascii_digit() || joins(text[at - 1])) {
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
