//! What a subscriber asks for: streams, and where to start.

use engines_core::{Cursor, Error, Result, StreamKey};

/// The streams and the start of a subscription.
#[derive(Debug, Clone)]
pub struct SubscribeRequest {
    /// The streams, all of one scope. Their order is the order of their positions in a cursor.
    pub keys: Vec<StreamKey>,
    /// A stream whose ephemeral events (gestures, presence) are delivered too.
    pub ephemeral: Option<StreamKey>,
    /// Where the subscription starts.
    pub start: StartPosition,
    /// The resource from which the state can be read when events were removed.
    pub snapshot_ref: Option<String>,
}

/// Where a subscription starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StartPosition {
    /// At the events that are appended from now on.
    #[default]
    Live,
    /// At the oldest event that is stored.
    Beginning,
    /// Behind this cursor.
    After(Cursor),
}

impl StartPosition {
    /// Parses the start: behind the cursor if there is one, otherwise at the oldest event if `from` is `start`,
    /// otherwise live.
    ///
    /// # Errors
    /// `CURSOR_INVALID` for a malformed cursor, `BODY_INVALID` for another word than `start` or `live`.
    pub fn parse(cursor: Option<&str>, from: Option<&str>) -> Result<Self> {
        match (cursor, from) {
            (Some(cursor), _) => Ok(Self::After(cursor.parse()?)),
            (None, Some("start")) => Ok(Self::Beginning),
            (None, None | Some("live")) => Ok(Self::Live),
            (None, Some(_)) => {
                Err(Error::invalid_body("stream.follow", "from", "from is start, or left out for the live tail"))
            }
        }
    }
}
