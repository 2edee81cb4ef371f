//! How large a command and a document may get.

/// No setting allows deeper documents than this: JSON readers stop at 128 levels, and an op is
/// carried a few levels deep inside an event.
pub const DEPTH_CEILING: usize = 100;

/// The bounds of one batch and of the document it leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLimits {
    /// Most ops in a batch. Default 1,000.
    pub max_ops: usize,
    /// Most levels of arrays and objects in the document. Default 64, at most [`DEPTH_CEILING`].
    pub max_depth: usize,
    /// Most bytes of the document as compact JSON, escapes not counted. Default 16 MiB.
    pub max_state_bytes: usize,
    /// Most bytes of all values that one batch adds, copies and moves, counted as in
    /// `max_state_bytes`: bounds the memory and time of a batch of many `copy` ops. Default 64 MiB.
    pub max_batch_bytes: usize,
}

impl CommandLimits {
    /// `max_depth`, never above [`DEPTH_CEILING`].
    #[must_use]
    pub fn depth(&self) -> usize {
        self.max_depth.min(DEPTH_CEILING)
    }
}

impl Default for CommandLimits {
    fn default() -> Self {
        Self { max_ops: 1_000, max_depth: 64, max_state_bytes: 16 << 20, max_batch_bytes: 64 << 20 }
    }
}
