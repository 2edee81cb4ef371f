//! Audit records, and the filter for listing them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::{
    clock::Timestamp,
    context::{Actor, ContextOrigin, RequestContext},
    trace::{SpanId, TraceId},
};

/// How an audited action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditOutcome {
    /// The action was done; the record was stored in the same transaction.
    Done,
    /// The action was rejected.
    Refused,
}

/// One audit record. It contains names and ids, never content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The record's id; ids rise with time.
    pub audit_id: Ulid,
    /// The time of the action.
    pub ts: Timestamp,
    /// The action's name, such as `canvas.command`.
    pub action: Cow<'static, str>,
    /// The object that was acted on, such as `canvas/c1`.
    pub resource: String,
    /// How the action ended.
    pub outcome: AuditOutcome,
    /// The actor.
    #[serde(flatten)]
    pub actor: Actor,
    /// The id of the request.
    pub request_id: std::sync::Arc<str>,
    /// The id of the trace.
    pub trace_id: TraceId,
    /// The id of the span.
    pub span_id: SpanId,
    /// The reason given for trusted work in process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<std::sync::Arc<str>>,
}

impl AuditEntry {
    /// Makes the record of an action of `context`.
    #[must_use]
    pub fn new(
        audit_id: Ulid,
        ts: Timestamp,
        context: &RequestContext,
        action: &'static str,
        resource: impl Into<String>,
        outcome: AuditOutcome,
    ) -> Self {
        Self {
            audit_id,
            ts,
            action: Cow::Borrowed(action),
            resource: resource.into(),
            outcome,
            actor: context.actor().clone(),
            request_id: context.trace().request_id.clone(),
            trace_id: context.trace().trace_id,
            span_id: context.trace().span_id,
            reason: match context.origin() {
                ContextOrigin::System { reason } => Some(reason.clone()),
                ContextOrigin::Credential { .. } => None,
            },
        }
    }
}

/// Selects audit records to list; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The name of the action.
    pub action: Option<String>,
    /// The id of the actor.
    pub actor_id: Option<String>,
    /// The object that was acted on.
    pub resource: Option<String>,
    /// The earliest time, included.
    pub from: Option<Timestamp>,
    /// The latest time, excluded.
    pub until: Option<Timestamp>,
}

impl AuditFilter {
    /// Whether `entry` matches.
    #[must_use]
    pub fn matches(&self, entry: &AuditEntry) -> bool {
        self.action.as_ref().is_none_or(|action| *action == entry.action)
            && self.actor_id.as_ref().is_none_or(|id| id == entry.actor.id.as_str())
            && self.resource.as_ref().is_none_or(|resource| *resource == entry.resource)
            && self.from.is_none_or(|from| entry.ts >= from)
            && self.until.is_none_or(|until| entry.ts < until)
    }
}
