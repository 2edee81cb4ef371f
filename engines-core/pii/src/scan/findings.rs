//! A list of packed findings, which does not allocate while it is short.

use crate::entity::EntityKind;

/// A finding in packed form; positions are bytes of the text that was scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackedFinding {
    /// An [`EntityKind`](crate::EntityKind) as a number, or `FIRST_CUSTOM_KIND` plus the index of a custom name.
    pub(crate) kind: u16,
    /// Confidence in percent.
    pub(crate) score: u8,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// The first number for entities of custom detectors.
pub(crate) const FIRST_CUSTOM_KIND: u16 = 0x8000;

impl PackedFinding {
    const NONE: Self = Self { kind: 0, score: 0, start: 0, end: 0 };

    pub(crate) fn new(kind: EntityKind, start: usize, end: usize, score: u8) -> Self {
        Self { kind: kind as u16, score, start: start as u32, end: end as u32 }
    }

    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

const INLINE_FINDINGS: usize = 8;

/// A list of findings that allocates from the ninth on.
#[derive(Clone)]
pub(crate) struct FindingList {
    inline: [PackedFinding; INLINE_FINDINGS],
    len: usize,
    spill: Vec<PackedFinding>,
}

impl FindingList {
    pub(crate) const fn new() -> Self {
        Self { inline: [PackedFinding::NONE; INLINE_FINDINGS], len: 0, spill: Vec::new() }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[PackedFinding] {
        if self.spill.is_empty() { &self.inline[..self.len] } else { &self.spill }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [PackedFinding] {
        if self.spill.is_empty() { &mut self.inline[..self.len] } else { &mut self.spill }
    }

    pub(crate) fn push(&mut self, hit: PackedFinding) {
        if !self.spill.is_empty() {
            self.spill.push(hit);
        } else if self.len < INLINE_FINDINGS {
            self.inline[self.len] = hit;
            self.len += 1;
        } else {
            self.spill.reserve(4 * INLINE_FINDINGS);
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

    /// Appends a finding. Of two that overlap, the longer one is kept, and of two of equal length the first.
    pub(crate) fn add_longest(&mut self, hit: PackedFinding) -> bool {
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

    /// Removes all findings.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.spill.clear();
    }

    pub(crate) fn replace_all(&mut self, hits: Vec<PackedFinding>) {
        self.clear();
        for hit in hits {
            self.push(hit);
        }
    }
}
