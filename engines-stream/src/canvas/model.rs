//! Canvases, answers and histories as callers see them.

use engines_core::{ActorType, Cursor, ResourceId, Timestamp, UserId, context::ScopeClaims, stream::Routing};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};
use ulid::Ulid;

use super::command::Intent;
use crate::request_fields::null_as_default;

/// A canvas that is about to be made. Decodes from the request body.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NewCanvas {
    /// Its id; made by the service if there is none.
    pub canvas_id: Option<ResourceId>,
    /// The workspace it belongs to.
    pub workspace_id: Option<ResourceId>,
    /// The project it belongs to.
    pub project_id: Option<ResourceId>,
    /// Anything the product wants to keep about it.
    pub meta: Option<Map<String, Value>>,
    /// Routing keys; checked, and read for workspace and project where these are not given.
    #[serde(deserialize_with = "null_as_default")]
    pub routing: Routing,
}

/// What is stored of a canvas besides its id, its time and its log.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CanvasBody {
    pub(super) workspace_id: Option<ResourceId>,
    pub(super) project_id: Option<ResourceId>,
    pub(super) meta: Option<Map<String, Value>>,
    pub(super) created_by: UserId,
}

/// A canvas.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Canvas {
    /// Its id.
    pub canvas_id: ResourceId,
    /// Its newest revision; 0 before the first commit.
    pub head_rev: u64,
    /// The workspace it belongs to.
    pub workspace_id: Option<ResourceId>,
    /// The project it belongs to.
    pub project_id: Option<ResourceId>,
    /// What the product keeps about it.
    pub meta: Option<Map<String, Value>>,
    /// Who made it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// How a command was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandStatus {
    /// On the revision it was written against.
    Applied,
    /// On a later one.
    Rebased,
}

impl CommandStatus {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Rebased => "rebased",
        }
    }

    /// From the note of a receipt.
    pub(super) fn from_note(note: &str) -> Self {
        if note == Self::Rebased.as_str() { Self::Rebased } else { Self::Applied }
    }
}

/// What a command did. It is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandAnswer {
    /// How it was applied.
    pub status: CommandStatus,
    /// The revision it made.
    pub rev: u64,
    /// The head right after it: the same.
    pub head_rev: u64,
    /// The commit's id.
    pub commit_id: Ulid,
    /// The id of its event: the same, because the commit is the event.
    pub event_id: Ulid,
    /// The cursor that leads past the commit in `canvas/{canvas_id}`.
    pub cursor: Cursor,
    /// It was applied before with this idempotency key; this is the first answer again.
    pub replayed: bool,
}

/// A canvas's state at a revision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CanvasSnapshot {
    /// The canvas.
    pub canvas_id: ResourceId,
    /// The revision.
    pub rev: u64,
    /// The document.
    pub state: Value,
    /// SHA-256 (hex) over the document in RFC 8785 form.
    pub state_hash: String,
}

/// A state in a replay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Keyframe {
    /// The revision.
    pub rev: u64,
    /// The document.
    pub state: Value,
    /// SHA-256 (hex) over the document in RFC 8785 form.
    pub state_hash: String,
}

/// A commit of the history.
#[derive(Debug, Clone, Serialize)]
pub struct CommitEntry {
    /// The revision it made.
    pub rev: u64,
    /// Its id.
    pub commit_id: Ulid,
    /// Its event's id.
    pub event_id: Ulid,
    /// The revision the command was written against.
    pub base_rev: u64,
    /// The client's name for the command.
    pub command_id: Option<ResourceId>,
    /// Who made it.
    pub actor_id: UserId,
    /// What kind of actor.
    pub actor_type: ActorType,
    /// When.
    pub ts: Timestamp,
    /// What it was for.
    pub intent: Option<Intent>,
    /// What was done.
    pub ops: Box<RawValue>,
}

/// A stretch of history to play: the state at both its ends, and every commit between.
#[derive(Debug, Clone, Serialize)]
pub struct CanvasReplay {
    /// The canvas.
    pub canvas_id: ResourceId,
    /// The first state's revision.
    pub from_rev: u64,
    /// The last state's revision; less than was asked for where that was too much for one answer.
    pub to_rev: u64,
    /// The state at `from_rev`, and at `to_rev` if that is another.
    pub keyframes: Vec<Keyframe>,
    /// The commits after `from_rev`, up to and with `to_rev`.
    pub commits: Vec<CommitEntry>,
    /// The `from_rev` of the next stretch; none if this one goes as far as was asked.
    pub next: Option<u64>,
}

/// Something shown to those who are there now, and never stored. Decodes from the request body.
#[derive(Debug, Clone, Deserialize)]
pub struct NewGesture {
    /// What kind, such as `cursor`.
    pub kind: String,
    /// Anything.
    #[serde(default)]
    pub data: Value,
    /// Routing keys for readers, such as the session.
    #[serde(default, deserialize_with = "null_as_default")]
    pub routing: Routing,
    /// What the client says of tenant and environment; it must agree with the context, and is not shown.
    #[serde(flatten)]
    pub claims: ScopeClaims,
}
