//! Finds and trims the events of a stream that are older than a time.

use engines_core::{
    Batch, Guard, Result, Scope, Store, StreamKey, Timestamp,
    nexus::{CommitError, FailedPrecondition, StreamHead},
    stream::Seq,
};

/// The first event that is not older than `before`; one past the head if all are older. It is a binary search that
/// reads one event per step.
///
/// Times rise with sequence numbers, except for differences between the clocks of concurrent writers and nodes. If a
/// clock was set back, the result may be any boundary between older and newer events.
pub(crate) async fn first_kept_seq(
    store: &dyn Store,
    scope: &Scope,
    key: &StreamKey,
    head: StreamHead,
    before: Timestamp,
) -> Result<Seq> {
    let (mut first, mut end) = (head.first.0, head.seq.0 + 1);
    // For most streams the oldest event alone decides.
    let mut probe = first;
    while first < end {
        match store.read(scope, key, Seq(probe - 1), 1).await?.first() {
            // The stream was trimmed meanwhile.
            Some(event) if event.seq.0 > probe => first = event.seq.0.min(end),
            Some(event) if event.event.ts < before => first = probe + 1,
            Some(_) => end = probe,
            None => break,
        }
        probe = first + (end.saturating_sub(first)) / 2;
    }
    Ok(Seq(first))
}

/// Trims a stream; returns the number of removed events.
pub(crate) async fn trim_stream(
    store: &dyn Store,
    guard: &Guard,
    scope: &Scope,
    key: &StreamKey,
    head: StreamHead,
    first: Seq,
) -> Result<u64> {
    if first <= head.first {
        return Ok(0);
    }
    match store.commit(scope, Batch::new(guard.clock().now()).trim(key.clone(), first)).await {
        Ok(_) => Ok(first.0 - head.first.0),
        // The stream was deleted meanwhile.
        Err(CommitError::Precondition { failed: FailedPrecondition::Deleted { .. }, .. }) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
