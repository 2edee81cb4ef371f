//! The engine: every service over one store.

use std::{fmt, sync::Arc};

use engines_auth::{Admission, Identity, TokenIssuer, control::OpenStreams, key_slot::KeySlots};
use engines_core::{
    Guard, Limits, RequestContext, Result, Scope, Store,
    audit::AuditLog,
    event::{EventLog, TrainPrefs},
    nexus::Backend,
    privacy::PrivacyService,
    retention::RetentionService,
};
use engines_storage::{metered::StoreMetrics, outbox::OutboxStatus};
use engines_stream::{canvas::CanvasService, chat::ChatService, follow::FollowService, presence::PresenceService};

use crate::{
    background_tasks::BackgroundTasks,
    backup::BackupService,
    builder::{CloseFn, EngineBuilder},
    outbox_task::OutboxTask,
    recorder::{Recorder, StrictRecorder},
    retention::{RetentionReport, RetentionWorker},
};

/// Every service over one store. Cheap to clone; clones are one engine.
#[derive(Clone)]
pub struct Engine(Arc<EngineParts>);

pub(crate) struct EngineParts {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) backup: BackupService,
    pub(crate) close_store: Option<CloseFn>,
    pub(crate) outbox: Option<OutboxTask>,
    pub(crate) background: BackgroundTasks,
    pub(crate) identity: Option<Identity>,
    pub(crate) key_slots: Option<KeySlots>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) store_metrics: Arc<StoreMetrics>,
    pub(crate) guard: Guard,
    pub(crate) open_streams: OpenStreams,
    pub(crate) admission: Admission,
    pub(crate) issuer: Option<TokenIssuer>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) chat: ChatService,
    pub(crate) canvas: CanvasService,
    pub(crate) events: EventLog,
    pub(crate) recorder: Recorder,
    pub(crate) follow: FollowService,
    pub(crate) presence: PresenceService,
    pub(crate) privacy: PrivacyService,
    pub(crate) audit: AuditLog,
    pub(crate) retention: RetentionService,
    pub(crate) retention_worker: Arc<RetentionWorker>,
}

impl Engine {
    /// Begins an engine.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::new()
    }

    pub(crate) fn new(parts: EngineParts) -> Self {
        Self(Arc::new(parts))
    }

    /// A context for trusted work in process; `reason` is audited with whatever it does.
    ///
    /// # Errors
    /// As [`RequestContext::system`].
    pub fn system(&self, scope: Scope, reason: &str) -> Result<RequestContext> {
        RequestContext::system(scope, reason, &**self.0.guard.clock(), self.0.guard.ids())
    }

    /// Threads and messages.
    #[must_use]
    pub fn chat(&self) -> &ChatService {
        &self.0.chat
    }

    /// Canvases: commands, commits, snapshots.
    #[must_use]
    pub fn canvas(&self) -> &CanvasService {
        &self.0.canvas
    }

    /// Dataset events.
    #[must_use]
    pub fn events(&self) -> &EventLog {
        &self.0.events
    }

    /// What tenants say about personal data, and what the PII engine finds.
    #[must_use]
    pub fn privacy(&self) -> &PrivacyService {
        &self.0.privacy
    }

    /// The audit log, for admins.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.0.audit
    }

    /// How long each tenant's data is kept.
    #[must_use]
    pub fn retention(&self) -> &RetentionService {
        &self.0.retention
    }

    /// Applies retention to all tenants now, and removes the tenants whose grace period is over, without waiting for the worker's next pass. For
    /// deployments that schedule it themselves ([`RetentionSettings::every_s`](engines_core::retention::RetentionSettings::every_s) 0).
    ///
    /// # Errors
    /// When scopes cannot be listed; what fails in one scope is logged and counted.
    pub async fn apply_retention(&self) -> Result<RetentionReport> {
        self.0.retention_worker.run_pass().await
    }

    /// Gives freed space back and makes removed content unreadable in the store's files, without waiting for the worker. Returns whether all of it
    /// was done; a long read at the same time can keep it from that.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the store does not answer.
    pub async fn reclaim(&self) -> Result<bool> {
        self.0.retention_worker.reclaim().await
    }

    /// Records dataset events without making anybody wait; see [`Recorder`].
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }

    /// Records one caller's dataset events, each durable when the call returns; see [`StrictRecorder`].
    #[must_use]
    pub fn strict_recorder(&self, context: RequestContext) -> StrictRecorder {
        StrictRecorder::new(self.0.events.clone(), context)
    }

    /// Whose dataset events may be learned from.
    #[must_use]
    pub fn train_prefs(&self) -> &TrainPrefs {
        self.0.events.train_prefs()
    }

    /// Subscriptions to streams.
    #[must_use]
    pub fn follow(&self) -> &FollowService {
        &self.0.follow
    }

    /// Who is here.
    #[must_use]
    pub fn presence(&self) -> &PresenceService {
        &self.0.presence
    }

    /// The door: from a credential to a context.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.0.admission
    }

    /// Users, tenants, sessions, invites, API keys and tickets, which the door asks too; none without a signing secret and a root key, unless there
    /// are users of other issuers, who need neither.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.0.identity.as_ref()
    }

    /// Tenants' third-party secrets; none without a root key or keys that seal.
    #[must_use]
    pub fn key_slots(&self) -> Option<&KeySlots> {
        self.0.key_slots.as_ref()
    }

    /// Issues our own access tokens; none without a signing secret.
    #[must_use]
    pub fn issuer(&self) -> Option<&TokenIssuer> {
        self.0.issuer.as_ref()
    }

    /// Tenants as portable archives: export, import, fork. None for a backend that cannot be archived.
    ///
    /// # Errors
    /// As [`TenantArchives::new`](crate::archive::TenantArchives::new).
    #[cfg(feature = "archive")]
    pub fn tenant_archives(&self) -> Result<Option<crate::archive::TenantArchives>> {
        if self.0.store.archive().is_none() {
            return Ok(None);
        }
        let archives = crate::archive::TenantArchives::new(Arc::clone(&self.0.store), self.0.guard.clone())?;
        Ok(Some(match &self.0.identity {
            Some(identity) => archives.with_identity(identity.clone()),
            None => archives,
        }))
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// What the store was asked since the start, and how long it took.
    #[must_use]
    pub fn store_metrics(&self) -> &Arc<StoreMetrics> {
        &self.0.store_metrics
    }

    /// The store with its outbox side.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.0.backend
    }

    /// Backups of everything.
    #[must_use]
    pub fn backup(&self) -> &BackupService {
        &self.0.backup
    }

    /// What lets calls in: the gate, the clock and the id generator.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// Counts open streams by user, API key and tenant: whoever holds a connection open for a caller enters it here.
    #[must_use]
    pub fn open_streams(&self) -> &OpenStreams {
        &self.0.open_streams
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &Arc<Limits> {
        &self.0.limits
    }

    /// Ends every subscription, so that readers resume elsewhere with their last cursor. Everything else goes on.
    pub fn close_streams(&self) {
        self.0.follow.hub().close();
    }

    /// How each sink is doing, in the order in which they were given.
    #[must_use]
    pub fn sinks(&self) -> Vec<OutboxStatus> {
        self.0.outbox.as_ref().map(OutboxTask::status).unwrap_or_default()
    }

    /// Ends every subscription, records what waits in the recorder, stops bringing events to sinks and what else goes on beside requests, and closes the store that the builder opened; what is asked for later is refused. What was
    /// acknowledged is durable already.
    pub async fn shutdown(&self) {
        self.close_streams();
        self.0.recorder.close().await;
        if let Some(outbox) = &self.0.outbox {
            outbox.stop().await;
        }
        self.0.background.stop().await;
        if let Some(close) = &self.0.close_store {
            close().await;
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("store", &self.0.store).finish_non_exhaustive()
    }
}
