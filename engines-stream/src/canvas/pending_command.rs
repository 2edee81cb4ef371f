//! Commands on their way from the caller to the canvas's writer.

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

/// A command that was admitted, decoded and checked: all that a commit needs but its revision.
pub(super) struct PendingCommand {
    pub(super) context: RequestContext,
    pub(super) command_id: Option<ResourceId>,
    pub(super) base_rev: u64,
    pub(super) on_conflict: OnConflict,
    pub(super) intent: Option<Intent>,
    pub(super) ops: Vec<Op>,
    /// The ops as they are stored, so that a replay applies exactly what is applied now.
    pub(super) ops_json: Box<RawValue>,
    pub(super) ids: CorrelationIds,
    pub(super) routing: Routing,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) audit: Option<AuditEntry>,
    pub(super) touches: OnceLock<TouchSet>,
}

impl PendingCommand {
    /// The places the command touches, computed on first use.
    pub(super) fn touches(&self) -> &TouchSet {
        self.touches.get_or_init(|| touched_places(&self.ops))
    }
}

/// A command in a writer's queue.
pub(super) struct CommandJob {
    pub(super) command: Arc<PendingCommand>,
    pub(super) progress: RebaseProgress,
    pub(super) reply: oneshot::Sender<CommandOutcome>,
}

/// What is known so far about the commits after a command's base.
#[derive(Debug, Clone, Copy)]
pub(super) struct RebaseProgress {
    /// No commit up to this revision touches what the command touches; initially the base.
    pub(super) untouched_to: u64,
    /// The log is known to reach at least this revision.
    pub(super) min_head: u64,
    /// How often the command was decided in vain; at most [`super::rebase::MAX_REBASE_ATTEMPTS`].
    pub(super) attempts: u8,
}

/// The answer of a writer. It depends only on durable commits: a rejection is held back until the commits before it are
/// durable.
pub(super) enum CommandOutcome {
    /// The command is in the log.
    Committed { rev: u64, event_id: Ulid, status: CommandStatus, replayed: bool },
    /// The base is not the head, and the command cannot be rebased on the commits the writer remembers.
    StaleBase {
        /// Whether the log may allow a rebase all the same. It must then be read after `progress.untouched_to`.
        log_decides: bool,
        /// What is known now.
        progress: RebaseProgress,
    },
    /// An op cannot be applied.
    InvalidOp(OpError),
    /// The command could not be tried, or its outcome is not known.
    Failed(Error),
}
