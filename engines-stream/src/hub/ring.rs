//! The last encoded events of a feed, for its live subscribers.

use std::collections::VecDeque;

use engines_core::stream::Seq;

use super::frame::{Frame, FrameKind};

/// Frames with rising indexes. Events whose frames were dropped are read from the log.
#[derive(Debug)]
pub(crate) struct FrameRing {
    frames: VecDeque<Frame>,
    /// The index of the first frame in the ring.
    first_index: u64,
    bytes: usize,
    max_frames: usize,
    max_bytes: usize,
    /// The position in each stream before the first frame.
    base_seqs: Vec<Seq>,
    /// The position in each stream after the last frame.
    tail_seqs: Vec<Seq>,
}

impl FrameRing {
    pub(crate) fn new(at: Vec<Seq>, max_frames: usize, max_bytes: usize) -> Self {
        Self {
            frames: VecDeque::new(),
            first_index: 0,
            bytes: 0,
            max_frames: max_frames.max(1),
            max_bytes,
            base_seqs: at.clone(),
            tail_seqs: at,
        }
    }

    pub(crate) fn push(&mut self, frame: Frame) {
        if let FrameKind::Durable { stream, seq } = frame.kind()
            && let Some(tail) = self.tail_seqs.get_mut(stream)
        {
            *tail = seq;
        }
        self.bytes += frame.size();
        self.frames.push_back(frame);
        while self.frames.len() > self.max_frames || (self.bytes > self.max_bytes && self.frames.len() > 1) {
            if let Some(old) = self.frames.pop_front() {
                self.bytes -= old.size();
                self.first_index += 1;
                if let FrameKind::Durable { stream, seq } = old.kind()
                    && let Some(base) = self.base_seqs.get_mut(stream)
                {
                    *base = seq;
                }
            }
        }
    }

    /// Drops all frames and continues at `at`, after a read found that the log no longer reaches back to the tail.
    pub(crate) fn reset(&mut self, at: Vec<Seq>) {
        self.first_index += self.frames.len() as u64;
        self.frames.clear();
        self.bytes = 0;
        self.base_seqs.clone_from(&at);
        self.tail_seqs = at;
    }

    pub(crate) fn first_index(&self) -> u64 {
        self.first_index
    }

    pub(crate) fn end_index(&self) -> u64 {
        self.first_index + self.frames.len() as u64
    }

    pub(crate) fn tail_seqs(&self) -> &[Seq] {
        &self.tail_seqs
    }

    /// Whether a reader at these positions needs no frame that was dropped.
    pub(crate) fn covers(&self, places: &[Seq]) -> bool {
        self.base_seqs.iter().zip(places).all(|(base, place)| place >= base)
    }

    /// As [`FrameRing::covers`], for one stream.
    pub(crate) fn covers_stream(&self, stream: usize, place: Seq) -> bool {
        self.base_seqs.get(stream).is_none_or(|base| place >= *base)
    }

    /// The frames from `index` on; `None` when the first of them was dropped.
    pub(crate) fn frames_from(&self, index: u64) -> Option<impl Iterator<Item = &Frame>> {
        let skip = usize::try_from(index.checked_sub(self.first_index)?).ok()?;
        Some(self.frames.range(skip.min(self.frames.len())..))
    }
}
