//! The settings of canvases, besides [`engines_core::Limits`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the writers of busy canvases may hold, and how much one answer may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CanvasSettings {
    /// Canvases with a writer at one time; past it the one unused for longest goes.
    pub busy_canvases: usize,
    /// Bytes of all writers' states and remembered commits together; past it writers go as soon as they have nothing to
    /// do.
    pub busy_bytes: usize,
    /// Seconds without a command after which a writer goes.
    pub idle_s: u64,
    /// Commits of one canvas on their way to the store at one time. Stores that cannot pipeline get one.
    pub in_flight: usize,
    /// Commits a writer remembers to rebase against without reading the log.
    pub recent_commits: usize,
    /// Bytes of ops a writer remembers for that.
    pub recent_bytes: usize,
    /// Commits a rebase may lie behind the head; past it the answer is `REV_MISMATCH`.
    pub rebase_commits: u64,
    /// Bytes of ops since the last snapshot at the least before there is another (and never less than the state's
    /// size).
    pub snapshot_bytes: usize,
    /// Commits in one replay.
    pub replay_commits: usize,
    /// Bytes of ops in one replay.
    pub replay_bytes: usize,
}

impl Default for CanvasSettings {
    fn default() -> Self {
        Self {
            busy_canvases: 1024,
            busy_bytes: 256 << 20,
            idle_s: 60,
            in_flight: 1024,
            recent_commits: 256,
            recent_bytes: 256 << 10,
            rebase_commits: 1000,
            snapshot_bytes: 64 << 10,
            replay_commits: 500,
            replay_bytes: 4 << 20,
        }
    }
}

impl CanvasSettings {
    /// Time without a command after which a writer goes.
    #[must_use]
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_s.max(1))
    }
}
