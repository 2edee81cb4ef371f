//! The event envelope that SSE, WebSocket and the library return to readers.

use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::value::RawValue;

use super::{Cursor, NewEvent, Seq, StreamEvent, StreamKey, StreamKind};
use crate::{code::Code, scope::Scope, stream::Routing};

/// An event as readers get it; serialises to the wire form. `seq` and `cursor` are null for an ephemeral event.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    scope: &'a Scope,
    key: &'a StreamKey,
    seq: Option<Seq>,
    event: &'a NewEvent,
    cursor: Option<&'a Cursor>,
}

impl<'a> Envelope<'a> {
    /// Makes the envelope of a durable event, with the cursor behind it.
    #[must_use]
    pub fn durable(scope: &'a Scope, key: &'a StreamKey, event: &'a StreamEvent, cursor: &'a Cursor) -> Self {
        Self { scope, key, seq: Some(event.seq), event: &event.event, cursor: Some(cursor) }
    }

    /// Makes the envelope of an ephemeral event.
    #[must_use]
    pub fn ephemeral(scope: &'a Scope, key: &'a StreamKey, event: &'a NewEvent) -> Self {
        Self { scope, key, seq: None, event, cursor: None }
    }
}

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.event;
        let mut out = serializer.serialize_struct("Envelope", 12)?;
        out.serialize_field("v", &1)?;
        out.serialize_field("type", &event.event_type)?;
        out.serialize_field("ts", &event.ts)?;
        out.serialize_field("seq", &self.seq)?;
        let mut text = [0; ulid::ULID_LEN];
        out.serialize_field("event_id", &*event.event_id.array_to_str(&mut text))?;
        out.serialize_field("cursor", &self.cursor)?;
        out.serialize_field("trace_id", &event.trace_id)?;
        out.serialize_field("span_id", &event.span_id)?;
        out.serialize_field("ids", &event.ids)?;
        out.serialize_field("routing", &FullRouting(self))?;
        out.serialize_field::<RawValue>("data", &event.data)?;
        out.serialize_field("meta", &event.meta)?;
        out.end()
    }
}

struct FullRouting<'a>(&'a Envelope<'a>);

impl Serialize for FullRouting<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Envelope { scope, key, event, .. } = self.0;
        let routing: &Routing = &event.routing;
        let own = |kinds: &[StreamKind], sent: &'_ Option<crate::id::ResourceId>| {
            if kinds.contains(&key.kind()) {
                Some(key.id().to_owned())
            } else {
                sent.as_ref().map(|id| id.as_str().to_owned())
            }
        };
        let mut out = serializer.serialize_struct("Routing", 14)?;
        out.serialize_field("tenant_id", scope.tenant())?;
        out.serialize_field("env", &scope.env())?;
        out.serialize_field("workspace_id", &routing.workspace_id)?;
        out.serialize_field("project_id", &routing.project_id)?;
        out.serialize_field("app_id", &routing.app_id)?;
        out.serialize_field("surface_id", &routing.surface_id)?;
        out.serialize_field("canvas_id", &own(&[StreamKind::Canvas, StreamKind::Artifacts], &routing.canvas_id))?;
        out.serialize_field("projection_id", &routing.projection_id)?;
        out.serialize_field("panel_id", &routing.panel_id)?;
        out.serialize_field("thread_id", &own(&[StreamKind::Chat], &routing.thread_id))?;
        out.serialize_field("actor_id", &event.actor.id)?;
        out.serialize_field("actor_type", &event.actor.kind)?;
        out.serialize_field("session_id", &routing.session_id)?;
        out.serialize_field("device_id", &routing.device_id)?;
        out.end()
    }
}

/// Sent to a reader instead of events that are no longer stored; live events follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayMiss {
    /// The stream's current head.
    pub head_seq: Seq,
    /// The resource from which the state can be read instead.
    pub snapshot_ref: Option<String>,
}

impl Serialize for ReplayMiss {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Data<'a> {
            code: Code,
            head_seq: Seq,
            snapshot_ref: &'a Option<String>,
        }
        let data = Data { code: Code::ReplayMiss, head_seq: self.head_seq, snapshot_ref: &self.snapshot_ref };
        let mut out = serializer.serialize_struct("ReplayMiss", 2)?;
        out.serialize_field("type", "error")?;
        out.serialize_field("data", &data)?;
        out.end()
    }
}
