//! The last few cues before a place, how near they are, and how much may be looked at behind them.

use super::cue::Cues;

const RING: usize = 8;

/// The last few cues, newest last.
#[derive(Clone, Copy)]
pub(crate) struct Ring {
    cues: [Cues; RING],
    ends: [u32; RING],
    count: usize,
    /// Every cue since the last reset.
    seen: Cues,
    /// How many bytes of values may still be looked at before they were come to, and the place up to which that was earned.
    credit: u32,
    earned: u32,
    /// Cues from the key of a JSON value: they hold for the whole of it.
    pub(crate) hint: Cues,
}

/// How much of what follows cues may be looked at ahead: each byte of text earns two, up to this.
const CREDIT: u32 = 4096;

impl Ring {
    pub(crate) const fn new(hint: Cues) -> Self {
        Self { cues: [0; RING], ends: [0; RING], count: 0, seen: 0, credit: CREDIT, earned: 0, hint }
    }

    #[inline]
    pub(crate) fn push(&mut self, bits: Cues, end: usize) {
        let at = self.count % RING;
        self.cues[at] = bits;
        self.ends[at] = end as u32;
        self.seen |= bits;
        self.count += 1;
        if self.count >= 4 * RING {
            self.count -= RING * 2;
        }
    }

    /// Forgets all cues but these.
    #[inline]
    pub(crate) fn reset(&mut self, bits: Cues, end: usize) {
        self.count = 0;
        self.seen = 0;
        if bits != 0 {
            self.push(bits, end);
        }
    }

    /// The cues within `reach` bytes before `at`, the nearest first, each with its distance.
    #[inline]
    fn before(&self, at: usize, reach: usize) -> impl Iterator<Item = (Cues, usize)> + '_ {
        let n = self.count.min(RING);
        (1..=n)
            .map(move |k| (self.count - k) % RING)
            .map(move |k| (self.cues[k], self.ends[k] as usize))
            .filter(move |(_, end)| *end <= at)
            .map(move |(bits, end)| (bits, at - end))
            .take_while(move |(_, distance)| *distance <= reach)
    }

    /// Whether there is any of these cues, wherever.
    #[inline]
    pub(crate) fn any(&self, which: Cues) -> bool {
        (self.seen | self.hint) & which != 0
    }

    /// How far before `at` the nearest of these cues ends, in bytes; a hint from a key is at distance `reach`.
    #[inline]
    pub(crate) fn near(&self, which: Cues, at: usize, reach: usize) -> Option<usize> {
        if (self.seen | self.hint) & which == 0 { None } else { self.nearest(which, at, reach) }
    }

    #[inline(never)]
    fn nearest(&self, which: Cues, at: usize, reach: usize) -> Option<usize> {
        let found = self.before(at, reach).find(|(bits, _)| bits & which != 0).map(|(_, distance)| distance);
        if found.is_none() && self.hint & which != 0 { Some(reach) } else { found }
    }

    /// All cues within `reach`, with those of the key.
    #[inline]
    pub(crate) fn all(&self, at: usize, reach: usize) -> Cues {
        if self.seen == 0 { self.hint } else { self.together(at, reach) }
    }

    #[inline(never)]
    fn together(&self, at: usize, reach: usize) -> Cues {
        self.before(at, reach).fold(self.hint, |all, (bits, _)| all | bits)
    }

    /// Whether one of `which` is nearer than any of `against`.
    #[inline]
    pub(crate) fn prefers(&self, which: Cues, against: Cues, at: usize, reach: usize) -> bool {
        (self.seen | self.hint) & which != 0 && self.preferred(which, against, at, reach)
    }

    #[inline(never)]
    fn preferred(&self, which: Cues, against: Cues, at: usize, reach: usize) -> bool {
        for (bits, _) in self.before(at, reach) {
            if bits & which != 0 {
                return true;
            }
            if bits & against != 0 {
                return false;
            }
        }
        self.hint & which != 0
    }

    /// How many bytes may be looked at behind a cue at `at`.
    pub(crate) fn credit(&mut self, at: usize) -> usize {
        let since = (at as u32).saturating_sub(self.earned);
        self.credit = self.credit.saturating_add(since.saturating_mul(2)).min(CREDIT);
        self.earned += since;
        self.credit as usize
    }

    /// Notes that so many were looked at.
    pub(crate) fn charge(&mut self, bytes: usize) {
        self.credit = self.credit.saturating_sub(bytes as u32);
    }

    /// Moves every position back by `by`, after the front of a buffer was dropped.
    pub(crate) fn shift(&mut self, by: usize) {
        self.earned = self.earned.saturating_sub(by as u32);
        for (bits, end) in self.cues.iter_mut().zip(&mut self.ends) {
            if (*end as usize) < by {
                *bits = 0;
            }
            *end = end.saturating_sub(by as u32);
        }
    }
}
