//! The limits of a recorder.

/// Limits of a [`super::Recorder`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecorderSettings {
    /// Events that wait; more are dropped and counted. At least 1. Default 8,192.
    pub queue: usize,
    /// Bytes of events that wait, roughly; more are dropped and counted. Default 64 MiB.
    pub queue_bytes: usize,
    /// Events on their way to the store at once; they share its commits. At least 1. Default 64.
    pub in_flight: usize,
}

impl Default for RecorderSettings {
    fn default() -> Self {
        Self { queue: 8192, queue_bytes: 64 << 20, in_flight: 64 }
    }
}
