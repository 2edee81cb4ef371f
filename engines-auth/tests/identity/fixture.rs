//! Nodes on one store, each with its own admission.

use std::{sync::Arc, time::Duration};

use engines_auth::{
    Admission, AuthInput, BodyClaims, FieldValues, Identity, JwtSettings, SecretText, SigningSecret, TokenIssuer,
    TokenVerifier,
    identity::{
        Caller, IdentitySettings, LoginRequest, MailTokenRequest, RefreshRequest, SignupRequest, SystemKey,
        TokenResponse,
    },
    mail::{MailPurpose, MailSettings, MemoryMailer},
    password::{HashSettings, Password},
};
use engines_core::{
    Clock, Code, Error, Guard, IdGenerator, Principal, RequestContext, Result, Store, TenantId, Trace, UserId,
    gate::AllowAll, testing::ManualClock,
};
use engines_storage::{
    Operation,
    fault_injection::{Fault, Faulty},
};

use crate::backend;

pub(crate) const SECRET: &str = "a secret for tests, at least 32 bytes long";
pub(crate) const SYSTEM_KEY: &[u8] = b"the key of the bootstrap in these tests";
pub(crate) const PASSWORD: &str = "plum-Lantern-77 quiet";

/// A process: its identity service and its admission.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) identity: Identity,
    pub(crate) admission: Admission,
    pub(crate) clock: ManualClock,
    pub(crate) ids: IdGenerator,
    pub(crate) mailer: MemoryMailer,
}

/// The cheapest settings that argon2 accepts.
pub(crate) fn cheap() -> HashSettings {
    HashSettings {
        memory_kib: 8,
        iterations: 1,
        lanes: 1,
        threads: 2,
        queue: 1024,
        queue_per_network: 1024,
        wait_ms: 60_000,
    }
}

pub(crate) fn settings() -> IdentitySettings {
    IdentitySettings { password: cheap(), ..IdentitySettings::default() }
}

pub(crate) fn node_on(store: Arc<dyn Store>, clock: &ManualClock, settings: IdentitySettings) -> Node {
    node_with(store, clock, settings, MailSettings { retry_ms: 1, ..MailSettings::default() }, MemoryMailer::default())
}

pub(crate) fn node_with(
    store: Arc<dyn Store>,
    clock: &ManualClock,
    settings: IdentitySettings,
    mails: MailSettings,
    mailer: MemoryMailer,
) -> Node {
    let ids = IdGenerator::from_os().unwrap();
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let secret = SigningSecret::new(SECRET).unwrap();
    let guard = Guard::new(Arc::new(AllowAll), Arc::clone(&shared), ids.clone());
    let tokens = TokenIssuer::new(&secret, JwtSettings::default(), Arc::clone(&shared), ids.clone()).unwrap();
    let identity = Identity::builder(store, guard, tokens, &secret)
        .settings(settings)
        .system_key(SystemKey::new(SYSTEM_KEY).unwrap())
        .mailer(Arc::new(mailer.clone()), mails)
        .build()
        .unwrap();
    // Some tests have no runtime.
    if let (Ok(runtime), Some(worker)) = (tokio::runtime::Handle::try_current(), identity.mail_worker()) {
        runtime.spawn(worker.run_until(std::future::pending()));
    }
    let admission = Admission::builder(Arc::clone(&shared), ids.clone())
        .authenticator(TokenVerifier::new(&secret, JwtSettings::default(), shared).unwrap())
        .authenticator(identity.api_keys())
        .authenticator(identity.tickets())
        .directory(identity.clone())
        .build();
    Node { identity, admission, clock: clock.clone(), ids, mailer }
}

/// A store that can be made to fail, and two nodes on it.
pub(crate) struct World {
    pub(crate) store: Arc<Faulty<dyn Store>>,
    _kept: backend::Kept,
    pub(crate) a: Node,
    pub(crate) b: Node,
}

pub(crate) fn world_with(settings: IdentitySettings) -> World {
    let clock = ManualClock::default();
    let (inner, kept) = backend::open();
    let store = Arc::new(Faulty::new(inner));
    let node = || node_on(Arc::clone(&store) as Arc<dyn Store>, &clock, settings.clone());
    World { a: node(), b: node(), store, _kept: kept }
}

/// Delays every commit, so that both nodes read before either of them writes.
pub(crate) fn slow_commits(world: &World) {
    world.store.faults().set_for_all(Operation::Commit, Some(Fault::Delayed(Duration::from_millis(5))));
}

pub(crate) fn world() -> World {
    world_with(settings())
}

pub(crate) fn secret(text: &str) -> SecretText {
    SecretText::new(text)
}

pub(crate) fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

pub(crate) fn code<T>(answer: &Result<T>) -> Option<Code> {
    answer.as_ref().err().map(Error::code)
}

pub(crate) fn signup_request(email: &str, tenant_name: Option<&str>) -> SignupRequest {
    SignupRequest {
        email: secret(email),
        password: Password::new(PASSWORD),
        display_name: Some("Somebody".into()),
        tenant_name: tenant_name.map(Into::into),
    }
}

impl Node {
    pub(crate) fn trace(&self) -> Trace {
        Trace::begin(&self.clock, &self.ids)
    }

    pub(crate) async fn signup(&self, email: &str, tenant_name: Option<&str>) -> Result<TokenResponse> {
        let trace = self.trace();
        let caller = Caller { address: None, user_agent: Some("browser"), trace: &trace };
        self.identity.signup(signup_request(email, tenant_name), caller).await
    }

    /// Waits for a mail to an address and returns its token.
    pub(crate) async fn mailed(&self, email: &str, purpose: MailPurpose) -> String {
        for _ in 0..1000 {
            if let Some(token) = self.mailer.token(email, purpose) {
                return token;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no mail for {purpose:?} came");
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<()> {
        let trace = self.trace();
        let caller = Caller { address: None, user_agent: None, trace: &trace };
        self.identity.verify_address(None, MailTokenRequest { token: secret(token) }, caller).await
    }

    /// Signs up, and verifies the address with the mailed token.
    pub(crate) async fn verified(&self, email: &str, tenant_name: Option<&str>) -> TokenResponse {
        let tokens = self.signup(email, tenant_name).await.unwrap();
        self.verify(&self.mailed(email, MailPurpose::Verify).await).await.unwrap();
        tokens
    }

    /// Signs up with a new tenant.
    pub(crate) async fn owner(&self, email: &str) -> (TokenResponse, TenantId) {
        let tokens = self.signup(email, Some("Acme Inc.")).await.unwrap();
        let tenant = tokens.tenant.as_ref().unwrap().tenant_id.clone();
        (tokens, tenant)
    }

    pub(crate) async fn login_from(&self, address: Option<&str>, email: &str, password: &str) -> Result<TokenResponse> {
        let trace = self.trace();
        let caller = Caller { address, user_agent: None, trace: &trace };
        let request = LoginRequest { email: secret(email), password: Password::new(password) };
        self.identity.login(request, caller).await
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Result<TokenResponse> {
        self.login_from(None, email, password).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<TokenResponse> {
        let trace = self.trace();
        let caller = Caller { address: None, user_agent: None, trace: &trace };
        self.identity.refresh(RefreshRequest { refresh_token: secret(token) }, caller).await
    }

    pub(crate) async fn principal(&self, bearer: &str) -> Result<Arc<Principal>> {
        let bearer = format!("Bearer {bearer}");
        self.admission
            .authenticate(&AuthInput { authorization: FieldValues::one(&bearer), ..AuthInput::default() })
            .await
    }

    /// Admits a bearer token to a tenant, in `dev`.
    pub(crate) async fn enter(&self, bearer: &str, tenant: &TenantId) -> Result<RequestContext> {
        self.enter_env(bearer, tenant, "dev").await
    }

    pub(crate) async fn enter_env(&self, bearer: &str, tenant: &TenantId, env: &str) -> Result<RequestContext> {
        let bearer = format!("Bearer {bearer}");
        let presented = AuthInput {
            authorization: FieldValues::one(&bearer),
            tenant_headers: FieldValues::one(tenant.as_str()),
            env_headers: FieldValues::one(env),
            ..AuthInput::default()
        };
        let principal = self.admission.authenticate(&presented).await?;
        self.admission.admit(&principal, &presented, &BodyClaims::default()).await
    }

    /// Admits a ticket on `path`. The request names no tenant, and an environment only if one is given.
    pub(crate) async fn enter_by_ticket(&self, ticket: &str, path: &str, env: Option<&str>) -> Result<RequestContext> {
        let mut presented = AuthInput { ticket: FieldValues::one(ticket), path, ..AuthInput::default() };
        if let Some(env) = env {
            presented.env_queries = FieldValues::one(env);
        }
        self.enter_as(presented).await
    }

    /// Admits an input.
    pub(crate) async fn enter_as(&self, presented: AuthInput<'_>) -> Result<RequestContext> {
        let principal = self.admission.authenticate(&presented).await?;
        self.admission.admit(&principal, &presented, &BodyClaims::default()).await
    }
}

pub(crate) trait Exposed {
    fn access(&self) -> &str;
    fn next(&self) -> &str;
}

impl Exposed for TokenResponse {
    fn access(&self) -> &str {
        self.access_token.expose()
    }

    fn next(&self) -> &str {
        self.refresh_token.expose()
    }
}
