//! Limits on the size of commands and documents.

use crate::limits::Limits;

/// The highest value of the depth limit: JSON readers stop at 128 levels, and an op is nested a few levels deep inside
/// an event.
pub const DEPTH_CEILING: usize = 100;

/// The limits of one batch and of the resulting document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLimits {
    /// Most ops in a batch. Default 1,000.
    pub max_ops: usize,
    /// Most levels of arrays and objects in the document. Default 64, at most [`DEPTH_CEILING`].
    pub max_depth: usize,
    /// Most bytes of the document as compact JSON, escapes not counted. Default 16 MiB.
    pub max_state_bytes: usize,
    /// Most bytes of all values that one batch adds, copies and moves, counted as in `max_state_bytes`. It bounds the
    /// memory and time of a batch of many `copy` ops. Default 64 MiB.
    pub max_batch_bytes: usize,
    /// Most bytes in memory that one batch traverses besides the values themselves: the whole text for each op on text,
    /// and the elements behind the place for each one inserted into an array or removed from it. It bounds the time of
    /// a batch of many small ops on something large. Default 1 GiB, some tenths of a second.
    pub max_moved_bytes: usize,
}

impl CommandLimits {
    /// `max_depth`, never above [`DEPTH_CEILING`].
    #[must_use]
    pub fn effective_depth(&self) -> usize {
        self.max_depth.min(DEPTH_CEILING)
    }

    /// No limits except [`DEPTH_CEILING`], for replaying batches that were accepted before: lowering a setting must not
    /// make a document unreadable.
    #[must_use]
    pub const fn for_replay() -> Self {
        Self {
            max_ops: usize::MAX,
            max_depth: DEPTH_CEILING,
            max_state_bytes: usize::MAX,
            max_batch_bytes: usize::MAX,
            max_moved_bytes: usize::MAX,
        }
    }
}

impl Default for CommandLimits {
    fn default() -> Self {
        Self::from(&Limits::default())
    }
}

impl From<&Limits> for CommandLimits {
    /// The limits that the settings imply. A batch may write four times a document, and traverse one 64 times.
    fn from(limits: &Limits) -> Self {
        Self {
            max_ops: limits.command_ops,
            max_depth: limits.json_depth,
            max_state_bytes: limits.canvas_bytes,
            max_batch_bytes: limits.canvas_bytes.saturating_mul(4),
            max_moved_bytes: limits.canvas_bytes.saturating_mul(64),
        }
    }
}
