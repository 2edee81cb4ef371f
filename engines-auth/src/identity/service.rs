//! The identity service and its builder.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use engines_core::{
    Action, Actor, ActorType, Code, Error, Guard, RequestContext, Result, Store, TenantId, Timestamp, Trace, UserId,
    audit::{AuditEntry, AuditOutcome},
    gate::Permit,
};
use quick_cache::sync::Cache;
use ulid::Ulid;

use super::{
    directory_cache::DirectoryCache,
    email_address::IndexHasher,
    login_limits::LoginLimits,
    mail_queue::MailQueue,
    quota::QuotaTurns,
    rate_limiter::{Rate, RateLimiter},
    records::Records,
    settings::IdentitySettings,
    system_key::SystemKey,
    wire::Caller,
};
use crate::{
    api_key::ApiKeys,
    auth_failure::{AuthFailure, AuthFailureSink},
    client_network::{ClientNetwork, NETWORKS_PER_SITE},
    jwt::TokenIssuer,
    mail::{MailSettings, Mailer},
    password::PasswordHasher,
    revocation::Revocations,
    secret::SigningSecret,
    ticket::Tickets,
};

/// API keys whose last use is remembered in memory.
const MAX_LAST_USES: usize = 16_384;

/// The identity service: users, tenants, memberships, sessions and invites on any store. Cheap to clone.
///
/// It is also the [`Directory`](crate::Directory) of admission. Its methods follow the routes in section 2 of the wire
/// contract. `docs/identity.md` describes the concepts.
#[derive(Clone)]
pub struct Identity {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) records: Records,
    pub(crate) guard: Guard,
    pub(crate) settings: IdentitySettings,
    accounts: Option<Accounts>,
    pub(crate) system_key: Option<SystemKey>,
    pub(crate) throttle: RateLimiter,
    pub(crate) quota_turns: QuotaTurns,
    pub(super) login_limits: LoginLimits,
    pub(crate) cache: DirectoryCache,
    pub(crate) last_uses: Cache<Ulid, Timestamp>,
    pub(crate) revocations: Revocations,
    pub(crate) failure_sink: Option<Arc<dyn AuthFailureSink>>,
    pub(crate) mail_queue: Option<MailQueue>,
}

/// What the service needs to keep accounts, in addition to users of other issuers.
pub(crate) struct Accounts {
    pub(crate) tokens: TokenIssuer,
    pub(crate) hasher: PasswordHasher,
    pub(crate) index: IndexHasher,
}

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
    pub fn failure_sink(self, rejections: impl AuthFailureSink + 'static) -> Self {
        Self { failure_sink: Some(Arc::new(rejections)), ..self }
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
        let inner = Inner {
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
        Ok(Identity { inner: Arc::new(inner) })
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
        self.inner.accounts().ok().map(|accounts| accounts.hasher.computed())
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

impl Inner {
    /// Returns what is needed to keep accounts.
    ///
    /// # Errors
    /// `NOT_FOUND` in a service without accounts.
    pub(crate) fn accounts(&self) -> Result<&Accounts> {
        let none = || Error::new(Code::NotFound, "accounts", "no accounts are made here; log in with your issuer");
        self.accounts.as_ref().ok_or_else(none)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.guard.clock().now()
    }

    /// Creates a refusal by a rule, with a `decision_id`.
    pub(crate) fn refusal(&self, code: Code, operation: &'static str, detail: impl Into<Cow<'static, str>>) -> Error {
        self.with_decision_id(Error::new(code, operation, detail))
    }

    pub(crate) fn with_decision_id(&self, error: Error) -> Error {
        error.with_member("decision_id", self.guard.ids().ulid(self.now()).to_string())
    }

    /// Counts a try from the caller's address.
    pub(crate) fn charge_address(&self, caller: &Caller<'_>) -> Result<()> {
        let Some(address) = caller.address else { return Ok(()) };
        let (now, rate) = (self.now(), self.settings.per_address);
        let taken = self.throttle.take("address", &rate_limit_key(address), rate, now).and_then(|()| {
            let Some(site) = site_key(address) else { return Ok(()) };
            let taken = self.throttle.take("site", &site, site_rate(rate), now);
            taken.inspect_err(|_| self.throttle.refund("address", &rate_limit_key(address), rate))
        });
        taken.map_err(|error| self.with_decision_id(error))
    }

    /// Returns a try of the caller's address, because it was legitimate.
    pub(crate) fn refund_address(&self, caller: &Caller<'_>) {
        if let Some(address) = caller.address {
            let rate = self.settings.per_address;
            self.throttle.refund("address", &rate_limit_key(address), rate);
            if let Some(site) = site_key(address) {
                self.throttle.refund("site", &site, site_rate(rate));
            }
        }
    }

    /// Passes an error to the sink, if it is a refusal.
    pub(crate) fn record_failure(&self, action: &'static str, error: &Error, who: Option<&str>, caller: &Caller<'_>) {
        let Some(rejections) = &self.failure_sink else { return };
        if let Some(attempt) = AuthFailure::new(action, error) {
            rejections.record(&attempt.with_actor(who).with_origin(caller.address, Some(caller.trace)));
        }
    }

    /// Creates an audit record of an action by a user outside of any tenant.
    pub(crate) fn audit(
        &self,
        now: Timestamp,
        action: &'static str,
        resource: String,
        user: &UserId,
        trace: &Trace,
    ) -> AuditEntry {
        AuditEntry {
            audit_id: self.guard.ids().ulid(now),
            ts: now,
            action: Cow::Borrowed(action),
            resource,
            outcome: AuditOutcome::Done,
            actor: Actor { id: user.clone(), kind: ActorType::Human },
            request_id: Arc::clone(&trace.request_id),
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            reason: None,
        }
    }

    /// Authorizes a call about `tenant`, which must be the tenant of the context.
    pub(crate) async fn authorize(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        action: Action,
        resource: &str,
    ) -> Result<Permit> {
        if context.scope().tenant() != tenant {
            return Err(Error::not_found(action.spec().name, "tenant"));
        }
        self.guard.admit(context, action, resource).await
    }

    /// Like [`Inner::authorize`], for a call that ends something.
    pub(crate) fn authorize_release(
        &self,
        context: &RequestContext,
        tenant: &TenantId,
        action: Action,
    ) -> Result<Permit> {
        if context.scope().tenant() != tenant {
            return Err(Error::not_found(action.spec().name, "tenant"));
        }
        self.guard.admit_release(context, action)
    }
}

/// Returns the key by which tries from an address are counted. For IPv6 it is the /64, because one customer has at
/// least that (RFC 6177).
pub(super) fn rate_limit_key(address: &str) -> Cow<'_, str> {
    match address.parse().map(|address: IpAddr| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).to_string().into(),
        Ok(IpAddr::V4(address)) => address.to_string().into(),
        Err(_) => address.into(),
    }
}

/// Returns the /48 of an IPv6 address. Tries are counted for it too, because one customer may have all of its networks.
fn site_key(address: &str) -> Option<String> {
    let site = ClientNetwork::of(Some(address)).site();
    site.ipv6().map(|site| site.to_string())
}

/// Returns the rate of an IPv6 site, given that of one network.
fn site_rate(of_network: Rate) -> Rate {
    Rate {
        burst: of_network.burst.saturating_mul(NETWORKS_PER_SITE),
        every_ms: (of_network.every_ms / u64::from(NETWORKS_PER_SITE)).max(1),
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl fmt::Debug for IdentityBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_of_ipv6_is_one_network_and_an_ipv4_address_stands_alone() {
        assert_eq!(rate_limit_key("2001:db8:1:2::1"), rate_limit_key("2001:db8:1:2:ffff::9"));
        assert_ne!(rate_limit_key("2001:db8:1:2::1"), rate_limit_key("2001:db8:1:3::1"));
        assert_ne!(rate_limit_key("192.0.2.1"), rate_limit_key("192.0.2.2"));
        // The form in which a dual-stack socket reports IPv4 addresses.
        assert_eq!(rate_limit_key("::ffff:192.0.2.1"), rate_limit_key("192.0.2.1"));
        assert_ne!(rate_limit_key("::ffff:192.0.2.1"), rate_limit_key("::ffff:192.0.2.2"));
    }
}
