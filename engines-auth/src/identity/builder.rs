//! The builder of the identity service, and the services that it gives access to.

use std::{fmt, sync::Arc};

use engines_core::{Error, Guard, Result, Store};
use quick_cache::sync::Cache;

use super::{
    api_key::ApiKeys,
    directory_cache::DirectoryCache,
    email_address::IndexHasher,
    login_limits::LoginLimits,
    mail_queue::MailQueue,
    quota::QuotaTurns,
    records::Records,
    service::Identity,
    settings::IdentitySettings,
    state::{Accounts, IdentityState},
    system_key::SystemKey,
    ticket::Tickets,
};
use crate::{
    auth_failure::AuthFailureSink,
    jwt::TokenIssuer,
    mail::{MailSettings, Mailer},
    password::PasswordHasher,
    rate_limiter::RateLimiter,
    revocation::Revocations,
    secret::SigningSecret,
};

/// API keys whose last use is remembered in memory.
const MAX_LAST_USES: usize = 16_384;

/// Builds an [`Identity`].
pub struct IdentityBuilder {
    store: Arc<dyn Store>,
    guard: Guard,
    accounts: Option<(TokenIssuer, IndexHasher)>,
    settings: IdentitySettings,
    system_key: Option<SystemKey>,
    failure_sink: Option<Arc<dyn AuthFailureSink>>,
    mailer: Option<(Arc<dyn Mailer>, MailSettings)>,
}

impl IdentityBuilder {
    /// Sets the settings.
    #[must_use]
    pub fn settings(self, settings: IdentitySettings) -> Self {
        Self { settings, ..self }
    }

    /// Allows the bootstrap with this key. Without a key the bootstrap is closed.
    #[must_use]
    pub fn system_key(self, key: SystemKey) -> Self {
        Self { system_key: Some(key), ..self }
    }

    /// Sets the sink that records every refused login, refresh, invite and bootstrap.
    #[must_use]
    pub fn failure_sink(self, sink: impl AuthFailureSink + 'static) -> Self {
        Self { failure_sink: Some(Arc::new(sink)), ..self }
    }

    /// Sets the mailer, which enables verification of addresses and password resets by mail. Run
    /// [`Identity::mail_worker`] in a task.
    #[must_use]
    pub fn mailer(self, mailer: Arc<dyn Mailer>, settings: MailSettings) -> Self {
        Self { mailer: Some((mailer, settings)), ..self }
    }

    /// Builds the service. With accounts, it computes one password hash.
    ///
    /// # Errors
    /// When the settings are out of their limits.
    pub fn build(self) -> Result<Identity> {
        let settings = self.settings.validated()?;
        let accounts = self.accounts.map(|(tokens, index)| {
            let hasher = PasswordHasher::new(&settings.password, self.guard.ids().clone())?;
            Ok::<_, Error>(Accounts { tokens, hasher, index })
        });
        let state = IdentityState {
            records: Records::new(self.store)?,
            accounts: accounts.transpose()?,
            cache: DirectoryCache::new(&settings, self.guard.clock()),
            revocations: Revocations::new(settings.revocation_queue),
            guard: self.guard,
            system_key: self.system_key,
            throttle: RateLimiter::new(),
            quota_turns: QuotaTurns::default(),
            login_limits: LoginLimits::new(&settings),
            last_uses: Cache::new(MAX_LAST_USES),
            failure_sink: self.failure_sink,
            mail_queue: self.mailer.map(|(mailer, settings)| MailQueue::new(mailer, settings)).transpose()?,
            settings,
        };
        Ok(Identity { state: Arc::new(state) })
    }
}

impl Identity {
    /// Starts a builder of a service on `store`. `tokens` issues its access tokens. `secret` keys the index by which
    /// e-mail addresses are found. It must stay the same for the lifetime of the store, also when signing keys are
    /// rotated.
    #[must_use]
    pub fn builder(
        store: Arc<dyn Store>,
        guard: Guard,
        tokens: TokenIssuer,
        secret: &SigningSecret,
    ) -> IdentityBuilder {
        let builder = Self::without_accounts(store, guard);
        IdentityBuilder { accounts: Some((tokens, IndexHasher::new(secret))), ..builder }
    }

    /// Starts a builder of a service without accounts. It issues no tokens. Its users come from other issuers and from
    /// tokens minted elsewhere. It has tenants, members, invites by user id, API keys and tickets; signup and login are
    /// `NOT_FOUND`.
    #[must_use]
    pub fn without_accounts(store: Arc<dyn Store>, guard: Guard) -> IdentityBuilder {
        let settings = IdentitySettings::default();
        IdentityBuilder { store, guard, accounts: None, settings, system_key: None, failure_sink: None, mailer: None }
    }

    /// Returns the number of password hashes computed since the start, or `None` without accounts.
    #[must_use]
    pub fn password_hashes(&self) -> Option<u64> {
        self.state.accounts().ok().map(|accounts| accounts.hasher.computed())
    }

    /// Returns the service for API keys.
    #[must_use]
    pub fn api_keys(&self) -> ApiKeys {
        ApiKeys::new(self.clone())
    }

    /// Returns the service for tickets.
    #[must_use]
    pub fn tickets(&self) -> Tickets {
        Tickets::new(self.clone())
    }
}

impl fmt::Debug for IdentityBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
