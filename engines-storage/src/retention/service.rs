//! The retention service: reads and sets policies, and removes data that is older than they allow.

use std::{fmt, sync::Arc, time::Duration};

use engines_core::{
    Action, Batch, Code, DocId, Error, Guard, RequestContext, Result, Scope, Store, Timestamp,
    event::EventFilter,
    nexus::{CommitError, Document, DocumentKind, Expect, FailedPrecondition, NewDocument, Removal, RemovalProgress},
};

use super::{NewRetentionPolicy, RetentionDocument, RetentionPolicy, RetentionSettings};

/// The document kind of policies; a scope has one.
const RETENTION_KIND: DocumentKind = DocumentKind::from_static("retention_policy");
/// The name of the policy in audit records.
const RESOURCE: &str = "retention";
const SET_OPERATION: &str = "retention.manage";
/// How often a policy that replaces any version is tried when other changes come in between.
const MAX_ATTEMPTS: usize = 8;

/// Retention policies of tenants. Cheap to clone.
#[derive(Clone)]
pub struct RetentionService {
    store: Arc<dyn Store>,
    guard: Guard,
    settings: Arc<RetentionSettings>,
}

/// A kind of data that the store removes by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionKind {
    /// Dataset events.
    Events,
    /// Audit records.
    Audit,
    /// Receipts of idempotency keys.
    Receipts,
}

/// Where a removal step begins, and which events it must not remove.
#[derive(Debug, Clone, Default)]
pub struct RemovalStepOptions {
    /// The [`RemovalProgress::position`](engines_core::nexus::RemovalProgress::position) of the previous step.
    pub after: Option<String>,
    /// The position of the feed that every sink has received; `None` if there is no sink.
    pub delivered: Option<u64>,
}

impl RetentionKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Events, Self::Receipts, Self::Audit];

    /// The kind's name in audit records and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Audit => "audit",
            Self::Receipts => "receipts",
        }
    }
}

impl RetentionService {
    /// Makes the service for the policies in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, guard: Guard, settings: RetentionSettings) -> Self {
        Self { store, guard, settings: Arc::new(settings) }
    }

    /// The deployment's settings.
    #[must_use]
    pub fn settings(&self) -> &RetentionSettings {
        &self.settings
    }

    /// The tenant's policy, or the deployment's settings if it has none.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT` below admin; denials of the gate; `BACKEND_UNAVAILABLE`.
    pub async fn policy(&self, context: &RequestContext) -> Result<RetentionDocument> {
        let _permit = self.guard.admit(context, Action::RetentionRead, RESOURCE).await?;
        self.load_policy(context.scope()).await
    }

    /// Replaces the tenant's policy. The worker follows it from its next pass on.
    ///
    /// # Errors
    /// `VERSION_MISMATCH` with the current `version` when that is not the version to replace; `BODY_INVALID` for a time
    /// of 0, and for a time below the deployment's minimum, with `minimum_s`; `ROLE_INSUFFICIENT` below admin; denials
    /// of the gate; `BACKEND_UNAVAILABLE`.
    pub async fn set_policy(&self, context: &RequestContext, new: NewRetentionPolicy) -> Result<RetentionDocument> {
        let permit = self.guard.admit(context, Action::RetentionManage, RESOURCE).await?;
        self.check_minimums(&new.policy)?;
        let mut tries = if new.version.is_some() { 1 } else { MAX_ATTEMPTS };
        loop {
            let known = self.load_document(context.scope()).await?.map_or(0, |document| document.version);
            if new.version.is_some_and(|version| version != known) {
                return Err(version_mismatch(known));
            }
            let (now, version) = (self.guard.clock().now(), known + 1);
            let expect = if known == 0 { Expect::Absent } else { Expect::Version(known) };
            let audit = permit.audit_entry(&self.guard, context, format!("{RESOURCE}/{version}"));
            let document = NewDocument::new(RETENTION_KIND, document_id()?, &new.policy)?;
            match self.store.commit(context.scope(), Batch::new(now).put(document, expect).audit(audit)).await {
                Ok(_) => return Ok(RetentionDocument { version, updated_at: Some(now), policy: new.policy }),
                Err(CommitError::Precondition { failed: FailedPrecondition::Document { version, .. }, .. }) => {
                    tries -= 1;
                    if tries == 0 {
                        return Err(version_mismatch(version.unwrap_or(0)));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The policy that applies in `scope`, with the deployment's minimums. The worker uses it.
    ///
    /// # Errors
    /// `INTERNAL` for a policy this version does not understand; nothing may be removed then. `BACKEND_UNAVAILABLE`.
    pub async fn effective_policy(&self, scope: &Scope) -> Result<RetentionPolicy> {
        let RetentionPolicy { messages_s, commits_s, events_s, audit_s, receipts_s } =
            self.load_policy(scope).await?.policy;
        let at_least = |kept: Option<u64>, minimum: u64| kept.map(|seconds| seconds.max(minimum));
        Ok(RetentionPolicy {
            messages_s,
            commits_s,
            events_s,
            audit_s: at_least(audit_s, self.settings.audit_min_s),
            receipts_s: at_least(receipts_s, self.settings.receipts_min_s),
        })
    }

    /// The time before which data that is kept for `kept_s` seconds is removed.
    #[must_use]
    pub fn cutoff(&self, kept_s: u64) -> Timestamp {
        let kept = i64::try_from(Duration::from_secs(kept_s).as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(self.guard.clock().now().as_millis().saturating_sub(kept))
    }

    /// Takes one step of removing data that is older than `before`. The worker uses it.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT` except for trusted work in process; denials of the gate; `BACKEND_UNAVAILABLE`.
    pub async fn remove_step(
        &self,
        context: &RequestContext,
        kind: RetentionKind,
        before: Timestamp,
        limits: RemovalStepOptions,
    ) -> Result<RemovalProgress> {
        let _permit = self.guard.admit(context, Action::RetentionApply, kind.as_str()).await?;
        let removal = match kind {
            RetentionKind::Events => Removal::Events {
                filter: EventFilter { until: Some(before), ..EventFilter::default() },
                delivered: limits.delivered,
            },
            RetentionKind::Audit => Removal::Audit { before },
            RetentionKind::Receipts => Removal::Receipts { before },
        };
        self.store.remove(context.scope(), &removal, self.settings.step_items.max(1), limits.after.as_deref()).await
    }

    /// Writes an audit record of a removal: `retention/<kind>`, with the context's reason.
    ///
    /// # Errors
    /// As [`RetentionService::remove_step`].
    pub async fn record_audit(&self, context: &RequestContext, kind: &str) -> Result<()> {
        let permit = self.guard.admit(context, Action::RetentionApply, kind).await?;
        let audit = permit.audit_entry(&self.guard, context, format!("{RESOURCE}/{kind}"));
        self.store.commit(context.scope(), Batch::new(self.guard.clock().now()).audit(audit)).await?;
        Ok(())
    }

    async fn load_document(&self, scope: &Scope) -> Result<Option<Document>> {
        self.store.get(scope, &RETENTION_KIND, &document_id()?).await
    }

    async fn load_policy(&self, scope: &Scope) -> Result<RetentionDocument> {
        Ok(match self.load_document(scope).await? {
            None => RetentionDocument { version: 0, updated_at: None, policy: self.settings.default_policy() },
            Some(document) => RetentionDocument {
                version: document.version,
                updated_at: Some(document.updated_at),
                policy: document.decode()?,
            },
        })
    }

    fn check_minimums(&self, policy: &RetentionPolicy) -> Result<()> {
        let times = [
            ("/policy/messages_s", policy.messages_s, 1),
            ("/policy/commits_s", policy.commits_s, 1),
            ("/policy/events_s", policy.events_s, 1),
            ("/policy/audit_s", policy.audit_s, self.settings.audit_min_s.max(1)),
            ("/policy/receipts_s", policy.receipts_s, self.settings.receipts_min_s.max(1)),
        ];
        for (field, kept, minimum) in times {
            if kept.is_some_and(|seconds| seconds < minimum) {
                let detail =
                    format!("this deployment keeps it for at least {minimum} seconds; send more, or null for ever");
                return Err(Error::invalid_body(SET_OPERATION, field, detail).with_member("minimum_s", minimum));
            }
        }
        Ok(())
    }
}

fn version_mismatch(version: u64) -> Error {
    Error::new(Code::VersionMismatch, SET_OPERATION, "the policy was changed in the meantime; read it again and retry")
        .with_member("version", version)
}

fn document_id() -> Result<DocId> {
    DocId::new("policy")
}

impl fmt::Debug for RetentionService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetentionService").field("settings", &self.settings).finish_non_exhaustive()
    }
}
