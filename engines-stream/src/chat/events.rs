//! Reads a stream's log one page at a time.

use engines_core::{
    Code, Cursor, Envelope, Error, Result, Scope, Store, StreamEvent, StreamKey,
    stream::{ResumePoint, Seq},
};
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// An event with the cursor behind it.
#[derive(Debug, Clone)]
pub struct EventWithCursor {
    /// The event.
    pub event: StreamEvent,
    /// The cursor behind the event.
    pub cursor: Cursor,
}

/// One page of a stream's log. Serialises as `{"items":[envelope, …],"next":"<cursor>"|null}`.
#[derive(Debug, Clone)]
pub struct EventPage {
    /// The scope of the stream.
    pub scope: Scope,
    /// The key of the stream.
    pub key: StreamKey,
    /// The events, in order.
    pub items: Vec<EventWithCursor>,
    /// The cursor of the next page; `None` if this one reached the end of the log.
    pub next: Option<Cursor>,
}

impl EventPage {
    /// Reads up to `limit` events after `after`.
    ///
    /// # Errors
    /// `CURSOR_INVALID`; `REPLAY_MISS` (with `head_seq`) when the events after the cursor were removed.
    pub(super) async fn read(
        store: &dyn Store,
        scope: &Scope,
        key: &StreamKey,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Self> {
        let log = store.log_id();
        let keys = std::slice::from_ref(key);
        let after = match after.map(str::parse::<Cursor>).transpose()? {
            None => None,
            Some(cursor) => match cursor.resume(log, scope, keys)? {
                ResumePoint::From(places) => Some(places.first().map_or(Seq::ZERO, |place| place.seq)),
                ResumePoint::OtherLog => return Err(replay_miss_error(store.head(scope, key).await?.seq)),
            },
        };
        let mut events: Vec<StreamEvent> = Vec::new();
        while events.len() <= limit {
            let last = events.last().map_or(after.unwrap_or_default(), |event| event.seq);
            let more = store.read(scope, key, last, limit + 1 - events.len()).await?;
            if more.is_empty() {
                break;
            }
            events.extend(more);
        }
        let gone = match (after, events.first()) {
            (Some(after), Some(first)) => first.seq != after.next(),
            (Some(after), None) => {
                let head = store.head(scope, key).await?;
                after > head.seq || after.next() < head.first
            }
            (None, _) => false,
        };
        if gone {
            return Err(replay_miss_error(store.head(scope, key).await?.seq));
        }
        let more = events.len() > limit;
        events.truncate(limit);
        let cursors = Cursor::template(log, scope, keys);
        let items: Vec<_> =
            events.into_iter().map(|event| EventWithCursor { cursor: cursors.at(&[event.seq]), event }).collect();
        let next = items.last().filter(|_| more).map(|last| last.cursor.clone());
        Ok(Self { scope: scope.clone(), key: key.clone(), items, next })
    }
}

fn replay_miss_error(head: Seq) -> Error {
    let detail = "the events after this cursor are gone; read from the start, without a cursor";
    Error::new(Code::ReplayMiss, "stream.events", detail).with_member("head_seq", head.0)
}

impl Serialize for EventPage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let items: Vec<_> = self
            .items
            .iter()
            .map(|item| Envelope::durable(&self.scope, &self.key, &item.event, &item.cursor))
            .collect();
        let mut out = serializer.serialize_struct("EventPage", 2)?;
        out.serialize_field("items", &items)?;
        out.serialize_field("next", &self.next)?;
        out.end()
    }
}
