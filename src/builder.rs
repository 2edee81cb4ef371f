//! The builder of an engine.

use std::{fmt, future::Future, path::PathBuf, sync::Arc};

use engines_auth::{
    AdmissionBuilder, Authenticator, Directory, JwtSettings, Passphrase, RootKey, SigningKey, SigningKeys,
    SigningSecret,
    control::RateSettings,
    identity::{AuthFailureSettings, IdentitySettings, SystemKey},
    key_slot::SealKeys,
    mail::{MailSettings, Mailer},
    oidc::{IssuerSettings, JwksFetch},
};
use engines_core::{
    Clock, IdGenerator, Limits, Result, SystemClock,
    gate::{AllowAll, Gate},
    nexus::{Backend, BackupSource, EventSink, Relay},
    pii::Scrubber,
};
use engines_storage::{MemoryStore, outbox::OutboxSettings, retention::RetentionSettings};
use engines_stream::relay::LocalRelay;

use crate::{
    backup::{BackupParts, BackupSettings},
    engine::Engine,
    identity_assembly::IdentityParts,
    recorder::RecorderSettings,
    store_handle::{OpenStore, StoreHandle},
};

/// Adds a part to admission.
pub(crate) type AdmissionStep = Box<dyn FnOnce(AdmissionBuilder) -> AdmissionBuilder + Send>;

/// The parts of an [`Engine`]. Every part except the store has a default.
#[must_use]
pub struct EngineBuilder {
    pub(crate) open_store: Option<OpenStore>,
    /// The store's data ends with the process, so the keys may too.
    pub(crate) ephemeral: bool,
    pub(crate) signing: Option<SigningKeys>,
    pub(crate) identity: IdentityParts,
    pub(crate) jwt: JwtSettings,
    pub(crate) issuers: Option<(Vec<IssuerSettings>, Arc<dyn JwksFetch>)>,
    pub(crate) admission_steps: Vec<AdmissionStep>,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) relay: Arc<dyn Relay>,
    pub(crate) scrubber: Scrubber,
    pub(crate) sinks: Vec<Arc<dyn EventSink>>,
    pub(crate) outbox: OutboxSettings,
    pub(crate) recorder: RecorderSettings,
    pub(crate) retention: RetentionSettings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Option<IdGenerator>,
    pub(crate) limits: Limits,
    pub(crate) backup: BackupParts,
    pub(crate) rates: RateSettings,
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
        self.admission_steps.push(Box::new(|admission| admission.authenticator(authenticator)));
        self
    }

    /// Sets the authority on memberships, instead of [`Engine::identity`]. Without either, the verified claims of the
    /// credential count.
    pub fn directory(mut self, directory: impl Directory + 'static) -> Self {
        self.admission_steps.push(Box::new(|admission| admission.directory(directory)));
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
    /// derived from the scrubber's key, or from the root key if the scrubber has none.
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

    /// Sets where backups go, when they are made and how long they are kept. Without a schedule they are made only by
    /// [`BackupService::create`](crate::backup::BackupService::create).
    pub fn backups(mut self, settings: BackupSettings) -> Self {
        self.backup.settings = settings;
        self
    }

    /// Seals the root key into each backup under this passphrase. Without one, backups do not contain the root key, and
    /// it must be kept separately.
    pub fn backup_passphrase(mut self, passphrase: Passphrase) -> Self {
        self.backup.passphrase = Some(passphrase);
        self
    }

    /// Adds data that is kept beside the store to each backup; may be called for several sources.
    pub fn backup_source(mut self, source: Arc<dyn BackupSource>) -> Self {
        self.backup.sources.push(source);
        self
    }

    /// Sets a local folder with room for a copy of the store, for copies on their way to a bucket. The default is the
    /// system's folder for temporary files. No other process may use the folder for the same purpose.
    pub fn backup_work_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.backup.work_folder = Some(folder.into());
        self
    }
}

impl Engine {
    /// Makes a builder.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::new()
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}
