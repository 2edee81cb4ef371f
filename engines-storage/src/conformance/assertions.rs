//! Checks that several groups of cases use.

use engines_core::{
    nexus::{CommitError, Document, FailedPrecondition, StoreChange, StoreChanges},
    stream::{NewEvent, Seq, StreamEvent},
};
use futures_util::StreamExt;
use serde_json::Value;

use super::report::{CaseFailure, ensure_equal};

pub(super) fn parse_value(json: &str) -> Result<Value, CaseFailure> {
    serde_json::from_str(json).map_err(|error| CaseFailure::new(format!("not JSON: {error}")))
}

#[track_caller]
pub(super) fn require_found(document: Option<Document>) -> Result<Document, CaseFailure> {
    document.ok_or_else(|| CaseFailure::new("a document that was written is not there"))
}

/// Returns the next change notification. The runner's time limit ends the wait for one that does not come.
pub(super) async fn next_change(changes: &mut StoreChanges) -> Result<StoreChange, CaseFailure> {
    changes.next().await.ok_or_else(|| CaseFailure::new("the change notifications ended while the store is open"))
}

/// Fails unless the commit failed at the write with this index, for this reason.
#[track_caller]
pub(super) fn expect_failure_at<T: std::fmt::Debug>(
    what: &str,
    answer: Result<T, CommitError>,
    wanted_index: usize,
    wanted: &FailedPrecondition,
) -> Result<(), CaseFailure> {
    match answer {
        Err(CommitError::Precondition { index, failed }) if index == wanted_index && failed == *wanted => Ok(()),
        other => Err(CaseFailure::new(format!("{what}: wanted {wanted:?} at write {wanted_index}, got {other:?}"))),
    }
}

/// Fails unless the events have consecutive sequences that start right after `after`.
#[track_caller]
pub(super) fn ensure_contiguous(events: &[StreamEvent], after: Seq) -> Result<(), CaseFailure> {
    for (event, wanted) in events.iter().zip(after.0.saturating_add(1)..) {
        if event.seq.0 != wanted {
            return Err(CaseFailure::new(format!("a gap or wrong order: {} where {wanted} belongs", event.seq)));
        }
    }
    Ok(())
}

#[track_caller]
pub(super) fn ensure_same_event(found: &NewEvent, wanted: &NewEvent) -> Result<(), CaseFailure> {
    ensure_equal("event_id", &found.event_id, &wanted.event_id)?;
    ensure_equal("event_type", &found.event_type, &wanted.event_type)?;
    ensure_equal("ts", &found.ts, &wanted.ts)?;
    ensure_equal("actor", &found.actor, &wanted.actor)?;
    ensure_equal("trace_id", &found.trace_id, &wanted.trace_id)?;
    ensure_equal("span_id", &found.span_id, &wanted.span_id)?;
    ensure_equal("ids", &found.ids, &wanted.ids)?;
    ensure_equal("routing", &found.routing, &wanted.routing)?;
    ensure_equal("meta", &found.meta, &wanted.meta)?;
    ensure_equal("data", &parse_value(found.data.get())?, &parse_value(wanted.data.get())?)
}
