//! One record, and which of them to list.

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
    /// It was done; the record stands beside its effect.
    Done,
    /// It was refused.
    Refused,
}

/// One audit record. It names things and never quotes content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The record's id, rising in time.
    pub audit_id: Ulid,
    /// When.
    pub ts: Timestamp,
    /// The action's name, such as `canvas.command`.
    pub action: Cow<'static, str>,
    /// What was acted on, such as `canvas/c1`.
    pub resource: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// Who acted.
    #[serde(flatten)]
    pub actor: Actor,
    /// The request.
    pub request_id: std::sync::Arc<str>,
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Why, for trusted work in process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<std::sync::Arc<str>>,
}

impl AuditEntry {
    /// A record of what `context` did.
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

/// Which audit records to list; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this action.
    pub action: Option<String>,
    /// By this actor.
    pub actor_id: Option<String>,
    /// On this resource.
    pub resource: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
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
