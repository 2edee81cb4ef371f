//! The state behind [`Identity`](super::Identity), and what all of its parts use.

use std::{borrow::Cow, sync::Arc};

use engines_core::{
    Action, Actor, ActorType, Code, Error, Guard, RequestContext, Result, TenantId, Timestamp, Trace, UserId,
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
    quota::{Quota, QuotaTurn, QuotaTurns},
    records::Records,
    settings::IdentitySettings,
    system_key::SystemKey,
    wire::Caller,
};
use crate::{
    auth_failure::{AuthFailure, AuthFailureSink},
    jwt::TokenIssuer,
    password::PasswordHasher,
    rate_limiter::RateLimiter,
    revocation::Revocations,
};

/// The state of an identity service.
pub(crate) struct IdentityState {
    pub(crate) records: Records,
    pub(crate) guard: Guard,
    pub(crate) settings: IdentitySettings,
    pub(super) accounts: Option<Accounts>,
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

impl IdentityState {
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

    /// Passes an error to the sink, if it is a refusal.
    pub(crate) fn record_failure(&self, action: &'static str, error: &Error, who: Option<&str>, caller: &Caller<'_>) {
        let Some(sink) = &self.failure_sink else { return };
        if let Some(attempt) = AuthFailure::new(action, error) {
            sink.record(&attempt.with_actor(who).with_origin(caller.address, Some(caller.trace)));
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

    /// Like [`IdentityState::authorize`], for a call that ends something.
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

    /// Waits until no other caller in this process adds to the quota.
    pub(crate) async fn quota_turn(&self, quota: Quota<'_>) -> Result<QuotaTurn<'_>> {
        self.quota_turns.take(&self.records, quota).await
    }
}
