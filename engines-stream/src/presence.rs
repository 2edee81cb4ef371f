//! Presence: the open sessions of each stream on this node.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engines_core::{
    Action, Actor, Code, Error, Limits, RequestContext, Result, Scope, StreamKey, Timestamp,
    nexus::{Page, PageRequest, PageToken},
    stream::{EventMeta, NewEvent},
};
use serde::Serialize;
use serde_json::{json, value::RawValue};
use ulid::Ulid;

use crate::{ephemeral::EphemeralSink, follow::FollowService};

/// A session that is present in a stream.
#[derive(Debug, Clone, Serialize)]
pub struct PresenceEntry {
    /// The id of the session: one open connection.
    pub session_id: Ulid,
    /// The actor of the session.
    #[serde(flatten)]
    pub actor: Actor,
    /// The time at which the session joined.
    pub since: Timestamp,
    /// The data the actor announced, if any.
    pub data: Option<Box<RawValue>>,
}

/// Keeps the presence entries of this node. Cheap to clone.
#[derive(Clone)]
pub struct PresenceService {
    follow: FollowService,
    limits: Arc<Limits>,
    sessions: Arc<Mutex<SessionsByStream>>,
}

type SessionsByStream = HashMap<(Scope, StreamKey), BTreeMap<Ulid, PresenceEntry>>;

/// The presence of a session. Dropping it removes the entry.
pub struct PresenceGuard {
    service: PresenceService,
    context: RequestContext,
    key: StreamKey,
    session_id: Ulid,
}

impl PresenceService {
    /// Makes the service for the streams that `follow` opens.
    #[must_use]
    pub fn new(follow: FollowService, limits: Arc<Limits>) -> Self {
        Self { follow, limits, sessions: Arc::default() }
    }

    /// Lists the entries of a stream by session id.
    ///
    /// # Errors
    /// `NOT_FOUND` when the stream does not exist in the caller's scope; rejections of the guard
    /// ([`engines_core::Guard::admit`]).
    pub async fn list(
        &self,
        context: &RequestContext,
        key: &StreamKey,
        page: PageRequest,
    ) -> Result<Page<PresenceEntry>> {
        const LIST: &str = "presence";
        self.follow.require_stream(context, key, Action::PresenceRead).await?;
        let after = match &page.after {
            None => Ulid::nil(),
            Some(token) => {
                let [id] = PageToken::decode(LIST, token)?;
                id.parse().map_err(|_| Error::new(Code::CursorInvalid, "presence.list", "the cursor is malformed"))?
            }
        };
        let rooms = self.lock();
        let room = rooms.get(&(context.scope().clone(), key.clone()));
        let range = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        let here = room.into_iter().flat_map(|room| room.range(range)).map(|(_, here)| here.clone());
        let items = here.take(page.limit + 1).collect();
        Ok(Page::from_lookahead(items, page.limit, |last: &PresenceEntry| {
            PageToken::new(LIST, [last.session_id.to_string()])
        }))
    }

    /// Adds an entry. The caller must have opened a subscription to `key` with the same context.
    #[must_use]
    pub fn join(&self, context: &RequestContext, key: &StreamKey, session_id: Ulid) -> PresenceGuard {
        let here = PresenceEntry {
            session_id,
            actor: context.actor().clone(),
            since: self.follow.guard().clock().now(),
            data: None,
        };
        self.lock().entry((context.scope().clone(), key.clone())).or_default().insert(session_id, here);
        let attendance =
            PresenceGuard { service: self.clone(), context: context.clone(), key: key.clone(), session_id };
        attendance.notify_later("presence_joined");
        attendance
    }

    fn lock(&self) -> MutexGuard<'_, SessionsByStream> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PresenceGuard {
    /// The id of the session.
    #[must_use]
    pub fn session_id(&self) -> Ulid {
        self.session_id
    }

    /// Sets the session's data, and sends it to the other subscribers.
    ///
    /// # Errors
    /// `BODY_TOO_LARGE` past `Limits::ephemeral_bytes`; rejections of the guard.
    pub async fn announce(&self, data: Box<RawValue>) -> Result<()> {
        if data.get().len() > self.service.limits.ephemeral_bytes {
            let limit = self.service.limits.ephemeral_bytes;
            return Err(Error::new(Code::BodyTooLarge, "presence.announce", "presence data is too large")
                .with_member("limit", limit));
        }
        self.service.follow.require_stream(&self.context, &self.key, Action::PresenceAnnounce).await?;
        {
            let mut rooms = self.service.lock();
            if let Some(here) = rooms
                .get_mut(&(self.context.scope().clone(), self.key.clone()))
                .and_then(|room| room.get_mut(&self.session_id))
            {
                here.data = Some(data.clone());
            }
        }
        self.notify("presence_updated", Some(data)).await
    }

    async fn notify(&self, event_type: &'static str, data: Option<Box<RawValue>>) -> Result<()> {
        publish_presence(&self.service.follow, &self.context, &self.key, self.session_id, event_type, data).await
    }

    /// Notifies the other subscribers without waiting. Presence may be lost, so a failure is ignored.
    fn notify_later(&self, event_type: &'static str) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (follow, context, key) = (self.service.follow.clone(), self.context.clone(), self.key.clone());
            let session_id = self.session_id;
            runtime.spawn(async move { publish_presence(&follow, &context, &key, session_id, event_type, None).await });
        }
    }
}

async fn publish_presence(
    follow: &FollowService,
    context: &RequestContext,
    key: &StreamKey,
    session_id: Ulid,
    event_type: &'static str,
    data: Option<Box<RawValue>>,
) -> Result<()> {
    let now = follow.guard().clock().now();
    let body = json!({"session_id": session_id.to_string(), "data": data});
    let body = serde_json::value::to_raw_value(&body).map_err(|error| Error::internal("presence.tell", error))?;
    let mut event = NewEvent::new(follow.guard().ids().ulid(now), now, event_type, context, body);
    event.meta = EventMeta::ephemeral();
    follow.hub().publish(context.scope(), key, event).await
}

impl Drop for PresenceGuard {
    fn drop(&mut self) {
        let place = (self.context.scope().clone(), self.key.clone());
        let mut rooms = self.service.lock();
        if let Some(room) = rooms.get_mut(&place) {
            room.remove(&self.session_id);
            if room.is_empty() {
                rooms.remove(&place);
            }
        }
        drop(rooms);
        self.notify_later("presence_left");
    }
}

impl std::fmt::Debug for PresenceGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PresenceGuard")
            .field("key", &self.key)
            .field("session_id", &self.session_id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PresenceService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PresenceService")
    }
}
