//! The content of a commit's event.

use engines_core::{Error, ResourceId, Result, StreamEvent, command::Op};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ulid::Ulid;

use super::command::Intent;

/// The type of a commit's event.
pub const CANVAS_COMMIT: &str = "canvas_commit";

/// The `data` of a commit's event. With the envelope's actor and time it suffices to replay the commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CanvasCommit<'a> {
    /// The revision the commit made: the event's `seq`.
    pub rev: u64,
    /// The commit's id: the event's id, because the commit is the event.
    pub commit_id: Ulid,
    /// The revision the command was written against. It is less than `rev - 1` if the command was rebased.
    pub base_rev: u64,
    /// The client's name for the command.
    pub command_id: Option<ResourceId>,
    /// The purpose of the command.
    pub intent: Option<Intent>,
    /// The ops as they were applied.
    #[serde(borrow)]
    pub ops: &'a RawValue,
}

impl<'a> CanvasCommit<'a> {
    /// Decodes a commit's event.
    ///
    /// # Errors
    /// `INTERNAL` when the event is not a commit.
    pub fn from_event(event: &'a StreamEvent) -> Result<Self> {
        Self::from_data(event.event.data.get())
    }

    pub(crate) fn from_data(data: &'a str) -> Result<Self> {
        serde_json::from_str(data).map_err(|error| Error::internal("canvas.log", error))
    }

    /// Decodes the ops.
    ///
    /// # Errors
    /// `INTERNAL` when they are malformed.
    pub fn decode_ops(&self) -> Result<Vec<Op>> {
        serde_json::from_str(self.ops.get()).map_err(|error| Error::internal("canvas.log", error))
    }
}
