//! The last few cues before a position, their distances, and the budget for looking ahead after them.

use super::cue_bits::Cues;

const CUE_SLOTS: usize = 8;

/// The last few cues, newest last.
#[derive(Clone, Copy)]
pub(crate) struct CueWindow {
    cues: [Cues; CUE_SLOTS],
    cue_ends: [u32; CUE_SLOTS],
    count: usize,
    /// The union of all cues since the last reset.
    seen: Cues,
    /// How many bytes of values may still be examined ahead, and the position up to which this budget was earned.
    credit: u32,
    earned_until: u32,
    /// Cues from the key of a JSON value, which hold for the whole value.
    pub(crate) key_cues: Cues,
}

/// The budget for looking ahead after cues: each byte of text earns two, up to this.
const MAX_CREDIT: u32 = 4096;

impl CueWindow {
    pub(crate) const fn new(hint: Cues) -> Self {
        Self {
            cues: [0; CUE_SLOTS],
            cue_ends: [0; CUE_SLOTS],
            count: 0,
            seen: 0,
            credit: MAX_CREDIT,
            earned_until: 0,
            key_cues: hint,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, bits: Cues, end: usize) {
        let at = self.count % CUE_SLOTS;
        self.cues[at] = bits;
        self.cue_ends[at] = end as u32;
        self.seen |= bits;
        self.count += 1;
        if self.count >= 4 * CUE_SLOTS {
            self.count -= CUE_SLOTS * 2;
        }
    }

    /// Removes all cues except these.
    #[inline]
    pub(crate) fn reset(&mut self, bits: Cues, end: usize) {
        self.count = 0;
        self.seen = 0;
        if bits != 0 {
            self.push(bits, end);
        }
    }

    /// The cues within `reach` bytes before `at`, nearest first, each with its distance.
    #[inline]
    fn within(&self, at: usize, reach: usize) -> impl Iterator<Item = (Cues, usize)> + '_ {
        let n = self.count.min(CUE_SLOTS);
        (1..=n)
            .map(move |k| (self.count - k) % CUE_SLOTS)
            .map(move |k| (self.cues[k], self.cue_ends[k] as usize))
            .filter(move |(_, end)| *end <= at)
            .map(move |(bits, end)| (bits, at - end))
            .take_while(move |(_, distance)| *distance <= reach)
    }

    /// Whether there is any of these cues, at any distance.
    #[inline]
    pub(crate) fn has_any(&self, which: Cues) -> bool {
        (self.seen | self.key_cues) & which != 0
    }

    /// The distance in bytes from the end of the nearest of these cues to `at`; a cue from a key is at distance
    /// `reach`.
    #[inline]
    pub(crate) fn distance_of(&self, which: Cues, at: usize, reach: usize) -> Option<usize> {
        if (self.seen | self.key_cues) & which == 0 { None } else { self.search_distance(which, at, reach) }
    }

    #[inline(never)]
    fn search_distance(&self, which: Cues, at: usize, reach: usize) -> Option<usize> {
        let found = self.within(at, reach).find(|(bits, _)| bits & which != 0).map(|(_, distance)| distance);
        if found.is_none() && self.key_cues & which != 0 { Some(reach) } else { found }
    }

    /// All cues within `reach`, including those of the key.
    #[inline]
    pub(crate) fn cues_within(&self, at: usize, reach: usize) -> Cues {
        if self.seen == 0 { self.key_cues } else { self.collect_within(at, reach) }
    }

    #[inline(never)]
    fn collect_within(&self, at: usize, reach: usize) -> Cues {
        self.within(at, reach).fold(self.key_cues, |all, (bits, _)| all | bits)
    }

    /// Whether one of `which` is nearer than any of `against`.
    #[inline]
    pub(crate) fn is_nearer(&self, which: Cues, against: Cues, at: usize, reach: usize) -> bool {
        (self.seen | self.key_cues) & which != 0 && self.compare_distances(which, against, at, reach)
    }

    #[inline(never)]
    fn compare_distances(&self, which: Cues, against: Cues, at: usize, reach: usize) -> bool {
        for (bits, _) in self.within(at, reach) {
            if bits & which != 0 {
                return true;
            }
            if bits & against != 0 {
                return false;
            }
        }
        self.key_cues & which != 0
    }

    /// The number of bytes that may be examined behind a cue at `at`.
    pub(crate) fn remaining_credit(&mut self, at: usize) -> usize {
        let since = (at as u32).saturating_sub(self.earned_until);
        self.credit = self.credit.saturating_add(since.saturating_mul(2)).min(MAX_CREDIT);
        self.earned_until += since;
        self.credit as usize
    }

    /// Deducts `bytes` from the budget for looking ahead.
    pub(crate) fn spend_credit(&mut self, bytes: usize) {
        self.credit = self.credit.saturating_sub(bytes as u32);
    }

    /// Moves every position back by `by`, after the front of a buffer was dropped.
    pub(crate) fn shift_back(&mut self, by: usize) {
        self.earned_until = self.earned_until.saturating_sub(by as u32);
        for (bits, end) in self.cues.iter_mut().zip(&mut self.cue_ends) {
            if (*end as usize) < by {
                *bits = 0;
            }
            *end = end.saturating_sub(by as u32);
        }
    }
}
