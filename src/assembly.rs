//! Builds an engine from the parts that its builder collected.

use std::sync::Arc;

use engines_auth::{
    Admission, AdmissionBuilder, Identity, JwtSettings, RootKey, SigningKeys, TokenIssuer, TokenVerifier,
    control::{OpenStreams, RequestLimiter},
    identity::AuthFailureLog,
    oidc::{IssuerSettings, JwksFetch, Oidc},
};
use engines_core::{
    Code, Error, ErrorKind, Guard, IdGenerator, Limits, Result, Store,
    nexus::{Backend, EventSink, Relay},
    pii::{PiiKey, Scrubber},
};
use engines_storage::{
    Metered,
    audit_log::AuditLog,
    event_log::{
        EventLog,
        privacy::{PrivacyPolicies, PrivacyService},
    },
    metered::StoreMetrics,
    outbox::{Outbox, OutboxSettings},
    retention::RetentionService,
};
use engines_stream::{
    canvas::CanvasService, chat::ChatService, follow::FollowService, hub::Hub, presence::PresenceService,
};

use crate::{
    background_tasks::BackgroundTasks,
    builder::{AdmissionStep, EngineBuilder},
    engine::{Engine, EngineParts},
    identity_assembly::IdentityParts,
    outbox_task::OutboxTask,
    recorder::Recorder,
    retention::RetentionWorker,
    store_handle::{CloseFn, OpenStore},
};

const OPERATION: &str = "engine.build";

/// The detail of the error for a builder without a store.
const MISSING_STORE_DETAIL: &str =
    "the builder has no store; call memory(), store() or, with the feature `sqlite`, sqlite() before build()";

impl EngineBuilder {
    /// Builds the engine. It needs a tokio runtime.
    ///
    /// # Errors
    /// `CONFIGURATION_INVALID` when no store is set; otherwise when the store does not open, an issuer's settings would
    /// accept the wrong users, the root key is not the one the store was created with, or the operating system provides
    /// no randomness.
    pub async fn build(mut self) -> Result<Engine> {
        let ids = self.ids.take().map_or_else(IdGenerator::from_os, Ok)?;
        let clock = self.clock;
        let stores = open_store(self.open_store, &ids).await?;
        let (backend, store) = (stores.backend, stores.store);
        let limits = Arc::new(self.limits);
        let open_streams = OpenStreams::new(self.rates.clone());
        let rates = Arc::new(RequestLimiter::new(self.rates, Arc::clone(&clock)));
        let guard = Guard::new(self.gate, clock, ids.clone()).with_rate_limit(rates);

        if self.ephemeral && self.identity.root_key.is_none() {
            self.identity.root_key = Some(RootKey::random(&ids));
        }
        let background = BackgroundTasks::new();
        let root = self.identity.root_key.clone();
        let backup = self.backup.assemble(Arc::clone(&backend), guard.clone(), root, &background)?;
        let policies = privacy_policies(&store, &guard, self.scrubber, &self.identity)?;
        let key_slots = self.identity.key_slots(&store, &guard, &limits)?;
        let signing = self.signing.as_ref().map(|keys| (keys, &self.jwt));
        let assembled = self.identity.assemble(&store, &guard, signing, self.issuers.is_some(), &background)?;
        let (identity, failures) = assembled.map(|made| (made.identity, made.rejections)).unzip();
        let credentials = Credentials { signing: self.signing, jwt: self.jwt, issuers: self.issuers };
        let (admission, issuer) =
            credentials.assemble(&guard, identity.as_ref(), failures, self.admission_steps).await?;

        let outbox = start_outbox(&backend, &guard, self.sinks, &policies, self.outbox)?;
        let events = event_log(&store, &guard, &policies, &limits, outbox.as_ref());
        let streams = Streams::new(&store, &guard, &limits, self.relay);
        let retention = RetentionService::new(Arc::clone(&store), guard.clone(), self.retention);
        let worker = Arc::new(RetentionWorker::new(
            Arc::clone(&backend),
            guard.clone(),
            retention.clone(),
            streams.chat.clone(),
            streams.canvas.clone(),
            identity.clone(),
            outbox.as_ref().map(OutboxTask::handle),
        ));
        background.run_retention(&worker);
        Ok(Engine::new(EngineParts {
            chat: streams.chat,
            canvas: streams.canvas,
            follow: streams.follow,
            presence: streams.presence,
            audit: AuditLog::new(Arc::clone(&store), guard.clone(), Arc::clone(&limits)),
            retention,
            retention_worker: worker,
            recorder: Recorder::start(events.clone(), &self.recorder),
            events,
            privacy: PrivacyService::new(Arc::clone(&store), guard.clone(), policies),
            backend,
            backup,
            close_store: stores.close,
            outbox,
            background,
            identity,
            key_slots,
            store,
            store_metrics: stores.metrics,
            guard,
            open_streams,
            admission,
            issuer,
            limits,
        }))
    }
}

/// The opened store in its two forms, with its counters and the function that closes it.
struct Stores {
    backend: Arc<dyn Backend>,
    store: Arc<dyn Store>,
    metrics: Arc<StoreMetrics>,
    close: Option<CloseFn>,
}

async fn open_store(open: Option<OpenStore>, ids: &IdGenerator) -> Result<Stores> {
    let open = open.ok_or_else(|| Error::new(Code::ConfigurationInvalid, OPERATION, MISSING_STORE_DETAIL))?;
    let (backend, close) = open(ids.clone()).await?;
    let metered = Metered::new(backend);
    let metrics = Arc::clone(metered.metrics());
    let backend: Arc<dyn Backend> = Arc::new(metered);
    let store: Arc<dyn Store> = Arc::<dyn Backend>::clone(&backend);
    Ok(Stores { backend, store, metrics, close })
}

fn privacy_policies(
    store: &Arc<dyn Store>,
    guard: &Guard,
    scrubber: Scrubber,
    identity: &IdentityParts,
) -> Result<PrivacyPolicies> {
    let scrubber = match identity.pseudonym_key()? {
        Some(key) if !scrubber.has_key() => scrubber.with_key(PiiKey::new(*key.expose())),
        _ => scrubber,
    };
    Ok(PrivacyPolicies::new(Arc::clone(store), Arc::clone(guard.clock()), scrubber))
}

/// The kinds of tokens that admission accepts besides those of identity.
struct Credentials {
    signing: Option<SigningKeys>,
    jwt: JwtSettings,
    issuers: Option<(Vec<IssuerSettings>, Arc<dyn JwksFetch>)>,
}

impl Credentials {
    /// Makes admission, and the issuer of tokens if there are keys to sign them with.
    async fn assemble(
        self,
        guard: &Guard,
        identity: Option<&Identity>,
        failures: Option<AuthFailureLog>,
        steps: Vec<AdmissionStep>,
    ) -> Result<(Admission, Option<TokenIssuer>)> {
        let (clock, ids) = (guard.clock(), guard.ids());
        // Ids of requests are in all logs and audit records, so callers cannot put personal data into them.
        let scrubber = Scrubber::default();
        let is_harmless = move |id: &str| scrubber.findings(id).is_ok_and(|findings| findings.is_empty());
        let mut admission = Admission::builder(Arc::clone(clock), ids.clone()).request_ids(is_harmless);
        let mut issuer = None;
        if let Some(keys) = &self.signing {
            let verifier = TokenVerifier::with_keys(keys, self.jwt.clone(), Arc::clone(clock))?;
            admission = admission.authenticator(verifier);
            issuer = Some(TokenIssuer::with_keys(keys, self.jwt, Arc::clone(clock), ids.clone())?);
        }
        if let Some(identity) = identity {
            admission = with_identity(admission, identity).await?;
        }
        if let Some(failures) = failures {
            admission = admission.failure_sink(failures);
        }
        if let (Some((issuers, fetch)), Some(users)) = (self.issuers, identity) {
            let oidc = Oidc::builder(Arc::clone(clock), fetch).users(Arc::new(users.clone()));
            let oidc = issuers.into_iter().fold(oidc, |oidc, issuer| oidc.issuer(issuer)).build()?;
            admission = admission.authenticator(oidc);
        }
        Ok((steps.into_iter().fold(admission, |admission, add| add(admission)).build(), issuer))
    }
}

/// Checks that the root key is the one of the stored accounts, and adds identity to admission.
async fn with_identity(admission: AdmissionBuilder, identity: &Identity) -> Result<AdmissionBuilder> {
    match identity.check_index_key().await {
        Err(error) if error.kind() == ErrorKind::Unavailable => {
            tracing::warn!(%error, "whether the root key is the one these data were begun with cannot be told now");
        }
        checked => checked?,
    }
    let admission = admission.authenticator(identity.api_keys()).authenticator(identity.tickets());
    Ok(admission.directory(identity.clone()))
}

fn start_outbox(
    backend: &Arc<dyn Backend>,
    guard: &Guard,
    sinks: Vec<Arc<dyn EventSink>>,
    policies: &PrivacyPolicies,
    settings: OutboxSettings,
) -> Result<Option<OutboxTask>> {
    if sinks.is_empty() {
        return Ok(None);
    }
    let (clock, ids) = (Arc::clone(guard.clock()), guard.ids().clone());
    let outbox = Outbox::new(Arc::clone(backend), sinks, policies.clone(), clock, ids, settings)?;
    Ok(Some(OutboxTask::start(outbox)))
}

/// Makes the event log, which wakes the outbox after each write.
fn event_log(
    store: &Arc<dyn Store>,
    guard: &Guard,
    policies: &PrivacyPolicies,
    limits: &Arc<Limits>,
    outbox: Option<&OutboxTask>,
) -> EventLog {
    let events = EventLog::new(Arc::clone(store), guard.clone(), policies.clone()).with_limits(Arc::clone(limits));
    match outbox.map(OutboxTask::handle) {
        Some(sinks) => events.on_record(move || sinks.wake()),
        None => events,
    }
}

/// The services of streams.
struct Streams {
    chat: ChatService,
    canvas: CanvasService,
    follow: FollowService,
    presence: PresenceService,
}

impl Streams {
    fn new(store: &Arc<dyn Store>, guard: &Guard, limits: &Arc<Limits>, relay: Arc<dyn Relay>) -> Self {
        let hub = Hub::new(Arc::clone(store), relay, Arc::clone(limits));
        let follow = FollowService::new(Arc::clone(store), guard.clone(), hub.clone());
        Self {
            chat: ChatService::new(Arc::clone(store), guard.clone(), Arc::clone(limits)),
            canvas: CanvasService::builder(Arc::clone(store), guard.clone(), Arc::clone(limits))
                .ephemeral_sink(Arc::new(hub))
                .build(),
            presence: PresenceService::new(follow.clone(), Arc::clone(limits)),
            follow,
        }
    }
}
