//! Admission: turns what a request presents into a context, in the order of section 2 of the wire contract.

use std::{str::FromStr, sync::Arc};

use engines_core::{
    Clock, Code, Env, Error, ErrorKind, IdGenerator, Principal, RequestContext, Result, Role, Scope, TenantId, Trace,
};

use crate::{
    auth_failure::{AuthFailure, AuthFailureSink},
    auth_input::{AuthInput, BodyClaims, FieldValues, single_agreed_value},
    authenticator::{Authenticator, Credential},
    directory::Directory,
    jwt::invalid_token,
    session_monitor::SessionMonitor,
};

/// Authenticates and admits requests. Cheap to clone.
///
/// There are two steps, because the body of a request is read only after its credential has been verified:
/// [`Admission::authenticate`] (step 1), then [`Admission::admit`] (steps 2 to 6).
#[derive(Debug, Clone)]
pub struct Admission(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    authenticators: Vec<Arc<dyn Authenticator>>,
    pub(crate) directory: Option<Arc<dyn Directory>>,
    failure_sink: Option<Arc<dyn AuthFailureSink>>,
    clock: Arc<dyn Clock>,
    ids: IdGenerator,
    pub(crate) monitor: SessionMonitor,
}

/// Builds an [`Admission`].
#[derive(Debug)]
pub struct AdmissionBuilder(Inner);

impl AdmissionBuilder {
    /// Adds a kind of credential. Authenticators are asked in the order in which they were added.
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Authenticator + 'static) -> Self {
        self.0.authenticators.push(Arc::new(authenticator));
        self
    }

    /// Sets the directory that decides on memberships. Without one, the verified claims of the credential decide.
    #[must_use]
    pub fn directory(mut self, directory: impl Directory + 'static) -> Self {
        self.0.directory = Some(Arc::new(directory));
        self
    }

    /// Sets the sink that records every refusal (401 and 403).
    #[must_use]
    pub fn failure_sink(mut self, rejections: impl AuthFailureSink + 'static) -> Self {
        self.0.failure_sink = Some(Arc::new(rejections));
        self
    }

    /// Builds the admission. Without an authenticator it refuses every request.
    #[must_use]
    pub fn build(self) -> Admission {
        Admission(Arc::new(self.0))
    }
}

impl Admission {
    /// Starts a builder.
    #[must_use]
    pub fn builder(clock: Arc<dyn Clock>, ids: IdGenerator) -> AdmissionBuilder {
        let watch = SessionMonitor::default();
        AdmissionBuilder(Inner {
            authenticators: Vec::new(),
            directory: None,
            failure_sink: None,
            clock,
            ids,
            monitor: watch,
        })
    }

    /// Builds the trace of a request (step 6).
    ///
    /// This may be called before all other steps, so that a refusal carries the ids too: put the result into
    /// [`AuthInput::trace`]. `X-Request-Id` and `traceparent` are continued if they were sent once and are well-formed.
    /// Otherwise a new trace begins.
    #[must_use]
    pub fn trace(&self, input: &AuthInput<'_>) -> Trace {
        Trace::continue_from(
            single_value(&input.request_id),
            single_value(&input.traceparent),
            &*self.0.clock,
            &self.0.ids,
        )
    }

    /// Authenticates the credential of a request (step 1). This is enough for routes that need no tenant.
    ///
    /// A request has one credential: either `Authorization: Bearer …` (the scheme in any letter case) or, on streams, a
    /// ticket.
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
                if let Some(directory) = &self.0.directory {
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
        self.0.check_still_valid(context).await
    }

    /// Passes a refusal to the sink, if there is one.
    fn record_failure(&self, error: &Error, principal: Option<&Principal>, input: &AuthInput<'_>) {
        let Some(rejections) = &self.0.failure_sink else { return };
        let Some(attempt) = AuthFailure::new("admission.enter", error) else { return };
        let who = principal.map(|principal| principal.actor.id.as_str());
        rejections
            .record(&attempt.with_actor(who).with_path(input.path).with_origin(input.address, input.trace.as_ref()));
    }

    /// Returns the role that applies (step 4).
    async fn resolve_role(&self, principal: &Principal, tenant: &TenantId) -> Result<Role> {
        let claimed = principal.memberships.get(tenant).copied();
        let current = match &self.0.directory {
            Some(directory) => directory.role(principal, tenant, claimed).await?,
            None => claimed,
        };
        current.ok_or_else(|| {
            Error::new(Code::TenantForbidden, "admission.membership", "you are not a member of this tenant")
        })
    }

    /// Returns the tenant of a request that names none (step 2).
    async fn resolve_default_tenant(&self, principal: &Principal) -> Result<TenantId> {
        let default = match &self.0.directory {
            Some(directory) => directory.default_tenant(principal).await?,
            None => principal.default_tenant.clone(),
        };
        let detail = "name the tenant: X-Tenant-Id, tenant_id in the query or in the body";
        default.ok_or_else(|| Error::new(Code::TenantRequired, "admission.tenant", detail))
    }

    fn with_decision_id(&self, error: Error) -> Error {
        self.0.with_decision_id(error)
    }
}

impl Inner {
    pub(crate) async fn check_still_valid(&self, context: &RequestContext) -> Result<()> {
        let Some(principal) = context.principal() else { return Ok(()) };
        if context.expires_at().is_some_and(|end| self.clock.now() >= end) {
            return Err(Error::new(
                Code::TokenExpired,
                "admission.monitor",
                "the credential has expired; get a new one",
            ));
        }
        let Some(directory) = &self.directory else { return Ok(()) };
        directory.check(&principal).await?;
        let role = directory.role(&principal, context.scope().tenant(), Some(context.role())).await?;
        if role == Some(context.role()) {
            return Ok(());
        }
        let (code, detail) = match role {
            Some(_) => (Code::RoleMismatch, "your role in this tenant has changed; connect again"),
            None => (Code::TenantForbidden, "you are not a member of this tenant"),
        };
        Err(self.with_decision_id(Error::new(code, "admission.monitor", detail)))
    }

    fn with_decision_id(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Forbidden || error.member("decision_id").is_some() {
            return error;
        }
        error.with_member("decision_id", self.ids.ulid(self.clock.now()).to_string())
    }
}

/// Returns the credential of the request (RFC 6750 section 2: never more than one).
fn credential<'a>(input: &AuthInput<'a>) -> Result<Credential<'a>> {
    let mut all = input.authorization.iter().map(|value| (value, true));
    let mut tickets = input.ticket.iter().map(|value| (value, false));
    let (value, bearer) = match (all.next(), all.next(), tickets.next(), tickets.next()) {
        (None, _, None, _) => return Err(missing_credential()),
        (Some(one), None, None, _) | (None, _, Some(one), None) => one,
        _ => return Err(invalid_token("several credentials were sent; send one")),
    };
    if value.len() > Credential::MAX_BYTES + "Bearer ".len() {
        return Err(invalid_token("the credential is longer than 8 KiB"));
    }
    let text = if bearer { strip_bearer_scheme(value)? } else { value };
    if text.is_empty() {
        return Err(missing_credential());
    }
    if text.len() > Credential::MAX_BYTES {
        return Err(invalid_token("the credential is longer than 8 KiB"));
    }
    let text = std::str::from_utf8(text)
        .ok()
        // A fold without an early exit is compiled to vector instructions.
        .filter(|text| text.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic()))
        .ok_or_else(|| invalid_token("a credential must be visible ASCII without spaces"))?;
    if bearer {
        return Ok(Credential::Bearer(text));
    }
    let mut lists = input.streams.iter();
    let streams = lists.next().map(|list| std::str::from_utf8(list).unwrap_or_default());
    if lists.next().is_some() {
        return Err(invalid_token("a ticket is valid for one list of streams, and several were sent"));
    }
    Ok(Credential::Ticket { ticket: text, path: input.path, streams, head: input.head })
}

/// Returns what follows `Bearer`. Schemes are compared in any letter case (RFC 9110 section 11.1).
fn strip_bearer_scheme(value: &[u8]) -> Result<&[u8]> {
    let value = value.trim_ascii();
    let (scheme, rest) = match value.iter().position(u8::is_ascii_whitespace) {
        Some(at) => value.split_at(at),
        None => (value, &[][..]),
    };
    if value.is_empty() {
        return Err(missing_credential());
    }
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(invalid_token("the Authorization header must be `Bearer` and a token"));
    }
    Ok(rest.trim_ascii())
}

fn missing_credential() -> Error {
    Error::new(Code::TokenMissing, "admission.token", "send `Authorization: Bearer` and a token")
}

/// Returns the tenant that the request names (step 2).
fn named_tenant(input: &AuthInput<'_>, body: &BodyClaims<'_>) -> Result<Option<TenantId>> {
    let sources = input.tenant_headers.iter().chain(input.tenant_queries.iter());
    let sources = sources.chain(body.tenant_id.map(str::as_bytes));
    let named = single_agreed_value(
        sources,
        |left, right| left == right,
        || context_mismatch("tenant_id", "X-Tenant-Id, query and body name different tenants"),
    )?;
    named.map(|named| TenantId::new(text(named))).transpose()
}

/// Returns the environment of the request (step 3).
fn requested_env(principal: &Principal, input: &AuthInput<'_>, body: &BodyClaims<'_>) -> Result<Env> {
    let sources = input.env_headers.iter().chain(input.env_queries.iter()).chain(body.env.map(str::as_bytes));
    let same = |left: &[u8], right: &[u8]| match (Env::from_str(text(left)), Env::from_str(text(right))) {
        (Ok(left), Ok(right)) => left == right,
        _ => left == right,
    };
    match single_agreed_value(sources, same, || {
        context_mismatch("env", "X-Env, query and body name different environments")
    })? {
        Some(named) => text(named).parse(),
        None => principal.restriction.as_ref().and_then(|bound| bound.env).ok_or_else(|| {
            Error::new(
                Code::EnvRequired,
                "admission.env",
                "name the environment: X-Env, env in the query or in the body",
            )
        }),
    }
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

fn context_mismatch(member: &str, detail: &'static str) -> Error {
    Error::new(Code::ContextMismatch, "admission.agreement", detail).with_member("field", member)
}

/// Returns the bytes as text. Bytes that are no UTF-8 become the empty text, which is neither an id nor a name.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Returns the value if it was sent exactly once and is text.
fn single_value<'a>(given: &FieldValues<'a>) -> Option<&'a str> {
    let mut values = given.iter();
    values.next().filter(|_| values.next().is_none()).and_then(|value| std::str::from_utf8(value).ok())
}
