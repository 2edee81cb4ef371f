//! The service that opens subscriptions: it checks permission and existence, and selects the streams of a subscription.

use std::sync::Arc;

use engines_core::{Action, Code, DocId, Error, Guard, RequestContext, Result, Store, StreamKey, stream::StreamKind};

use crate::{
    canvas::CANVAS,
    chat::THREAD,
    hub::{Hub, StartPosition, SubscribeRequest, Subscription},
};

/// The channels of a canvas or thread to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels {
    /// The commits of a canvas or the messages of a thread.
    pub log: bool,
    /// The artifacts of a canvas.
    pub artifacts: bool,
    /// Gestures and presence: ephemeral events.
    pub ephemeral: bool,
}

impl Default for Channels {
    fn default() -> Self {
        Self { log: true, artifacts: true, ephemeral: false }
    }
}

impl Channels {
    /// Parses a list such as `commits,gestures`.
    ///
    /// # Errors
    /// `BODY_INVALID` for a name that is not a channel, or for an empty list.
    pub fn parse(list: &str) -> Result<Self> {
        let mut channels = Self { log: false, artifacts: false, ephemeral: false };
        for name in list.split(',').map(str::trim) {
            match name {
                "commits" | "messages" => channels.log = true,
                "artifacts" => channels.artifacts = true,
                "gestures" | "presence" => channels.ephemeral = true,
                _ => {
                    let detail = "the channels are commits (messages in a thread), artifacts, gestures and presence";
                    return Err(Error::invalid_body("stream.follow", "channels", detail));
                }
            }
        }
        Ok(channels)
    }
}

/// Opens subscriptions for permitted callers.
#[derive(Clone)]
pub struct FollowService {
    store: Arc<dyn Store>,
    guard: Guard,
    hub: Hub,
}

impl FollowService {
    /// Makes the service of a hub.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, guard: Guard, hub: Hub) -> Self {
        Self { store, guard, hub }
    }

    /// The hub.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Follows a thread, a canvas or a canvas's artifacts.
    ///
    /// # Errors
    /// `NOT_FOUND` when it does not exist in the caller's scope, `CURSOR_INVALID` for a cursor of other streams,
    /// rejections of the guard ([`Guard::admit`]).
    pub async fn open(
        &self,
        context: &RequestContext,
        key: &StreamKey,
        channels: Channels,
        start: StartPosition,
    ) -> Result<Subscription> {
        self.require_stream(context, key, follow_action(key)).await?;
        let id = engines_core::ResourceId::new(key.id())?;
        let mut keys = Vec::with_capacity(2);
        match key.kind() {
            StreamKind::Canvas => {
                keys.extend(channels.log.then(|| key.clone()));
                keys.extend(channels.artifacts.then(|| StreamKey::artifacts(&id)));
            }
            _ => keys.extend((channels.log || channels.artifacts).then(|| key.clone())),
        }
        let live = channels.ephemeral.then(|| key.clone());
        let snapshot_ref = (key.kind() == StreamKind::Canvas).then(|| format!("/canvas/{id}/snapshot"));
        self.hub.subscribe(context.scope(), SubscribeRequest { keys, ephemeral: live, start, snapshot_ref }).await
    }

    /// Admits the call and checks that the object of the stream exists.
    pub(crate) async fn require_stream(&self, context: &RequestContext, key: &StreamKey, action: Action) -> Result<()> {
        let _permit = self.guard.admit(context, action, key.as_str()).await?;
        let kind = match key.kind() {
            StreamKind::Chat => THREAD,
            StreamKind::Canvas | StreamKind::Artifacts => CANVAS,
            _ => return Err(Error::new(Code::NotFound, "stream.follow", "there is no such stream")),
        };
        match self.store.get(context.scope(), &kind, &DocId::new(key.id())?).await? {
            Some(_) => Ok(()),
            None => Err(Error::not_found("stream.follow", "stream")),
        }
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }
}

fn follow_action(key: &StreamKey) -> Action {
    match key.kind() {
        StreamKind::Chat => Action::ChatFollow,
        _ => Action::CanvasFollow,
    }
}

impl std::fmt::Debug for FollowService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FollowService").field("hub", &self.hub).finish_non_exhaustive()
    }
}
