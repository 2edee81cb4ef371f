//! The events of a subscription as typed values.

use std::borrow::Cow;

use engines_core::{Actor, Error, Result, Timestamp, stream::Seq};
use serde::Deserialize;
use serde_json::value::RawValue;
use ulid::Ulid;

use crate::{
    canvas::{CANVAS_COMMIT, CanvasCommit},
    chat::{ChatMessage, USER_MESSAGE},
    hub::{Frame, FrameKind},
};

const OPERATION: &str = "stream.event";

/// An event that a subscriber got; see [`Frame::event`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FollowedEvent<'a> {
    /// A message of a thread.
    Message(EventHeader<'a>, ChatMessage<'a>),
    /// A commit of a canvas.
    Commit(EventHeader<'a>, CanvasCommit<'a>),
    /// Any other event, such as a gesture or presence, with its `data`.
    Other(EventHeader<'a>, &'a RawValue),
    /// The events after the reader's cursor were removed; live events follow.
    ReplayMiss {
        /// The stream's current head.
        head_seq: Seq,
        /// The resource from which the state can be read instead.
        snapshot_ref: Option<Cow<'a, str>>,
    },
    /// The stream was deleted; no event follows.
    Deleted,
}

/// What every event has besides its data.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct EventHeader<'a> {
    /// The event's id.
    pub event_id: Ulid,
    /// The event's type.
    #[serde(rename = "type", borrow)]
    pub event_type: Cow<'a, str>,
    /// The time at which the event was made.
    pub ts: Timestamp,
    /// The event's sequence number; `None` for an ephemeral event.
    pub seq: Option<Seq>,
    /// The text of the cursor behind the event; `None` for an ephemeral event.
    #[serde(borrow)]
    pub cursor: Option<Cow<'a, str>>,
    /// The actor that made the event.
    #[serde(rename = "routing")]
    pub actor: Actor,
}

/// The data of an envelope.
#[derive(Deserialize)]
struct EnvelopeData<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Frame {
    /// Decodes the frame's event. It borrows from the frame, and decoding costs about as much as parsing the JSON.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use engines_core::{Guard, IdGenerator, Limits, Role, StreamKey, testing};
    /// use engines_storage::MemoryStore;
    /// use engines_stream::{
    ///     FollowedEvent,
    ///     chat::{ChatService, NewMessage, NewThread},
    ///     follow::{Channels, FollowService},
    ///     hub::{Hub, StartPosition},
    ///     relay::LocalRelay,
    /// };
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (store, limits) = (Arc::new(MemoryStore::new(&IdGenerator::from_os()?)), Arc::new(Limits::default()));
    /// let hub = Hub::new(store.clone(), Arc::new(LocalRelay::default()), limits.clone());
    /// let chat = ChatService::new(store.clone(), Guard::allow_all()?, limits);
    /// let follow = FollowService::new(store, Guard::allow_all()?, hub);
    /// let ada = testing::context("t_acme", "ada", Role::Member)?;
    /// let thread = chat.create_thread(&ada, NewThread::default()).await?.thread_id;
    /// let key = StreamKey::chat(&thread);
    /// let mut reader = follow.open(&ada, &key, Channels::default(), StartPosition::Live).await?;
    /// chat.post(&ada, &thread, NewMessage::text("hello")).await?;
    /// let frame = reader.next().await.ok_or("the hub has closed")??;
    /// match frame.event()? {
    ///     FollowedEvent::Message(header, message) => {
    ///         assert_eq!((header.actor.id.as_str(), &*message.text), ("ada", "hello"));
    ///     }
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `INTERNAL` when the event does not have the form of its type. Events of this process always have it.
    pub fn event(&self) -> Result<FollowedEvent<'_>> {
        let json = self.json_text();
        match self.kind() {
            FrameKind::Deleted => Ok(FollowedEvent::Deleted),
            FrameKind::ReplayMiss => decode_replay_miss(json),
            FrameKind::Durable { .. } | FrameKind::Ephemeral => decode_event(json),
        }
    }
}

fn decode_event(json: &[u8]) -> Result<FollowedEvent<'_>> {
    let header: EventHeader<'_> = decode(json)?;
    let EnvelopeData { data } = decode(json)?;
    Ok(match &*header.event_type {
        // An ephemeral event may have any type.
        USER_MESSAGE if header.seq.is_some() => FollowedEvent::Message(header, ChatMessage::from_data(data.get())?),
        CANVAS_COMMIT if header.seq.is_some() => FollowedEvent::Commit(header, CanvasCommit::from_data(data.get())?),
        _ => FollowedEvent::Other(header, data),
    })
}

fn decode_replay_miss(json: &[u8]) -> Result<FollowedEvent<'_>> {
    #[derive(Deserialize)]
    struct Miss<'a> {
        head_seq: Seq,
        #[serde(borrow)]
        snapshot_ref: Option<Cow<'a, str>>,
    }
    let EnvelopeData { data } = decode(json)?;
    let Miss { head_seq, snapshot_ref } = decode(data.get().as_bytes())?;
    Ok(FollowedEvent::ReplayMiss { head_seq, snapshot_ref })
}

fn decode<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| Error::internal(OPERATION, error))
}
