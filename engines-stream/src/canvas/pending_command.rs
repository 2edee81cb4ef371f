//! A command between its caller and the canvas's writer.

use std::sync::{Arc, OnceLock};

use engines_core::{
    Error, RequestContext, ResourceId,
    audit::AuditEntry,
    command::{
        Op, OpError,
        rebase::{TouchSet, touched_places},
    },
    nexus::Idempotency,
    stream::{CorrelationIds, Routing},
};
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use ulid::Ulid;

use super::{
    command::{Intent, OnConflict},
    model::CommandStatus,
};

/// A command that has been let in, read and checked: all that a commit needs but its revision.
pub(super) struct PendingCommand {
    pub(super) context: RequestContext,
    pub(super) command_id: Option<ResourceId>,
    pub(super) base_rev: u64,
    pub(super) on_conflict: OnConflict,
    pub(super) intent: Option<Intent>,
    pub(super) ops: Vec<Op>,
    /// The same as they are stored: what is applied now is what a replay applies.
    pub(super) ops_json: Box<RawValue>,
    pub(super) ids: CorrelationIds,
    pub(super) routing: Routing,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) audit: Option<AuditEntry>,
    pub(super) touches: OnceLock<TouchSet>,
}

impl PendingCommand {
    /// Whether it may be applied at `head` if nobody has touched what it touches.
    pub(super) fn may_rebase(&self, head: u64) -> bool {
        self.on_conflict == OnConflict::Rebase && self.base_rev < head
    }

    /// What it touches, found out when first asked.
    pub(super) fn touches(&self) -> &TouchSet {
        self.touches.get_or_init(|| touched_places(&self.ops))
    }
}

/// A command in a writer's queue.
pub(super) struct CommandJob {
    pub(super) command: Arc<PendingCommand>,
    /// Up to this revision nobody has touched what it touches; the base at first.
    pub(super) untouched_to: u64,
    /// The log is known to reach at least this revision.
    pub(super) min_head: u64,
    pub(super) reply: oneshot::Sender<CommandOutcome>,
}

/// What a writer says. It speaks only of what is durable: a refusal waits for the commits before it.
pub(super) enum CommandOutcome {
    /// It is in the log.
    Committed { rev: u64, event_id: Ulid, status: CommandStatus, replayed: bool },
    /// Its base is not the head, and it could not be rebased by what the writer remembers. The log knows more.
    StaleBase,
    /// An op cannot be applied.
    InvalidOp(OpError),
    /// It could not be tried, or nobody knows what came of it.
    Failed(Error),
}
