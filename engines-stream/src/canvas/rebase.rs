//! Decides whether a command is applied on its base, rebased on the head, or rejected.
//!
//! [`decide`] is the rule. The writer asks it with the commits it remembers, and [`CanvasHistory::decide_by_log`] asks
//! it with the log, when the writer remembers too few.

use engines_core::{Code, Result, command::rebase::touched_places};

use super::{
    command::OnConflict, commit_event::CanvasCommit, history::CanvasHistory, pending_command::PendingCommand,
    recent_commits::RecentCommits,
};

/// How often a command is decided again, because other nodes edit the canvas too or because a commit before it failed.
pub(super) const MAX_REBASE_ATTEMPTS: u8 = 64;

/// What happens to a command at a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RebaseDecision {
    /// The head is the command's base: it is applied.
    Apply,
    /// No commit since the base touches what the command touches: it is applied at the head.
    Rebase,
    /// The remembered commits do not suffice. The commits after `from` must be read from the log.
    ReadLog {
        /// No commit up to this revision touches what the command touches.
        from: u64,
    },
    /// A commit since the base touches what the command touches, or the command may not be rebased.
    Reject,
}

/// Decides about `command` at `head`. No commit up to `untouched_to` touches what the command touches, `recent` holds
/// the newest commits up to `head`, and a rebase may lie at most `max_distance` revisions behind the head.
pub(super) fn decide(
    command: &PendingCommand,
    head: u64,
    untouched_to: u64,
    recent: &RecentCommits,
    max_distance: u64,
) -> RebaseDecision {
    if command.base_rev == head {
        return RebaseDecision::Apply;
    }
    if command.base_rev > head {
        // The base may be a commit of another node that is not known here yet.
        return RebaseDecision::ReadLog { from: head };
    }
    if command.on_conflict != OnConflict::Rebase || head - command.base_rev > max_distance {
        return RebaseDecision::Reject;
    }
    if untouched_to >= head {
        return RebaseDecision::Rebase;
    }
    if recent.overlaps_after(untouched_to, command) {
        return RebaseDecision::Reject;
    }
    if recent.reaches_back_to(untouched_to) {
        RebaseDecision::Rebase
    } else {
        RebaseDecision::ReadLog { from: untouched_to }
    }
}

impl CanvasHistory {
    /// Decides about `command` at the durable head, which is returned too. The commits after `untouched_to` are read
    /// from the log. If some of them were removed, the command is rejected. Never returns
    /// [`RebaseDecision::ReadLog`].
    pub(super) async fn decide_by_log(
        &self,
        command: &PendingCommand,
        untouched_to: u64,
        max_distance: u64,
    ) -> Result<(RebaseDecision, u64)> {
        let head = self.head().await?;
        let decision = match decide(command, head, untouched_to, &RecentCommits::none(), max_distance) {
            // The log has no such base.
            RebaseDecision::ReadLog { .. } if command.base_rev > head => RebaseDecision::Reject,
            RebaseDecision::ReadLog { from } if self.is_untouched(command, from, head).await? => RebaseDecision::Rebase,
            RebaseDecision::ReadLog { .. } => RebaseDecision::Reject,
            decided => decided,
        };
        Ok((decision, head))
    }

    /// Whether no commit after `after`, up to `head`, touches what `command` touches. If some of these commits were
    /// removed, the answer is no.
    async fn is_untouched(&self, command: &PendingCommand, after: u64, head: u64) -> Result<bool> {
        let mut at = after;
        while at < head {
            let events = match self.events(at, head).await {
                Err(error) if error.code() == Code::NotFound => return Ok(false),
                events => events?,
            };
            for event in events {
                if touched_places(&CanvasCommit::from_event(&event)?.decode_ops()?).overlaps(command.touches()) {
                    return Ok(false);
                }
                at = event.seq.0;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
