//! The task that records what waits.

use std::sync::Arc;

use engines_core::{DatasetEvent, RequestContext, event::EventLog};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::{counts::Counts, room::Room};

/// What waits in a recorder's queue.
pub(super) enum Waiting {
    Event(Box<(RequestContext, DatasetEvent, Room)>),
    /// Somebody wants to know when everything before is settled.
    Flush(oneshot::Sender<()>),
}

/// Records what comes, up to `in_flight` at once, until nothing more can come.
pub(super) async fn run(log: EventLog, mut queue: mpsc::Receiver<Waiting>, in_flight: usize, counts: Arc<Counts>) {
    let mut running = JoinSet::new();
    while let Some(next) = queue.recv().await {
        match next {
            Waiting::Event(event) => {
                while running.len() >= in_flight {
                    settle(running.join_next().await, &counts);
                }
                let log = log.clone();
                running.spawn(async move {
                    let (context, event, room) = *event;
                    // What is being recorded waits no more.
                    drop(room);
                    log.record(&context, event).await.map(drop)
                });
                while let Some(ended) = running.try_join_next() {
                    settle(Some(ended), &counts);
                }
            }
            Waiting::Flush(done) => {
                while let Some(ended) = running.join_next().await {
                    settle(Some(ended), &counts);
                }
                // Nobody waiting any more is no error.
                let _ = done.send(());
            }
        }
    }
    while let Some(ended) = running.join_next().await {
        settle(Some(ended), &counts);
    }
}

fn settle(ended: Option<Result<engines_core::Result<()>, tokio::task::JoinError>>, counts: &Counts) {
    let Some(ended) = ended else { return };
    counts.settled(matches!(ended, Ok(Ok(()))));
    match ended {
        Ok(Err(error)) => tracing::warn!(code = %error.code(), "a dataset event could not be recorded"),
        Err(_) => tracing::error!("a dataset event could not be recorded: its task ended early"),
        Ok(Ok(())) => {}
    }
}
