//! The groups of actions that share a rate limit.

use serde::Serialize;

/// The rate limit in which an action counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RateClass {
    /// Reads of one item or of one page.
    Read,
    /// Writes of one item.
    Write,
    /// Requests with many items.
    Bulk,
    /// Long-lived connections, counted when they open.
    Stream,
    /// Ephemeral events, which may be lost.
    Ephemeral,
    /// Requests that manage members, keys and settings.
    Manage,
    /// Requests that end something: revocations, cancellations, logout. They count separately, so that no other traffic
    /// can delay them.
    Release,
}

impl RateClass {
    /// Lists all classes.
    pub const ALL: [Self; 7] =
        [Self::Read, Self::Write, Self::Bulk, Self::Stream, Self::Ephemeral, Self::Manage, Self::Release];

    /// The class's name on the wire and in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Bulk => "bulk",
            Self::Stream => "stream",
            Self::Ephemeral => "ephemeral",
            Self::Manage => "manage",
            Self::Release => "release",
        }
    }
}
