//! A queue of commits in flight. Results are returned in the order in which the commits were sent.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use engines_core::nexus::{CommitError, CommitReceipt};

/// A commit in flight.
pub(super) type CommitFuture = Pin<Box<dyn Future<Output = Result<CommitReceipt, CommitError>> + Send>>;

enum CommitProgress {
    Pending(CommitFuture),
    Finished(Result<CommitReceipt, CommitError>),
}

/// Commits in flight, each with a value that its owner attached.
pub(super) struct InFlightQueue<T> {
    queue: VecDeque<(T, CommitProgress)>,
}

impl<T> InFlightQueue<T> {
    pub(super) fn new() -> Self {
        Self { queue: VecDeque::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Sends a commit: polls it once, so that a store that pipelines sees it after all earlier ones.
    pub(super) async fn push(&mut self, ticket: T, mut commit: CommitFuture) {
        let progress = poll_fn(|cx| Poll::Ready(commit.as_mut().poll(cx))).await;
        self.queue.push_back(match progress {
            Poll::Ready(result) => (ticket, CommitProgress::Finished(result)),
            Poll::Pending => (ticket, CommitProgress::Pending(commit)),
        });
    }

    /// Waits until the oldest commit is done, and then moves it to `settled`, with all directly following ones that are
    /// done too. Never returns while the queue is empty. Only the oldest is polled: its waker is that of the task that
    /// owns all of them, and the others are polled when they become the oldest. Dropping the future loses nothing.
    pub(super) async fn next_settled(&mut self, settled: &mut Vec<(T, Result<CommitReceipt, CommitError>)>) {
        poll_fn(|cx| {
            while self.poll_front(cx) {
                if let Some((ticket, CommitProgress::Finished(result))) = self.queue.pop_front() {
                    settled.push((ticket, result));
                }
            }
            if settled.is_empty() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    fn poll_front(&mut self, cx: &mut Context<'_>) -> bool {
        let Some((_, progress)) = self.queue.front_mut() else {
            return false;
        };
        if let CommitProgress::Pending(commit) = progress {
            match commit.as_mut().poll(cx) {
                Poll::Ready(result) => *progress = CommitProgress::Finished(result),
                Poll::Pending => return false,
            }
        }
        true
    }
}
