//! The one door: from what a request presents to a context, in the order of the wire contract's section 2.

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

/// The door. Two steps, because a body is read only for somebody whose credential has been verified:
/// [`Admission::authenticate`] (step 1), then [`Admission::admit`] (steps 2 to 6). Cheap to clone.
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

/// Puts a door together.
#[derive(Debug)]
pub struct AdmissionBuilder(Inner);

impl AdmissionBuilder {
    /// Adds a kind of credential; they are asked in the order they were added.
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Authenticator + 'static) -> Self {
        self.0.authenticators.push(Arc::new(authenticator));
        self
    }

    /// Has `directory` give the last word on memberships; without one, verified claims count.
    #[must_use]
    pub fn directory(mut self, directory: impl Directory + 'static) -> Self {
        self.0.directory = Some(Arc::new(directory));
        self
    }

    /// Has `rejections` told of every refusal (401 and 403).
    #[must_use]
    pub fn failure_sink(mut self, rejections: impl AuthFailureSink + 'static) -> Self {
        self.0.failure_sink = Some(Arc::new(rejections));
        self
    }

    /// The door. Without an authenticator it lets nobody in.
    #[must_use]
    pub fn build(self) -> Admission {
        Admission(Arc::new(self.0))
    }
}

impl Admission {
    /// Begins a door.
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

    /// Step 6, which may be taken before all others, so that a refusal carries the ids too: put the result into
    /// [`AuthInput::trace`]. `X-Request-Id` and `traceparent` are continued if they are there once and well-formed, else begun anew.
    #[must_use]
    pub fn trace(&self, input: &AuthInput<'_>) -> Trace {
        Trace::continue_from(
            single_value(&input.request_id),
            single_value(&input.traceparent),
            &*self.0.clock,
            &self.0.ids,
        )
    }

    /// Step 1: who is asking. Enough for routes that need no tenant.
    ///
    /// One credential, either `Authorization: Bearer …` (the scheme in any letter case) or, on streams, a ticket.
    ///
    /// # Errors
    /// - `TOKEN_MISSING`: neither is there, or it is empty.
    /// - `TOKEN_INVALID`: another scheme, several credentials, more than 8 KiB, or one that no authenticator accepts.
    /// - `TOKEN_EXPIRED`: it was good, and has ended.
    /// - `BACKEND_UNAVAILABLE`: it cannot be told now.
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
        Err(invalid_token("no accepted kind of credential"))
    }

    /// Steps 2 to 6: where the principal may go with this request.
    ///
    /// Tenant and environment may be named in a header, the query and the body, each as often as one likes; all that are there must
    /// agree, environments after normalisation. The principal's default tenant is used when none of them names one: it is a fallback and
    /// does not take part in the agreement, or somebody with two tenants could never choose. Likewise the environment a credential is
    /// bound to counts when none of them names one.
    ///
    /// # Errors
    /// In this order: `CONTEXT_MISMATCH`, `TENANT_REQUIRED`, `TENANT_INVALID`; `CONTEXT_MISMATCH`, `ENV_REQUIRED`, `ENV_INVALID`;
    /// `TENANT_FORBIDDEN`; `USER_MISMATCH`, `ROLE_MISMATCH`. The refusals (403) carry a `decision_id`. What the directory cannot
    /// answer is its error.
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

    /// Step 5 as far as it goes without a tenant, for routes that need none: `X-User-Id` is the principal.
    ///
    /// # Errors
    /// `USER_MISMATCH`, with a `decision_id`.
    pub fn check_user(&self, principal: &Principal, input: &AuthInput<'_>) -> Result<()> {
        let checked = check_own_user_id(principal, input).map_err(|error| self.with_decision_id(error));
        checked.inspect_err(|error| self.record_failure(error, Some(principal), input))
    }

    /// Whether a context would be admitted again now. Cheap where the directory remembers what it read lately.
    ///
    /// # Errors
    /// - `TOKEN_EXPIRED`, `TOKEN_INVALID`: the credential has ended, or was revoked, or its user was disabled.
    /// - `TENANT_FORBIDDEN`, `ROLE_MISMATCH`: the membership has ended, the tenant was closed, or the role has changed.
    /// - `BACKEND_UNAVAILABLE`: it cannot be told now.
    pub async fn check_still_valid(&self, context: &RequestContext) -> Result<()> {
        self.0.check_still_valid(context).await
    }

    /// Tells whoever keeps a record.
    fn record_failure(&self, error: &Error, principal: Option<&Principal>, input: &AuthInput<'_>) {
        let Some(rejections) = &self.0.failure_sink else { return };
        let Some(attempt) = AuthFailure::new("door.enter", error) else { return };
        let who = principal.map(|principal| principal.actor.id.as_str());
        rejections
            .record(&attempt.with_actor(who).with_path(input.path).with_origin(input.address, input.trace.as_ref()));
    }

    /// Step 4: the role that counts.
    async fn resolve_role(&self, principal: &Principal, tenant: &TenantId) -> Result<Role> {
        let claimed = principal.memberships.get(tenant).copied();
        let current = match &self.0.directory {
            Some(directory) => directory.role(principal, tenant, claimed).await?,
            None => claimed,
        };
        current.ok_or_else(|| Error::new(Code::TenantForbidden, "door.membership", "you are no member of this tenant"))
    }

    /// Step 2, where the request names no tenant.
    async fn resolve_default_tenant(&self, principal: &Principal) -> Result<TenantId> {
        let default = match &self.0.directory {
            Some(directory) => directory.default_tenant(principal).await?,
            None => principal.default_tenant.clone(),
        };
        let detail = "name the tenant: X-Tenant-Id, tenant_id in the query or in the body";
        default.ok_or_else(|| Error::new(Code::TenantRequired, "door.tenant", detail))
    }

    /// Gives a refusal by a rule its id.
    fn with_decision_id(&self, error: Error) -> Error {
        self.0.with_decision_id(error)
    }
}

impl Inner {
    pub(crate) async fn check_still_valid(&self, context: &RequestContext) -> Result<()> {
        let Some(principal) = context.principal() else { return Ok(()) };
        if context.expires_at().is_some_and(|end| self.clock.now() >= end) {
            return Err(Error::new(Code::TokenExpired, "door.watch", "the credential has ended; get a new one"));
        }
        let Some(directory) = &self.directory else { return Ok(()) };
        directory.check(&principal).await?;
        let role = directory.role(&principal, context.scope().tenant(), Some(context.role())).await?;
        if role == Some(context.role()) {
            return Ok(());
        }
        let (code, detail) = match role {
            Some(_) => (Code::RoleMismatch, "your role in this tenant has changed; connect again"),
            None => (Code::TenantForbidden, "you are no member of this tenant"),
        };
        Err(self.with_decision_id(Error::new(code, "door.watch", detail)))
    }

    fn with_decision_id(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Forbidden || error.member("decision_id").is_some() {
            return error;
        }
        error.with_member("decision_id", self.ids.ulid(self.clock.now()).to_string())
    }
}

/// The one credential presented (RFC 6750 section 2: never more than one).
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
        // Without an early end the loop looks at many bytes at once.
        .filter(|text| text.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic()))
        .ok_or_else(|| invalid_token("a credential is visible ASCII without spaces"))?;
    if bearer {
        return Ok(Credential::Bearer(text));
    }
    let mut lists = input.streams.iter();
    let streams = lists.next().map(|list| std::str::from_utf8(list).unwrap_or_default());
    if lists.next().is_some() {
        return Err(invalid_token("a ticket is for one list of streams, and several were sent"));
    }
    Ok(Credential::Ticket { ticket: text, path: input.path, streams, head: input.head })
}

/// What stands after `Bearer`; schemes are compared in any letter case (RFC 9110 section 11.1).
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
    Error::new(Code::TokenMissing, "door.token", "send `Authorization: Bearer` and a token")
}

/// Step 2: the tenant that the request names.
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

/// Step 3.
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
            Error::new(Code::EnvRequired, "door.env", "name the environment: X-Env, env in the query or in the body")
        }),
    }
}

/// Step 5: what one says about oneself must be true, and changes nothing.
fn check_own_claims(principal: &Principal, role: Role, input: &AuthInput<'_>) -> Result<()> {
    check_own_user_id(principal, input)?;
    if input.roles.iter().any(|claimed| !claimed.eq_ignore_ascii_case(role.as_str().as_bytes())) {
        let detail = "X-Membership-Role is not the role in this tenant; leave it out or correct it";
        return Err(Error::new(Code::RoleMismatch, "door.claims", detail));
    }
    Ok(())
}

fn check_own_user_id(principal: &Principal, input: &AuthInput<'_>) -> Result<()> {
    if input.user_ids.iter().any(|id| id != principal.actor.id.as_str().as_bytes()) {
        let detail = "X-User-Id is not the user of the credential; leave it out or correct it";
        return Err(Error::new(Code::UserMismatch, "door.claims", detail));
    }
    Ok(())
}

fn context_mismatch(member: &str, detail: &'static str) -> Error {
    Error::new(Code::ContextMismatch, "door.agreement", detail).with_member("field", member)
}

/// Text, or what no id and no name is.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// The only value, if it is text and sent once.
fn single_value<'a>(given: &FieldValues<'a>) -> Option<&'a str> {
    let mut values = given.iter();
    values.next().filter(|_| values.next().is_none()).and_then(|value| std::str::from_utf8(value).ok())
}
