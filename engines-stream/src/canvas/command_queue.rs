//! The states of a command inside a writer: queued, in flight, or rejected until the commits before it are durable.

use super::{
    model::CommandStatus,
    pending_command::{CommandJob, CommandOutcome},
};

/// A job with its number among all jobs of this writer.
pub(super) struct QueuedCommand {
    pub(super) arrival: u64,
    pub(super) job: CommandJob,
}

/// A commit in flight.
pub(super) struct InFlightCommit {
    pub(super) command: QueuedCommand,
    pub(super) rev: u64,
    pub(super) status: CommandStatus,
}

/// A rejection that holds only if all commits sent before it succeed.
pub(super) struct DeferredReject {
    /// The number of commits that must be done first.
    pub(super) after_commits: u64,
    pub(super) command: QueuedCommand,
    pub(super) outcome: CommandOutcome,
}

impl QueuedCommand {
    pub(super) fn reply(self, outcome: CommandOutcome) {
        // The caller may have stopped waiting; the answer is then dropped.
        let _ = self.job.reply.send(outcome);
    }
}
