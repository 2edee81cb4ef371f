//! Putting an engine together.

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
    Clock, Error, ErrorKind, Guard, IdGenerator, Limits, Result, Store, SystemClock,
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

/// What opening a store gives: the store, and how it is closed.
pub(crate) type StoreHandle = (Arc<dyn Backend>, Option<CloseFn>);
pub(crate) type CloseFn = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;
type OpenFuture = Pin<Box<dyn Future<Output = Result<StoreHandle>> + Send>>;

/// What an [`Engine`] is made of. Every part but the store has a default.
#[must_use]
pub struct EngineBuilder {
    open_store: Option<Box<dyn FnOnce(IdGenerator) -> OpenFuture + Send>>,
    /// Nothing survives the process, so that its keys need not either.
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

    /// Keeps everything in a store of one's own.
    pub fn store(self, store: Arc<dyn Backend>) -> Self {
        self.open_with(|_| async { Ok((store, None)) })
    }

    /// Keeps everything in memory; nothing survives the process.
    pub fn memory(self) -> Self {
        let memory = |ids| async move { Ok((Arc::new(MemoryStore::new(&ids)) as Arc<dyn Backend>, None)) };
        Self { ephemeral: true, ..self.open_with(memory) }
    }

    /// The last store that was named counts.
    pub(crate) fn open_with<F>(mut self, open: impl FnOnce(IdGenerator) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<StoreHandle>> + Send + 'static,
    {
        self.ephemeral = false;
        self.open_store = Some(Box::new(|ids| Box::pin(open(ids))));
        self
    }

    /// The secret of our own access tokens. Without it the engine issues none and accepts none.
    pub fn signing_secret(self, secret: SigningSecret) -> Self {
        self.signing_keys(SigningKeys::new(SigningKey::unnamed(secret)))
    }

    /// The same with names, and with keys before it that still verify: how one is replaced while the engine runs.
    pub fn signing_keys(mut self, keys: SigningKeys) -> Self {
        self.signing = Some(keys);
        self
    }

    /// The secret that stays the same for as long as the store does: with it and a signing secret the engine keeps users, tenants and keys of
    /// its own (see [`Engine::identity`]), and with it alone key slots. [`Builder::memory`] needs none.
    pub fn root_key(mut self, key: RootKey) -> Self {
        self.identity.root_key = Some(key);
        self
    }

    /// The secret users are found with by their e-mail addresses, instead of one made from the root key.
    pub fn index_secret(mut self, secret: SigningSecret) -> Self {
        self.identity.index_secret = Some(secret);
        self
    }

    /// The keys that seal key slots. One made from the root key still opens what it sealed.
    pub fn seal_keys(mut self, keys: SealKeys) -> Self {
        self.identity.seal_keys = Some(keys);
        self
    }

    /// Opens the bootstrap of the control plane's tenants to whoever has this key.
    pub fn system_key(mut self, key: SystemKey) -> Self {
        self.identity.system_key = Some(key);
        self
    }

    /// Who may sign up, how long sessions last, how often one may try.
    pub fn identity(mut self, settings: IdentitySettings) -> Self {
        self.identity.settings = settings;
        self
    }

    /// Sends mails about accounts: verification of addresses, password resets, invites. Without a mailer addresses stay unverified until an
    /// operator marks them, and nobody resets a forgotten password.
    pub fn mailer(mut self, mailer: impl Mailer + 'static, settings: MailSettings) -> Self {
        self.identity.mailer = Some((Arc::new(mailer), settings));
        self
    }

    /// How many refused attempts are written down.
    pub fn rejections(mut self, settings: AuthFailureSettings) -> Self {
        self.identity.rejections = settings;
        self
    }

    /// Issuer, audience and leeway of our own access tokens.
    pub fn jwt(mut self, settings: JwtSettings) -> Self {
        self.jwt = settings;
        self
    }

    /// Lets the users of other issuers in (OpenID Connect, such as AWS Cognito), whose keys are got through `fetch`. They become users of
    /// [`Engine::identity`], which is there for them also without a signing secret; whom no rule gives a tenant gets one of their own.
    pub fn oidc(mut self, issuers: Vec<IssuerSettings>, fetch: impl JwksFetch + 'static) -> Self {
        self.issuers = Some((issuers, Arc::new(fetch)));
        self
    }

    /// Another kind of credential, asked after our own tokens.
    pub fn authenticator(mut self, authenticator: impl Authenticator + 'static) -> Self {
        self.admission_steps.push(Box::new(|door| door.authenticator(authenticator)));
        self
    }

    /// Who has the last word on memberships, instead of [`Engine::identity`]; without either, verified claims count.
    pub fn directory(mut self, directory: impl Directory + 'static) -> Self {
        self.admission_steps.push(Box::new(|door| door.directory(directory)));
        self
    }

    /// What every service asks before it acts, besides the role. The default allows.
    pub fn gate(mut self, gate: impl Gate + 'static) -> Self {
        self.gate = Arc::new(gate);
        self
    }

    /// What carries gestures and presence to other nodes. The default stays in this process.
    pub fn relay(mut self, relay: impl Relay + 'static) -> Self {
        self.relay = Arc::new(relay);
        self
    }

    /// What removes personal data from dataset events. The default finds what the library knows.
    ///
    /// Its policy is followed by tenants that have set none, and its lists by all. Each tenant's key for pseudonyms is made from its key, or
    /// from the root key if it has none.
    pub fn scrubber(mut self, scrubber: Scrubber) -> Self {
        self.scrubber = scrubber;
        self
    }

    /// Where scrubbed events go besides the store, at least once; may be called for several.
    pub fn sink(mut self, sink: impl EventSink + 'static) -> Self {
        self.sinks.push(Arc::new(sink));
        self
    }

    /// How eagerly events are brought to sinks.
    pub fn outbox(mut self, settings: OutboxSettings) -> Self {
        self.outbox = settings;
        self
    }

    /// How much [`Engine::recorder`] holds.
    pub fn recorder(mut self, settings: RecorderSettings) -> Self {
        self.recorder = settings;
        self
    }

    /// How long data is kept where a tenant has no policy, and how eagerly what is older is removed.
    pub fn retention(mut self, settings: RetentionSettings) -> Self {
        self.retention = settings;
        self
    }

    /// Where "now" comes from. The default is the machine's clock.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where ids and random bytes come from. The default is seeded by the operating system.
    pub fn ids(mut self, ids: IdGenerator) -> Self {
        self.ids = Some(ids);
        self
    }

    /// Other limits than the wire contract's.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Other limits for how often callers may do what and how many streams they may hold open. Every service keeps to them, for calls with
    /// a credential; trusted work in process is not limited.
    pub fn rates(mut self, rates: RateSettings) -> Self {
        self.rates = rates;
        self
    }

    /// The engine. Needs a tokio runtime.
    ///
    /// # Errors
    /// When no store was named, the store does not open, an issuer's settings would let the wrong ones in, the
    /// root key is not the one the store was begun with, or the operating system has no randomness to give.
    pub async fn build(mut self) -> Result<Engine> {
        let ids = self.ids.map_or_else(IdGenerator::from_os, Ok)?;
        let clock = self.clock;
        let open = self
            .open_store
            .ok_or_else(|| Error::internal("engine.build", "no store was named: call memory(), sqlite() or store()"))?;
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
