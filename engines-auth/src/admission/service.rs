//! Admission: turns what a request presents into a context, in the order of section 2 of the wire contract.

use std::{fmt, sync::Arc};

use engines_core::{Clock, Code, Error, IdGenerator, Principal, RequestContext, Result, Role, Scope, TenantId, Trace};

use super::{
    credential::credential,
    monitor::{MonitoredSession, SessionMonitor},
    scope::{named_tenant, requested_env},
    validity::ContextValidity,
};
use crate::{
    auth_failure::{AuthFailure, AuthFailureSink},
    auth_input::{AuthInput, BodyClaims, FieldValues},
    authenticator::Authenticator,
    directory::Directory,
    jwt::invalid_token,
};

/// Authenticates and admits requests. Cheap to clone.
///
/// There are two steps, because the body of a request is read only after its credential has been verified:
/// [`Admission::authenticate`] (step 1), then [`Admission::admit`] (steps 2 to 6).
#[derive(Debug, Clone)]
pub struct Admission(Arc<AdmissionState>);

#[derive(Debug)]
struct AdmissionState {
    authenticators: Vec<Arc<dyn Authenticator>>,
    failure_sink: Option<Arc<dyn AuthFailureSink>>,
    request_id_filter: Option<RequestIdFilter>,
    validity: ContextValidity,
    monitor: Arc<SessionMonitor>,
}

/// Decides whether a request id of a caller is accepted.
type RequestIdPredicate = dyn Fn(&str) -> bool + Send + Sync;

#[derive(Clone)]
struct RequestIdFilter(Arc<RequestIdPredicate>);

/// Builds an [`Admission`].
#[derive(Debug)]
pub struct AdmissionBuilder {
    authenticators: Vec<Arc<dyn Authenticator>>,
    failure_sink: Option<Arc<dyn AuthFailureSink>>,
    request_id_filter: Option<RequestIdFilter>,
    validity: ContextValidity,
}

impl AdmissionBuilder {
    /// Adds a kind of credential. Authenticators are asked in the order in which they were added.
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Authenticator + 'static) -> Self {
        self.authenticators.push(Arc::new(authenticator));
        self
    }

    /// Sets the directory that decides on memberships. Without one, the verified claims of the credential decide.
    #[must_use]
    pub fn directory(mut self, directory: impl Directory + 'static) -> Self {
        self.validity.directory = Some(Arc::new(directory));
        self
    }

    /// Sets the sink that records every refusal (401 and 403).
    #[must_use]
    pub fn failure_sink(mut self, sink: impl AuthFailureSink + 'static) -> Self {
        self.failure_sink = Some(Arc::new(sink));
        self
    }

    /// Accepts only those `X-Request-Id`s of callers for which `is_accepted` returns true. The id is in every log line
    /// and audit record of a request, so ids with personal data should be refused. Others are ignored as if they had
    /// not been sent.
    #[must_use]
    pub fn request_ids(mut self, is_accepted: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.request_id_filter = Some(RequestIdFilter(Arc::new(is_accepted)));
        self
    }

    /// Builds the admission. Without an authenticator it refuses every request.
    #[must_use]
    pub fn build(self) -> Admission {
        let monitor = Arc::new(SessionMonitor::new(self.validity.clone()));
        let Self { authenticators, failure_sink, request_id_filter, validity } = self;
        Admission(Arc::new(AdmissionState { authenticators, failure_sink, request_id_filter, validity, monitor }))
    }
}

impl Admission {
    /// Starts a builder.
    #[must_use]
    pub fn builder(clock: Arc<dyn Clock>, ids: IdGenerator) -> AdmissionBuilder {
        let validity = ContextValidity { directory: None, clock, ids };
        AdmissionBuilder { authenticators: Vec::new(), failure_sink: None, request_id_filter: None, validity }
    }

    /// Builds the trace of a request (step 6).
    ///
    /// This may be called before all other steps, so that a refusal carries the ids too: put the result into
    /// [`AuthInput::trace`]. `X-Request-Id` and `traceparent` are continued if they were sent once and are well-formed,
    /// and if the filter of the builder accepts the id. Otherwise a new trace begins.
    #[must_use]
    pub fn trace(&self, input: &AuthInput<'_>) -> Trace {
        let is_accepted = |id: &[u8]| match &self.0.request_id_filter {
            Some(RequestIdFilter(is_accepted)) => std::str::from_utf8(id).is_ok_and(|id| is_accepted(id)),
            None => true,
        };
        Trace::continue_from(
            single_value(input.request_id.iter().filter(|id| is_accepted(id))),
            single_value(input.traceparent.iter()),
            &*self.0.validity.clock,
            &self.0.validity.ids,
        )
    }

    /// Authenticates the credential of a request (step 1). This is enough for routes that need no tenant.
    ///
    /// A request has one credential: `Authorization: Bearer …` (the scheme in any letter case), a plain bearer token
    /// ([`AuthInput::from_token`]) or, on streams, a ticket.
    ///
    /// # Errors
    /// - `TOKEN_MISSING`: the request has no credential, or an empty one.
    /// - `TOKEN_INVALID`: another scheme, several credentials, more than 8 KiB, or a credential that no authenticator
    ///   accepts.
    /// - `TOKEN_EXPIRED`: the credential was valid and has expired.
    /// - `BACKEND_UNAVAILABLE`: the credential cannot be checked now.
    pub async fn authenticate(&self, input: &AuthInput<'_>) -> Result<Arc<Principal>> {
        self.try_authenticate(input).await.inspect_err(|error| self.record_failure(error, None, input))
    }

    async fn try_authenticate(&self, input: &AuthInput<'_>) -> Result<Arc<Principal>> {
        let credential = credential(input)?;
        for authenticator in &self.0.authenticators {
            if let Some(principal) = authenticator.authenticate(&credential).await? {
                if let Some(directory) = &self.0.validity.directory {
                    directory.check(&principal).await?;
                }
                return Ok(principal);
            }
        }
        Err(invalid_token("the kind of the credential is not accepted"))
    }

    /// Admits a principal to the tenant and environment that the request names (steps 2 to 6).
    ///
    /// Tenant and environment may be named in a header, the query and the body, each any number of times. All names
    /// must agree; environments are compared after normalisation. If no place names a tenant, the principal's default
    /// tenant is used. The default is not compared with the names, because otherwise a user with two tenants could not
    /// choose the other one. In the same way, the environment that a credential is restricted to is used if no place
    /// names one.
    ///
    /// # Errors
    /// In this order: `CONTEXT_MISMATCH`, `TENANT_REQUIRED`, `TENANT_INVALID`; `CONTEXT_MISMATCH`, `ENV_REQUIRED`,
    /// `ENV_INVALID`; `TENANT_FORBIDDEN`; `USER_MISMATCH`, `ROLE_MISMATCH`. Refusals (403) carry a `decision_id`.
    /// Errors of the directory are returned as they are.
    pub async fn admit(
        &self,
        principal: &Principal,
        input: &AuthInput<'_>,
        body: &BodyClaims<'_>,
    ) -> Result<RequestContext> {
        let context = self.build_context(principal, input, body).await.map_err(|error| self.with_decision_id(error));
        context.inspect_err(|error| self.record_failure(error, Some(principal), input))
    }

    async fn build_context(
        &self,
        principal: &Principal,
        input: &AuthInput<'_>,
        body: &BodyClaims<'_>,
    ) -> Result<RequestContext> {
        let tenant = match named_tenant(input, body)? {
            Some(named) => named,
            None => self.resolve_default_tenant(principal).await?,
        };
        let scope = Scope::new(tenant, requested_env(principal, input, body)?);
        principal.check_restriction(&scope)?;
        let role = self.resolve_role(principal, scope.tenant()).await?;
        check_own_claims(principal, role, input)?;
        let trace = input.trace.clone().unwrap_or_else(|| self.trace(input));
        if principal.memberships.get(scope.tenant()) == Some(&role) {
            return RequestContext::admit_verified(principal, scope, trace);
        }
        let mut current = principal.clone();
        current.memberships.insert(scope.tenant().clone(), role);
        RequestContext::admit_verified(&current, scope, trace)
    }

    /// Admits a principal to the control plane, where the principal must be an admin. The tenant and the environment
    /// are those of [`Scope::system`]; names in the request are ignored.
    ///
    /// # Errors
    /// As [`Admission::admit`]; `ROLE_INSUFFICIENT` below admin, with `least_role` and a `decision_id`.
    pub async fn admit_operator(&self, principal: &Principal, input: &AuthInput<'_>) -> Result<RequestContext> {
        let scope = Scope::system()?;
        let input = AuthInput {
            tenant_headers: FieldValues::one(scope.tenant().as_str()),
            env_headers: FieldValues::one(scope.env().as_str()),
            tenant_queries: FieldValues::default(),
            env_queries: FieldValues::default(),
            ..input.clone()
        };
        let context = self.admit(principal, &input, &BodyClaims::default()).await?;
        if context.role() >= Role::Admin {
            return Ok(context);
        }
        let detail = "the role admin in t_system is required";
        let error = Error::new(Code::RoleInsufficient, "admission.operator", detail);
        Err(self.with_decision_id(error.with_member("least_role", Role::Admin.as_str())))
    }

    /// Checks that `X-User-Id` is the principal (the part of step 5 that needs no tenant). For routes without a tenant.
    ///
    /// # Errors
    /// `USER_MISMATCH`, with a `decision_id`.
    pub fn check_user(&self, principal: &Principal, input: &AuthInput<'_>) -> Result<()> {
        let checked = check_own_user_id(principal, input).map_err(|error| self.with_decision_id(error));
        checked.inspect_err(|error| self.record_failure(error, Some(principal), input))
    }

    /// Checks whether the context would be admitted again now. This is cheap if the directory has a cache.
    ///
    /// # Errors
    /// - `TOKEN_EXPIRED`, `TOKEN_INVALID`: the credential has expired or was revoked, or its user was disabled.
    /// - `TENANT_FORBIDDEN`, `ROLE_MISMATCH`: the membership has ended, the tenant was closed, or the role has changed.
    /// - `BACKEND_UNAVAILABLE`: the check cannot be made now.
    pub async fn check_still_valid(&self, context: &RequestContext) -> Result<()> {
        self.0.validity.check_still_valid(context).await
    }

    /// Monitors a context until it is no longer valid. The future completes with the error of
    /// [`Admission::check_still_valid`]: at once for what the directory revokes in this process, within 5 seconds for
    /// revocations on other nodes. If the directory does not respond, the context stays valid until the 5 seconds are
    /// over, and then ends with `BACKEND_UNAVAILABLE`. Await it beside everything that stays open for this context. One
    /// task checks all contexts.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time.
    pub fn monitor(&self, context: &RequestContext) -> MonitoredSession {
        self.0.monitor.monitor(context)
    }

    /// Passes a refusal to the sink, if there is one.
    fn record_failure(&self, error: &Error, principal: Option<&Principal>, input: &AuthInput<'_>) {
        let Some(sink) = &self.0.failure_sink else { return };
        let Some(attempt) = AuthFailure::new("admission.enter", error) else { return };
        let who = principal.map(|principal| principal.actor.id.as_str());
        sink.record(&attempt.with_actor(who).with_path(input.path).with_origin(input.address, input.trace.as_ref()));
    }

    /// Returns the role that applies (step 4).
    async fn resolve_role(&self, principal: &Principal, tenant: &TenantId) -> Result<Role> {
        let claimed = principal.memberships.get(tenant).copied();
        let current = match &self.0.validity.directory {
            Some(directory) => directory.role(principal, tenant, claimed).await?,
            None => claimed,
        };
        current.ok_or_else(|| {
            Error::new(Code::TenantForbidden, "admission.membership", "you are not a member of this tenant")
        })
    }

    /// Returns the tenant of a request that names none (step 2).
    async fn resolve_default_tenant(&self, principal: &Principal) -> Result<TenantId> {
        let default = match &self.0.validity.directory {
            Some(directory) => directory.default_tenant(principal).await?,
            None => principal.default_tenant.clone(),
        };
        let detail = "name the tenant: X-Tenant-Id, tenant_id in the query or in the body";
        default.ok_or_else(|| Error::new(Code::TenantRequired, "admission.tenant", detail))
    }

    fn with_decision_id(&self, error: Error) -> Error {
        self.0.validity.with_decision_id(error)
    }
}

/// Returns the value if there is exactly one and it is text.
fn single_value<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<&'a str> {
    values.next().filter(|_| values.next().is_none()).and_then(|value| std::str::from_utf8(value).ok())
}

/// Checks what the request claims about its own user and role (step 5). These claims must be true and grant nothing.
fn check_own_claims(principal: &Principal, role: Role, input: &AuthInput<'_>) -> Result<()> {
    check_own_user_id(principal, input)?;
    if input.roles.iter().any(|claimed| !claimed.eq_ignore_ascii_case(role.as_str().as_bytes())) {
        let detail = "X-Membership-Role is not the role in this tenant; leave it out or correct it";
        return Err(Error::new(Code::RoleMismatch, "admission.claims", detail));
    }
    Ok(())
}

fn check_own_user_id(principal: &Principal, input: &AuthInput<'_>) -> Result<()> {
    if input.user_ids.iter().any(|id| id != principal.actor.id.as_str().as_bytes()) {
        let detail = "X-User-Id is not the user of the credential; leave it out or correct it";
        return Err(Error::new(Code::UserMismatch, "admission.claims", detail));
    }
    Ok(())
}

impl fmt::Debug for RequestIdFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestIdFilter")
    }
}
