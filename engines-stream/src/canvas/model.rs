//! The types of requests and answers about canvases.

use engines_core::{ActorType, Cursor, ResourceId, Timestamp, UserId, context::ScopeClaims, stream::Routing};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};
use ulid::Ulid;

use super::command::Intent;
use crate::request_fields::null_as_default;

/// A canvas to be created. Decodes from the request body.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NewCanvas {
    /// The id of the canvas; the service generates one if it is absent.
    pub canvas_id: Option<ResourceId>,
    /// The workspace it belongs to.
    pub workspace_id: Option<ResourceId>,
    /// The project it belongs to.
    pub project_id: Option<ResourceId>,
    /// Metadata of the product, of any form.
    pub meta: Option<Map<String, Value>>,
    /// Routing keys. They are checked, and supply the workspace and project where these are absent.
    #[serde(deserialize_with = "null_as_default")]
    pub routing: Routing,
}

/// The stored form of a canvas, without its id, its time and its log.
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
    /// The canvas's id.
    pub canvas_id: ResourceId,
    /// The newest revision; 0 before the first commit.
    pub head_rev: u64,
    /// The workspace it belongs to.
    pub workspace_id: Option<ResourceId>,
    /// The project it belongs to.
    pub project_id: Option<ResourceId>,
    /// Metadata of the product.
    pub meta: Option<Map<String, Value>>,
    /// The user who created the canvas.
    pub created_by: UserId,
    /// The time of the creation.
    pub created_at: Timestamp,
}

/// How a command was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandStatus {
    /// On the revision it was written against.
    Applied,
    /// On a later revision.
    Rebased,
}

impl CommandStatus {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Rebased => "rebased",
        }
    }

    /// Reads the status from the note of a receipt.
    pub(super) fn from_note(note: &str) -> Self {
        if note == Self::Rebased.as_str() { Self::Rebased } else { Self::Applied }
    }
}

/// The result of a command. The commit is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandAnswer {
    /// How the command was applied.
    pub status: CommandStatus,
    /// The revision the commit made.
    pub rev: u64,
    /// The head directly after the commit: the same as `rev`.
    pub head_rev: u64,
    /// The commit's id.
    pub commit_id: Ulid,
    /// The id of the commit's event: the same as `commit_id`, because the commit is the event.
    pub event_id: Ulid,
    /// The cursor behind the commit in `canvas/{canvas_id}`.
    pub cursor: Cursor,
    /// The command was applied before with this idempotency key; this is the first answer again.
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
    /// SHA-256 (hex) of the document in RFC 8785 form.
    pub state_hash: String,
}

/// A state in a replay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Keyframe {
    /// The revision.
    pub rev: u64,
    /// The document.
    pub state: Value,
    /// SHA-256 (hex) of the document in RFC 8785 form.
    pub state_hash: String,
}

/// A commit of the history.
#[derive(Debug, Clone, Serialize)]
pub struct CommitEntry {
    /// The revision the commit made.
    pub rev: u64,
    /// The commit's id.
    pub commit_id: Ulid,
    /// The id of the commit's event.
    pub event_id: Ulid,
    /// The revision the command was written against.
    pub base_rev: u64,
    /// The client's name for the command.
    pub command_id: Option<ResourceId>,
    /// The actor of the commit.
    pub actor_id: UserId,
    /// The type of the actor.
    pub actor_type: ActorType,
    /// The time of the commit.
    pub ts: Timestamp,
    /// The purpose of the command.
    pub intent: Option<Intent>,
    /// The ops as they were applied.
    pub ops: Box<RawValue>,
}

/// A range of the history: the states at both ends and all commits between.
#[derive(Debug, Clone, Serialize)]
pub struct CanvasReplay {
    /// The canvas.
    pub canvas_id: ResourceId,
    /// The revision of the first state.
    pub from_rev: u64,
    /// The revision of the last state; less than requested if the range was too large for one answer.
    pub to_rev: u64,
    /// The state at `from_rev`, and the one at `to_rev` if that is another revision.
    pub keyframes: Vec<Keyframe>,
    /// The commits after `from_rev`, up to and including `to_rev`.
    pub commits: Vec<CommitEntry>,
    /// The `from_rev` of the next range; `None` if this one reaches the requested end.
    pub next: Option<u64>,
}

/// An ephemeral event for the current subscribers; it is never stored. Decodes from the request body.
#[derive(Debug, Clone, Deserialize)]
pub struct NewGesture {
    /// The kind of gesture, such as `cursor`.
    pub kind: String,
    /// The data of the gesture, of any form.
    #[serde(default)]
    pub data: Value,
    /// Routing keys for readers, such as the session.
    #[serde(default, deserialize_with = "null_as_default")]
    pub routing: Routing,
    /// The tenant and environment that the client names. They must agree with the context, and are not sent to
    /// subscribers.
    #[serde(flatten)]
    pub claims: ScopeClaims,
}
