//! The newest commits of a writer, which allow a rebase without reading the log.

use std::{collections::VecDeque, sync::Arc};

use super::pending_command::PendingCommand;

struct RecentCommit {
    rev: u64,
    command: Arc<PendingCommand>,
}

/// The commits up to the writer's newest revision, without gaps, as many as fit.
pub(super) struct RecentCommits {
    commits: VecDeque<RecentCommit>,
    bytes: usize,
    max_commits: usize,
    max_bytes: usize,
}

impl RecentCommits {
    pub(super) fn new(max_commits: usize, max_bytes: usize) -> Self {
        Self { commits: VecDeque::new(), bytes: 0, max_commits, max_bytes }
    }

    /// A list without commits, for a caller that remembers none.
    pub(super) fn none() -> Self {
        Self::new(0, 0)
    }

    pub(super) fn push(&mut self, rev: u64, command: Arc<PendingCommand>) {
        self.bytes += command.ops_json.get().len();
        self.commits.push_back(RecentCommit { rev, command });
        while self.commits.len() > self.max_commits || self.bytes > self.max_bytes {
            let Some(oldest) = self.commits.pop_front() else { return };
            self.bytes -= oldest.command.ops_json.get().len();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.commits.clear();
        self.bytes = 0;
    }

    /// Whether all commits after `after` are in the list. The list must not be empty.
    pub(super) fn reaches_back_to(&self, after: u64) -> bool {
        self.commits.front().is_some_and(|oldest| oldest.rev <= after + 1)
    }

    /// Whether a commit of the list after `after` touches what `command` touches.
    pub(super) fn overlaps_after(&self, after: u64, command: &PendingCommand) -> bool {
        let newer = self.commits.iter().rev().take_while(|commit| commit.rev > after);
        newer.into_iter().any(|commit| commit.command.touches().overlaps(command.touches()))
    }
}
