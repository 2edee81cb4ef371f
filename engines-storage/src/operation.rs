//! The operations of a backend as an enum, for wrappers that count calls or inject faults.

/// One operation of a [`Store`](engines_core::Store) or an [`EventFeed`](engines_core::nexus::EventFeed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `commit`
    Commit,
    /// `receipt`
    Receipt,
    /// `get`
    Get,
    /// `query`
    Query,
    /// `read`
    Read,
    /// `head`
    Head,
    /// `events`
    Events,
    /// `audit`
    Audit,
    /// `ping`
    Ping,
    /// `after` of the feed
    Feed,
    /// `remove`
    Remove,
    /// `reclaim`
    Reclaim,
    /// `scopes`
    Scopes,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 13] = [
        Self::Commit,
        Self::Receipt,
        Self::Get,
        Self::Query,
        Self::Read,
        Self::Head,
        Self::Events,
        Self::Audit,
        Self::Ping,
        Self::Feed,
        Self::Remove,
        Self::Reclaim,
        Self::Scopes,
    ];

    /// Returns the operation's name as it appears in metrics and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Receipt => "receipt",
            Self::Get => "get",
            Self::Query => "query",
            Self::Read => "read",
            Self::Head => "head",
            Self::Events => "events",
            Self::Audit => "audit",
            Self::Ping => "ping",
            Self::Feed => "feed",
            Self::Remove => "remove",
            Self::Reclaim => "reclaim",
            Self::Scopes => "scopes",
        }
    }

    /// Returns the operation's index in [`Operation::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}
