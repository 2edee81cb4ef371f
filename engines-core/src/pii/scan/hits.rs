//! Packed findings, kept without allocating while there are few.

use crate::pii::entity::Kind;

/// A finding in packed form; positions are bytes of the text that was scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// A [`Kind`] as a number, or `CUSTOM` and the index of a custom name.
    pub(crate) kind: u16,
    /// Confidence in percent.
    pub(crate) score: u8,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Kinds from here on are names of detectors of one's own.
pub(crate) const CUSTOM: u16 = 0x8000;

impl Hit {
    const NONE: Self = Self { kind: 0, score: 0, start: 0, end: 0 };

    pub(crate) fn new(kind: Kind, start: usize, end: usize, score: u8) -> Self {
        Self { kind: kind as u16, score, start: start as u32, end: end as u32 }
    }

    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

const INLINE: usize = 8;

/// A list of hits that begins to allocate at the ninth.
#[derive(Clone)]
pub(crate) struct Hits {
    inline: [Hit; INLINE],
    len: usize,
    spill: Vec<Hit>,
}

impl Hits {
    pub(crate) const fn new() -> Self {
        Self { inline: [Hit::NONE; INLINE], len: 0, spill: Vec::new() }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[Hit] {
        if self.spill.is_empty() { &self.inline[..self.len] } else { &self.spill }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [Hit] {
        if self.spill.is_empty() { &mut self.inline[..self.len] } else { &mut self.spill }
    }

    pub(crate) fn push(&mut self, hit: Hit) {
        if !self.spill.is_empty() {
            self.spill.push(hit);
        } else if self.len < INLINE {
            self.inline[self.len] = hit;
            self.len += 1;
        } else {
            self.spill.reserve(4 * INLINE);
            self.spill.extend_from_slice(&self.inline);
            self.spill.push(hit);
        }
    }

    fn pop(&mut self) {
        if self.spill.is_empty() {
            self.len = self.len.saturating_sub(1);
        } else {
            self.spill.pop();
            if self.spill.is_empty() {
                self.len = 0;
            }
        }
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        while self.as_slice().len() > len {
            self.pop();
        }
    }

    /// Adds a hit behind the others. Where two overlap one stays: the longer one, and of two that are equally long the first.
    pub(crate) fn add(&mut self, hit: Hit) -> bool {
        while let Some(last) = self.as_slice().last().copied() {
            if last.end <= hit.start {
                break;
            }
            if last.start >= hit.start && last.end - last.start < hit.end - hit.start {
                self.pop();
            } else {
                return false;
            }
        }
        self.push(hit);
        true
    }

    /// Forgets all of them.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.spill.clear();
    }

    pub(crate) fn replace(&mut self, hits: Vec<Hit>) {
        self.clear();
        for hit in hits {
            self.push(hit);
        }
    }
}
