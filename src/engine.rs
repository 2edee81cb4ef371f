//! The engine: all services over one store.

use std::{fmt, sync::Arc};

use engines_auth::{
    Admission, AuthInput, BodyClaims, FieldValues, Identity, TokenIssuer, control::OpenStreams, key_slot::KeySlots,
};
use engines_core::{Guard, Limits, RequestContext, Result, Scope, Store, Trace, nexus::Backend};
use engines_storage::{
    audit_log::AuditLog,
    event_log::{BatchSummary, EventLog, LineResult, TrainPrefs, privacy::PrivacyService},
    metered::StoreMetrics,
    outbox::OutboxStatus,
    retention::RetentionService,
};
use engines_stream::{canvas::CanvasService, chat::ChatService, follow::FollowService, presence::PresenceService};
use futures_util::Stream;

use crate::{
    background_tasks::BackgroundTasks,
    backup::BackupService,
    outbox_task::OutboxTask,
    readiness::{self, ComponentStatus},
    recorder::{Recorder, StrictRecorder, record_lines},
    retention::{RetentionReport, RetentionWorker},
    store_handle::CloseFn,
};

/// All services over one store. Cheap to clone; clones share one engine.
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
    pub(crate) fn new(parts: EngineParts) -> Self {
        Self(Arc::new(parts))
    }

    /// Makes a context for trusted work in process; `reason` is audited with each of its actions.
    ///
    /// # Errors
    /// As [`RequestContext::system`].
    pub fn system(&self, scope: Scope, reason: &str) -> Result<RequestContext> {
        RequestContext::system(scope, reason, &**self.0.guard.clock(), self.0.guard.ids())
    }

    /// The service for threads and messages.
    #[must_use]
    pub fn chat(&self) -> &ChatService {
        &self.0.chat
    }

    /// The service for canvases: commands, commits, snapshots.
    #[must_use]
    pub fn canvas(&self) -> &CanvasService {
        &self.0.canvas
    }

    /// The log of dataset events.
    #[must_use]
    pub fn events(&self) -> &EventLog {
        &self.0.events
    }

    /// The service for privacy policies and redaction.
    #[must_use]
    pub fn privacy(&self) -> &PrivacyService {
        &self.0.privacy
    }

    /// The audit log, for admins.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.0.audit
    }

    /// The service for retention policies.
    #[must_use]
    pub fn retention(&self) -> &RetentionService {
        &self.0.retention
    }

    /// Applies retention to all tenants now, and removes the tenants whose grace period is over, without waiting for
    /// the worker's next pass. It is for deployments with their own schedule
    /// ([`RetentionSettings::every_s`](engines_storage::retention::RetentionSettings::every_s) 0).
    ///
    /// # Errors
    /// When scopes cannot be listed; failures in one scope are logged and counted.
    pub async fn apply_retention(&self) -> Result<RetentionReport> {
        self.0.retention_worker.run_pass().await
    }

    /// Returns freed space and makes removed content unreadable in the store's files, without waiting for the worker.
    /// Returns whether all of it was done; a long concurrent read can prevent that.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the store does not answer.
    pub async fn reclaim(&self) -> Result<bool> {
        self.0.retention_worker.reclaim().await
    }

    /// Records dataset events without making callers wait; see [`Recorder`].
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }

    /// Records one caller's dataset events, each durable when the call returns; see [`StrictRecorder`].
    #[must_use]
    pub fn strict_recorder(&self, context: RequestContext) -> StrictRecorder {
        StrictRecorder::new(self.0.events.clone(), context)
    }

    /// The training preferences of tenants and users.
    #[must_use]
    pub fn train_prefs(&self) -> &TrainPrefs {
        self.0.events.train_prefs()
    }

    /// The service that opens subscriptions to streams.
    #[must_use]
    pub fn follow(&self) -> &FollowService {
        &self.0.follow
    }

    /// The presence service.
    #[must_use]
    pub fn presence(&self) -> &PresenceService {
        &self.0.presence
    }

    /// Authenticates a bearer token and admits it to a tenant and environment, for code that is not an HTTP server.
    ///
    /// An empty `tenant` stands for the default tenant of the token's user. No connection is known, so limits by network
    /// address do not apply.
    ///
    /// ```
    /// use std::time::Duration;
    /// use engines::{Engine, Role, TenantId, UserId, auth::{SigningSecret, TokenRequest}};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let secret = SigningSecret::new("at least thirty-two bytes, kept out of the code")?;
    /// let engine = Engine::builder().memory().signing_secret(secret).build().await?;
    /// let mut request = TokenRequest::new(UserId::new("ada")?, Duration::from_secs(900));
    /// request.memberships.insert(TenantId::new("t_acme")?, Role::Member);
    /// let token = engine.issuer().expect("the builder has a secret").issue(&request)?;
    ///
    /// let context = engine.enter(token.expose(), "t_acme", "dev").await?;
    /// assert_eq!(context.role(), Role::Member);
    /// # engine.shutdown().await;
    /// # Ok::<(), engines::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`Admission::authenticate`] and [`Admission::admit`]: `TENANT_FORBIDDEN` for a tenant that the user is not a
    /// member of, as over HTTP.
    pub async fn enter(&self, token: &str, tenant: &str, env: &str) -> Result<RequestContext> {
        let trace = Trace::begin(&**self.0.guard.clock(), self.0.guard.ids());
        self.enter_with_trace(token, tenant, env, trace).await
    }

    /// Like [`Engine::enter`], for a request that already has a trace.
    ///
    /// # Errors
    /// As [`Engine::enter`].
    pub async fn enter_with_trace(&self, token: &str, tenant: &str, env: &str, trace: Trace) -> Result<RequestContext> {
        let input = AuthInput {
            tenant_headers: Some(tenant).filter(|tenant| !tenant.is_empty()).into_iter().collect(),
            env_headers: FieldValues::one(env),
            trace: Some(trace),
            ..AuthInput::from_token(token)
        };
        let admission = self.admission();
        let principal = admission.authenticate(&input).await?;
        admission.admit(&principal, &input, &BodyClaims::default()).await
    }

    /// Admission: makes a request context from a credential.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.0.admission
    }

    /// Users, tenants, sessions, invites, API keys and tickets; admission uses them too. `None` without a signing
    /// secret and a root key, unless users of other issuers are accepted, who need neither.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.0.identity.as_ref()
    }

    /// Third-party secrets of tenants; `None` without a root key or sealing keys.
    #[must_use]
    pub fn key_slots(&self) -> Option<&KeySlots> {
        self.0.key_slots.as_ref()
    }

    /// Issues the engine's own access tokens; `None` without a signing secret.
    #[must_use]
    pub fn issuer(&self) -> Option<&TokenIssuer> {
        self.0.issuer.as_ref()
    }

    /// Portable archives of tenants: export, import, fork. `None` for a backend that cannot be archived.
    ///
    /// # Errors
    /// As [`TenantArchives::new`](crate::archive::TenantArchives::new).
    #[cfg(feature = "archive")]
    pub fn tenant_archives(&self) -> Result<Option<crate::archive::TenantArchives>> {
        if self.0.store.archive().is_none() {
            return Ok(None);
        }
        let archives = crate::archive::TenantArchives::new(Arc::clone(&self.0.store), self.0.guard.clone())?
            .with_policies(self.0.privacy.policies().clone());
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

    /// Counters and durations of the store's operations since the start.
    #[must_use]
    pub fn store_metrics(&self) -> &Arc<StoreMetrics> {
        &self.0.store_metrics
    }

    /// The store with its outbox.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.0.backend
    }

    /// The backup service.
    #[must_use]
    pub fn backup(&self) -> &BackupService {
        &self.0.backup
    }

    /// The guard of all services: the gate, the rate limiter, the clock and the id generator.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// Counts open streams by user, API key and tenant. A server registers each connection that it holds open for a
    /// caller.
    #[must_use]
    pub fn open_streams(&self) -> &OpenStreams {
        &self.0.open_streams
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &Arc<Limits> {
        &self.0.limits
    }

    /// Ends every subscription, so that readers resume on another node with their last cursor. All other services
    /// continue.
    pub fn close_streams(&self) {
        self.0.follow.hub().close();
    }

    /// Checks whether the engine is ready: it is while each required component works. The store has two seconds to
    /// respond.
    pub async fn readiness(&self) -> Vec<ComponentStatus> {
        readiness::check(&*self.0.store, self.sinks()).await
    }

    /// Records dataset events from JSON lines that arrive over time. Lines are written when a group is full, and when
    /// the next chunk takes more than 5 ms.
    ///
    /// `on_results` gets the results of lines as they become known, in order. If it fails, the batch ends with its
    /// error, as if `chunks` had failed with it. The returned results are those that `on_results` has not got. See
    /// [`EventBatch`](engines_storage::event_log::EventBatch) for keys and for what a batch guarantees.
    ///
    /// # Errors
    /// The errors of [`EventLog::batch`](engines_storage::event_log::EventLog::batch) and of
    /// [`EventBatch::finish`](engines_storage::event_log::EventBatch::finish).
    pub async fn record_lines<C: AsRef<[u8]>>(
        &self,
        context: &RequestContext,
        key: Option<String>,
        chunks: impl Stream<Item = Result<C>> + Unpin,
        on_results: impl FnMut(Vec<LineResult>) -> Result<()>,
    ) -> Result<(Vec<LineResult>, BatchSummary)> {
        record_lines(self.events(), context, key, chunks, on_results).await
    }

    /// The state of each sink, in the order in which they were added.
    #[must_use]
    pub fn sinks(&self) -> Vec<OutboxStatus> {
        self.0.outbox.as_ref().map(OutboxTask::status).unwrap_or_default()
    }

    /// Ends every subscription, records the events that wait in the recorder, stops the outbox and the other background
    /// tasks, and closes the store that the builder opened. Later calls are rejected. Acknowledged writes are durable
    /// already.
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
