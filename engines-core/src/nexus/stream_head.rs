//! The head of a stream.

use crate::stream::Seq;

/// The first and last sequence number of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamHead {
    /// The last event's sequence number; 0 when the stream never had an event.
    pub seq: Seq,
    /// The oldest event that is still stored: 1 unless retention removed events, and one past `seq` when it removed
    /// all.
    pub first: Seq,
    /// The stream was deleted permanently ([`super::Batch::delete_stream`]); `first` is then one past `seq`.
    pub deleted: bool,
}

impl StreamHead {
    /// The head of a stream that never had an event.
    pub const EMPTY: Self = Self { seq: Seq::ZERO, first: Seq(1), deleted: false };
}
