//! The newest commits of a writer, which allow a rebase without reading the log.

use std::{collections::VecDeque, sync::Arc};

use super::pending_command::PendingCommand;

struct RecentCommit {
    rev: u64,
    work: Arc<PendingCommand>,
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

    pub(super) fn push(&mut self, rev: u64, work: Arc<PendingCommand>) {
        self.bytes += work.ops_json.get().len();
        self.commits.push_back(RecentCommit { rev, work });
        while self.commits.len() > self.max_commits || self.bytes > self.max_bytes {
            let Some(oldest) = self.commits.pop_front() else { return };
            self.bytes -= oldest.work.ops_json.get().len();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.commits.clear();
        self.bytes = 0;
    }

    /// Whether all commits after `after` are known and none of them touches what `work` touches.
    pub(super) fn untouched_since(&self, after: u64, work: &PendingCommand) -> bool {
        let complete = self.commits.front().is_some_and(|oldest| oldest.rev <= after + 1);
        complete
            && self
                .commits
                .iter()
                .rev()
                .take_while(|made| made.rev > after)
                .all(|made| !made.work.touches().overlaps(work.touches()))
    }
}
