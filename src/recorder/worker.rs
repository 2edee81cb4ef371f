//! The task that records the waiting events.

use std::sync::Arc;

use engines_core::{DatasetEvent, RequestContext};
use engines_storage::event_log::EventLog;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    task::JoinSet,
};

use super::counters::RecorderCounters;

/// A message in a recorder's queue.
pub(super) enum RecorderMessage {
    /// An event, and the bytes that it takes of the budget while it waits.
    Event(Box<(RequestContext, DatasetEvent, OwnedSemaphorePermit)>),
    /// Requests an answer when every earlier event is recorded or failed.
    Flush(oneshot::Sender<()>),
}

/// Records the queued events, up to `in_flight` at once, until the queue is closed and empty.
pub(super) async fn run_worker(
    log: EventLog,
    mut queue: mpsc::Receiver<RecorderMessage>,
    in_flight: usize,
    counts: Arc<RecorderCounters>,
) {
    let mut running = JoinSet::new();
    while let Some(next) = queue.recv().await {
        match next {
            RecorderMessage::Event(event) => {
                while running.len() >= in_flight {
                    count_result(running.join_next().await, &counts);
                }
                let log = log.clone();
                running.spawn(async move {
                    let (context, event, bytes) = *event;
                    // The event no longer waits, so its bytes are free.
                    drop(bytes);
                    log.record(&context, event).await.map(drop)
                });
                while let Some(ended) = running.try_join_next() {
                    count_result(Some(ended), &counts);
                }
            }
            RecorderMessage::Flush(done) => {
                while let Some(ended) = running.join_next().await {
                    count_result(Some(ended), &counts);
                }
                // The caller may have stopped waiting.
                let _ = done.send(());
            }
        }
    }
    while let Some(ended) = running.join_next().await {
        count_result(Some(ended), &counts);
    }
}

fn count_result(ended: Option<Result<engines_core::Result<()>, tokio::task::JoinError>>, counts: &RecorderCounters) {
    let Some(ended) = ended else { return };
    counts.count_settled(matches!(ended, Ok(Ok(()))));
    match ended {
        Ok(Err(error)) => tracing::warn!(code = %error.code(), "a dataset event could not be recorded"),
        Err(_) => tracing::error!("a dataset event could not be recorded: its task ended early"),
        Ok(Ok(())) => {}
    }
}
