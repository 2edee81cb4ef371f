//! The builder of an engine.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use engines_auth::{
    Admission, AdmissionBuilder, Authenticator, Directory, JwtSettings, RootKey, SigningKey, SigningKeys,
    SigningSecret, TokenIssuer, TokenVerifier,
    control::{OpenStreams, RateSettings, Rates},
    identity::{AuthFailureSettings, IdentitySettings, SystemKey},
    key_slot::SealKeys,
    mail::{MailSettings, Mailer},
    oidc::{IssuerSettings, JwksFetch, Oidc},
};
use engines_core::{
    Clock, Code, Error, ErrorKind, Guard, IdGenerator, Limits, Result, Store, SystemClock,
    audit::AuditLog,
    event::EventLog,
    gate::{AllowAll, Gate},
    nexus::{Backend, EventSink, Relay},
    pii::{PiiKey, Scrubber},
    privacy::{PrivacyPolicies, PrivacyService},
    retention::{RetentionService, RetentionSettings},
};
use engines_storage::{
    MemoryStore, Metered,
    outbox::{Outbox, OutboxSettings},
};
use engines_stream::{
    canvas::CanvasService, chat::ChatService, follow::FollowService, hub::Hub, presence::PresenceService,
    relay::LocalRelay,
};

use crate::{
    background_tasks::BackgroundTasks,
    backup::BackupParts,
    engine::{Engine, EngineParts},
    identity_assembly::IdentityParts,
    outbox_task::OutboxTask,
    recorder::{Recorder, RecorderSettings},
    retention::RetentionWorker,
};

/// The detail of the error for a builder without a store.
const MISSING_STORE_DETAIL: &str =
    "the builder has no store; call memory(), store() or, with the feature `sqlite`, sqlite() before build()";

/// An opened store, and the function that closes it.
pub(crate) type StoreHandle = (Arc<dyn Backend>, Option<CloseFn>);
pub(crate) type CloseFn = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;
type OpenFuture = Pin<Box<dyn Future<Output = Result<StoreHandle>> + Send>>;

/// The parts of an [`Engine`]. Every part except the store has a default.
#[must_use]
pub struct EngineBuilder {
    open_store: Option<Box<dyn FnOnce(IdGenerator) -> OpenFuture + Send>>,
    /// The store's data ends with the process, so the keys may too.
    ephemeral: bool,
    signing: Option<SigningKeys>,
    identity: IdentityParts,
    jwt: JwtSettings,
    issuers: Option<(Vec<IssuerSettings>, Arc<dyn JwksFetch>)>,
    admission_steps: Vec<Box<dyn FnOnce(AdmissionBuilder) -> AdmissionBuilder + Send>>,
    gate: Arc<dyn Gate>,
    relay: Arc<dyn Relay>,
    scrubber: Scrubber,
    sinks: Vec<Arc<dyn EventSink>>,
    outbox: OutboxSettings,
    recorder: RecorderSettings,
    retention: RetentionSettings,
    clock: Arc<dyn Clock>,
    ids: Option<IdGenerator>,
    limits: Limits,
    pub(crate) backup: BackupParts,
    rates: RateSettings,
}

impl EngineBuilder {
    pub(crate) fn new() -> Self {
        Self {
            open_store: None,
            ephemeral: false,
            signing: None,
            identity: IdentityParts::default(),
            jwt: JwtSettings::default(),
            issuers: None,
            admission_steps: Vec::new(),
            gate: Arc::new(AllowAll),
            relay: Arc::new(LocalRelay::default()),
            scrubber: Scrubber::default(),
            sinks: Vec::new(),
            outbox: OutboxSettings::default(),
            recorder: RecorderSettings::default(),
            retention: RetentionSettings::default(),
            clock: Arc::new(SystemClock),
            ids: None,
            limits: Limits::default(),
            backup: BackupParts::default(),
            rates: RateSettings::default(),
        }
    }

    /// Stores all data in a custom store.
    pub fn store(self, store: Arc<dyn Backend>) -> Self {
        self.open_with(|_| async { Ok((store, None)) })
    }

    /// Stores all data in memory; it is lost when the process ends.
    pub fn memory(self) -> Self {
        let memory = |ids| async move { Ok((Arc::new(MemoryStore::new(&ids)) as Arc<dyn Backend>, None)) };
        Self { ephemeral: true, ..self.open_with(memory) }
    }

    /// Sets how the store is opened. It replaces a store that was set before.
    pub(crate) fn open_with<F>(mut self, open: impl FnOnce(IdGenerator) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<StoreHandle>> + Send + 'static,
    {
        self.ephemeral = false;
        self.open_store = Some(Box::new(|ids| Box::pin(open(ids))));
        self
    }

    /// Sets the secret of the engine's own access tokens. Without it the engine issues none and accepts none.
    pub fn signing_secret(self, secret: SigningSecret) -> Self {
        self.signing_keys(SigningKeys::new(SigningKey::unnamed(secret)))
    }

    /// As [`EngineBuilder::signing_secret`], with named keys and with earlier keys that still verify, so that a key can
    /// be replaced while the engine runs.
    pub fn signing_keys(mut self, keys: SigningKeys) -> Self {
        self.signing = Some(keys);
        self
    }

    /// Sets the root key, which must stay the same for as long as the store exists. With it and a signing secret the
    /// engine keeps its own users, tenants and keys (see [`Engine::identity`]), and with it alone key slots.
    /// [`EngineBuilder::memory`] needs none.
    pub fn root_key(mut self, key: RootKey) -> Self {
        self.identity.root_key = Some(key);
        self
    }

    /// Sets the secret with which users are looked up by e-mail address. By default it is derived from the root key.
    pub fn index_secret(mut self, secret: SigningSecret) -> Self {
        self.identity.index_secret = Some(secret);
        self
    }

    /// Sets the keys that seal key slots. A key derived from the root key still opens what it sealed.
    pub fn seal_keys(mut self, keys: SealKeys) -> Self {
        self.identity.seal_keys = Some(keys);
        self
    }

    /// Allows callers with this key to create the tenants that every deployment has, such as `t_system`.
    pub fn system_key(mut self, key: SystemKey) -> Self {
        self.identity.system_key = Some(key);
        self
    }

    /// Sets who may sign up, how long sessions last and how many attempts are allowed.
    pub fn identity(mut self, settings: IdentitySettings) -> Self {
        self.identity.settings = settings;
        self
    }

    /// Sends mails about accounts: verification of addresses, password resets, invites. Without a mailer, addresses
    /// stay unverified until an operator marks them, and forgotten passwords cannot be reset.
    pub fn mailer(mut self, mailer: impl Mailer + 'static, settings: MailSettings) -> Self {
        self.identity.mailer = Some((Arc::new(mailer), settings));
        self
    }

    /// Sets how many failed authentication attempts are recorded.
    pub fn rejections(mut self, settings: AuthFailureSettings) -> Self {
        self.identity.rejections = settings;
        self
    }

    /// Sets the issuer, audience and leeway of the engine's own access tokens.
    pub fn jwt(mut self, settings: JwtSettings) -> Self {
        self.jwt = settings;
        self
    }

    /// Accepts users of other issuers (OpenID Connect, such as AWS Cognito), whose keys are fetched through `fetch`.
    /// They become users of [`Engine::identity`], which exists for them even without a signing secret. A user to whom
    /// no rule gives a tenant gets a new one.
    pub fn oidc(mut self, issuers: Vec<IssuerSettings>, fetch: impl JwksFetch + 'static) -> Self {
        self.issuers = Some((issuers, Arc::new(fetch)));
        self
    }

    /// Accepts another kind of credential, which is tried after the engine's own tokens.
    pub fn authenticator(mut self, authenticator: impl Authenticator + 'static) -> Self {
        self.admission_steps.push(Box::new(|door| door.authenticator(authenticator)));
        self
    }

    /// Sets the authority on memberships, instead of [`Engine::identity`]. Without either, the verified claims of the
    /// credential count.
    pub fn directory(mut self, directory: impl Directory + 'static) -> Self {
        self.admission_steps.push(Box::new(|door| door.directory(directory)));
        self
    }

    /// Sets the gate, which every service asks in addition to the role. The default allows everything.
    pub fn gate(mut self, gate: impl Gate + 'static) -> Self {
        self.gate = Arc::new(gate);
        self
    }

    /// Sets the relay, which carries gestures and presence to other nodes. The default stays within this process.
    pub fn relay(mut self, relay: impl Relay + 'static) -> Self {
        self.relay = Arc::new(relay);
        self
    }

    /// Sets the scrubber, which removes personal data from dataset events. The default finds the built-in entities.
    ///
    /// Its policy applies to tenants that have set none, and its lists to all. Each tenant's key for pseudonyms is
    /// derived from its key, or from the root key if it has none.
    pub fn scrubber(mut self, scrubber: Scrubber) -> Self {
        self.scrubber = scrubber;
        self
    }

    /// Adds a destination for scrubbed events, which gets each event at least once; may be called for several sinks.
    pub fn sink(mut self, sink: impl EventSink + 'static) -> Self {
        self.sinks.push(Arc::new(sink));
        self
    }

    /// Sets how events are delivered to sinks.
    pub fn outbox(mut self, settings: OutboxSettings) -> Self {
        self.outbox = settings;
        self
    }

    /// Sets the limits of [`Engine::recorder`].
    pub fn recorder(mut self, settings: RecorderSettings) -> Self {
        self.recorder = settings;
        self
    }

    /// Sets how long data is kept where a tenant has no policy, and how fast older data is removed.
    pub fn retention(mut self, settings: RetentionSettings) -> Self {
        self.retention = settings;
        self
    }

    /// Sets the source of the current time. The default is the system clock.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets the source of ids and random bytes. The default is seeded by the operating system.
    pub fn ids(mut self, ids: IdGenerator) -> Self {
        self.ids = Some(ids);
        self
    }

    /// Sets other limits than those of the wire contract.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets other rate limits and limits of open streams. Every service enforces them for calls with a credential;
    /// trusted work in process is not limited.
    pub fn rates(mut self, rates: RateSettings) -> Self {
        self.rates = rates;
        self
    }

    /// Builds the engine. It needs a tokio runtime.
    ///
    /// # Errors
    /// `INTERNAL` when no store is set; otherwise when the store does not open, an issuer's settings would accept the
    /// wrong users, the root key is not the one the store was created with, or the operating system provides no
    /// randomness.
    pub async fn build(mut self) -> Result<Engine> {
        let ids = self.ids.map_or_else(IdGenerator::from_os, Ok)?;
        let clock = self.clock;
        let open = self.open_store.ok_or_else(|| Error::new(Code::Internal, "engine.build", MISSING_STORE_DETAIL))?;
        let (backend, close) = open(ids.clone()).await?;
        let metered = Metered::new(backend);
        let store_metrics = Arc::clone(metered.metrics());
        let backend: Arc<dyn Backend> = Arc::new(metered);
        let store: Arc<dyn Store> = Arc::<dyn Backend>::clone(&backend);
        let limits = Arc::new(self.limits);
        let open_streams = OpenStreams::new(self.rates.clone());
        let rates = Arc::new(Rates::new(self.rates, Arc::clone(&clock)));
        let guard = Guard::new(self.gate, Arc::clone(&clock), ids.clone()).with_rate_limit(rates);

        if self.ephemeral && self.identity.root_key.is_none() {
            self.identity.root_key = Some(RootKey::random(&ids));
        }
        let background = BackgroundTasks::new();
        let root = self.identity.root_key.clone();
        let backup = self.backup.assemble(Arc::clone(&backend), guard.clone(), root, &background)?;
        let scrubber = match self.identity.pseudonym_key()? {
            Some(key) if !self.scrubber.has_key() => self.scrubber.with_key(PiiKey::new(*key.expose())),
            _ => self.scrubber,
        };
        let policies = PrivacyPolicies::new(Arc::clone(&store), Arc::clone(&clock), scrubber);
        let key_slots = self.identity.key_slots(&store, &guard, &limits)?;
        let signing = self.signing.as_ref().map(|keys| (keys, &self.jwt));
        let assembled = self.identity.assemble(&store, &guard, signing, self.issuers.is_some(), &background)?;

        let mut door = Admission::builder(Arc::clone(&clock), ids.clone());
        let mut issuer = None;
        if let Some(keys) = &self.signing {
            door = door.authenticator(TokenVerifier::with_keys(keys, self.jwt.clone(), Arc::clone(&clock))?);
            issuer = Some(TokenIssuer::with_keys(keys, self.jwt, Arc::clone(&clock), ids.clone())?);
        }
        let mut identity = None;
        if let Some(assembled) = assembled {
            let ours = assembled.identity;
            match ours.check_index_key().await {
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    tracing::warn!(%error, "whether the root key is the one these data were begun with cannot be told now");
                }
                checked => checked?,
            }
            door = door.authenticator(ours.api_keys()).authenticator(ours.tickets());
            door = door.directory(ours.clone()).failure_sink(assembled.rejections);
            identity = Some(ours);
        }
        if let (Some((issuers, fetch)), Some(users)) = (self.issuers, &identity) {
            let oidc = Oidc::builder(Arc::clone(&clock), fetch).users(Arc::new(users.clone()));
            door = door.authenticator(issuers.into_iter().fold(oidc, |oidc, issuer| oidc.issuer(issuer)).build()?);
        }
        let door = self.admission_steps.into_iter().fold(door, |door, add| add(door)).build();

        let outbox = if self.sinks.is_empty() {
            None
        } else {
            let store = Arc::clone(&backend);
            Some(OutboxTask::start(Outbox::new(store, self.sinks, policies.clone(), clock, ids, self.outbox)?))
        };

        let events =
            EventLog::new(Arc::clone(&store), guard.clone(), policies.clone()).with_limits(Arc::clone(&limits));
        let events = match outbox.as_ref().map(OutboxTask::handle) {
            Some(sinks) => events.on_record(move || sinks.wake()),
            None => events,
        };

        let hub = Hub::new(Arc::clone(&store), self.relay, Arc::clone(&limits));
        let follow = FollowService::new(Arc::clone(&store), guard.clone(), hub.clone());
        let chat = ChatService::new(Arc::clone(&store), guard.clone(), Arc::clone(&limits));
        let canvas = CanvasService::builder(Arc::clone(&store), guard.clone(), Arc::clone(&limits))
            .ephemeral_sink(Arc::new(hub.clone()))
            .build();
        let retention = RetentionService::new(Arc::clone(&store), guard.clone(), self.retention);
        let worker = Arc::new(RetentionWorker {
            backend: Arc::clone(&backend),
            guard: guard.clone(),
            retention: retention.clone(),
            chat: chat.clone(),
            canvas: canvas.clone(),
            identity: identity.clone(),
            outbox: outbox.as_ref().map(OutboxTask::handle),
            pass_lock: tokio::sync::Mutex::default(),
        });
        background.run_retention(&worker);
        Ok(Engine::new(EngineParts {
            chat,
            audit: AuditLog::new(Arc::clone(&store), guard.clone(), Arc::clone(&limits)),
            retention,
            retention_worker: worker,
            recorder: Recorder::start(events.clone(), &self.recorder),
            events,
            privacy: PrivacyService::new(Arc::clone(&store), guard.clone(), policies),
            presence: PresenceService::new(follow.clone(), Arc::clone(&limits)),
            follow,
            canvas,
            backend,
            backup,
            close_store: close,
            outbox,
            background,
            identity,
            key_slots,
            store,
            store_metrics,
            guard,
            open_streams,
            admission: door,
            issuer,
            limits,
        }))
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("limits", &self.limits).finish_non_exhaustive()
    }
}
