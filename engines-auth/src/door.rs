//! The one door: from what a request presents to a context, in the order of the wire contract's section 2.

use std::{str::FromStr, sync::Arc};

use engines_core::{
    Clock, Code, Env, Error, ErrorKind, IdGenerator, Principal, RequestContext, Result, Role, Scope, TenantId, Trace,
};

use crate::{
    authenticator::{Authenticator, Credential},
    directory::Directory,
    jwt::invalid,
    presented::{BodyClaims, Given, Presented, agreed},
    rejection::{Rejected, Rejections},
    watch::Watch,
};

/// The door. Two steps, because a body is read only for somebody whose credential has been verified:
/// [`Door::authenticate`] (step 1), then [`Door::admit`] (steps 2 to 6). Cheap to clone.
#[derive(Debug, Clone)]
pub struct Door(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    authenticators: Vec<Arc<dyn Authenticator>>,
    pub(crate) directory: Option<Arc<dyn Directory>>,
    rejections: Option<Arc<dyn Rejections>>,
    clock: Arc<dyn Clock>,
    ids: IdGenerator,
    pub(crate) watch: Watch,
}

/// Puts a door together.
#[derive(Debug)]
pub struct DoorBuilder(Inner);

impl DoorBuilder {
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
    pub fn rejections(mut self, rejections: impl Rejections + 'static) -> Self {
        self.0.rejections = Some(Arc::new(rejections));
        self
    }

    /// The door. Without an authenticator it lets nobody in.
    #[must_use]
    pub fn build(self) -> Door {
        Door(Arc::new(self.0))
    }
}

impl Door {
    /// Begins a door.
    #[must_use]
    pub fn builder(clock: Arc<dyn Clock>, ids: IdGenerator) -> DoorBuilder {
        let watch = Watch::default();
        DoorBuilder(Inner { authenticators: Vec::new(), directory: None, rejections: None, clock, ids, watch })
    }

    /// Step 6, which may be taken before all others, so that a refusal carries the ids too: put the result into
    /// [`Presented::trace`]. `X-Request-Id` and `traceparent` are continued if they are there once and well-formed, else begun anew.
    #[must_use]
    pub fn trace(&self, presented: &Presented<'_>) -> Trace {
        Trace::continue_from(single(&presented.request_id), single(&presented.traceparent), &*self.0.clock, &self.0.ids)
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
    pub async fn authenticate(&self, presented: &Presented<'_>) -> Result<Arc<Principal>> {
        self.enter(presented).await.inspect_err(|error| self.note(error, None, presented))
    }

    async fn enter(&self, presented: &Presented<'_>) -> Result<Arc<Principal>> {
        let credential = credential(presented)?;
        for authenticator in &self.0.authenticators {
            if let Some(principal) = authenticator.authenticate(&credential).await? {
                if let Some(directory) = &self.0.directory {
                    directory.check(&principal).await?;
                }
                return Ok(principal);
            }
        }
        Err(invalid("no accepted kind of credential"))
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
        presented: &Presented<'_>,
        body: &BodyClaims<'_>,
    ) -> Result<RequestContext> {
        let context = self.context(principal, presented, body).await.map_err(|error| self.decided(error));
        context.inspect_err(|error| self.note(error, Some(principal), presented))
    }

    async fn context(
        &self,
        principal: &Principal,
        presented: &Presented<'_>,
        body: &BodyClaims<'_>,
    ) -> Result<RequestContext> {
        let tenant = match named_tenant(presented, body)? {
            Some(named) => named,
            None => self.default_tenant(principal).await?,
        };
        let scope = Scope::new(tenant, env(principal, presented, body)?);
        principal.check_bound(&scope)?;
        let role = self.role(principal, scope.tenant()).await?;
        own_claims(principal, role, presented)?;
        let trace = presented.trace.clone().unwrap_or_else(|| self.trace(presented));
        if principal.memberships.get(scope.tenant()) == Some(&role) {
            return RequestContext::admit(principal, scope, trace);
        }
        let mut current = principal.clone();
        current.memberships.insert(scope.tenant().clone(), role);
        RequestContext::admit(&current, scope, trace)
    }

    /// Step 5 as far as it goes without a tenant, for routes that need none: `X-User-Id` is the principal.
    ///
    /// # Errors
    /// `USER_MISMATCH`, with a `decision_id`.
    pub fn check_user(&self, principal: &Principal, presented: &Presented<'_>) -> Result<()> {
        let checked = own_user(principal, presented).map_err(|error| self.decided(error));
        checked.inspect_err(|error| self.note(error, Some(principal), presented))
    }

    /// Whether a context would be admitted again now. Cheap where the directory remembers what it read lately.
    ///
    /// # Errors
    /// - `TOKEN_EXPIRED`, `TOKEN_INVALID`: the credential has ended, or was revoked, or its user was disabled.
    /// - `TENANT_FORBIDDEN`, `ROLE_MISMATCH`: the membership has ended, the tenant was closed, or the role has changed.
    /// - `BACKEND_UNAVAILABLE`: it cannot be told now.
    pub async fn still_valid(&self, context: &RequestContext) -> Result<()> {
        self.0.still_valid(context).await
    }

    /// Tells whoever keeps a record.
    fn note(&self, error: &Error, principal: Option<&Principal>, presented: &Presented<'_>) {
        let Some(rejections) = &self.0.rejections else { return };
        let Some(attempt) = Rejected::of("door.enter", error) else { return };
        let who = principal.map(|principal| principal.actor.id.as_str());
        rejections.rejected(&attempt.by(who).on(presented.path).from(presented.address, presented.trace.as_ref()));
    }

    /// Step 4: the role that counts.
    async fn role(&self, principal: &Principal, tenant: &TenantId) -> Result<Role> {
        let claimed = principal.memberships.get(tenant).copied();
        let current = match &self.0.directory {
            Some(directory) => directory.role(principal, tenant, claimed).await?,
            None => claimed,
        };
        current.ok_or_else(|| Error::new(Code::TenantForbidden, "door.membership", "you are no member of this tenant"))
    }

    /// Step 2, where the request names no tenant.
    async fn default_tenant(&self, principal: &Principal) -> Result<TenantId> {
        let default = match &self.0.directory {
            Some(directory) => directory.default_tenant(principal).await?,
            None => principal.default_tenant.clone(),
        };
        let detail = "name the tenant: X-Tenant-Id, tenant_id in the query or in the body";
        default.ok_or_else(|| Error::new(Code::TenantRequired, "door.tenant", detail))
    }

    /// Gives a refusal by a rule its id.
    fn decided(&self, error: Error) -> Error {
        self.0.decided(error)
    }
}

impl Inner {
    pub(crate) async fn still_valid(&self, context: &RequestContext) -> Result<()> {
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
        Err(self.decided(Error::new(code, "door.watch", detail)))
    }

    fn decided(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Forbidden || error.member("decision_id").is_some() {
            return error;
        }
        error.with_member("decision_id", self.ids.ulid(self.clock.now()).to_string())
    }
}

/// The one credential presented (RFC 6750 section 2: never more than one).
fn credential<'a>(presented: &Presented<'a>) -> Result<Credential<'a>> {
    let mut all = presented.authorization.iter().map(|value| (value, true));
    let mut tickets = presented.ticket.iter().map(|value| (value, false));
    let (value, bearer) = match (all.next(), all.next(), tickets.next(), tickets.next()) {
        (None, _, None, _) => return Err(missing()),
        (Some(one), None, None, _) | (None, _, Some(one), None) => one,
        _ => return Err(invalid("several credentials were sent; send one")),
    };
    if value.len() > Credential::MAX_BYTES + "Bearer ".len() {
        return Err(invalid("the credential is longer than 8 KiB"));
    }
    let text = if bearer { after_scheme(value)? } else { value };
    if text.is_empty() {
        return Err(missing());
    }
    if text.len() > Credential::MAX_BYTES {
        return Err(invalid("the credential is longer than 8 KiB"));
    }
    let text = std::str::from_utf8(text)
        .ok()
        // Without an early end the loop looks at many bytes at once.
        .filter(|text| text.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic()))
        .ok_or_else(|| invalid("a credential is visible ASCII without spaces"))?;
    if bearer {
        return Ok(Credential::Bearer(text));
    }
    let mut lists = presented.streams.iter();
    let streams = lists.next().map(|list| std::str::from_utf8(list).unwrap_or_default());
    if lists.next().is_some() {
        return Err(invalid("a ticket is for one list of streams, and several were sent"));
    }
    Ok(Credential::Ticket { ticket: text, path: presented.path, streams, head: presented.head })
}

/// What stands after `Bearer`; schemes are compared in any letter case (RFC 9110 section 11.1).
fn after_scheme(value: &[u8]) -> Result<&[u8]> {
    let value = value.trim_ascii();
    let (scheme, rest) = match value.iter().position(u8::is_ascii_whitespace) {
        Some(at) => value.split_at(at),
        None => (value, &[][..]),
    };
    if value.is_empty() {
        return Err(missing());
    }
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(invalid("the Authorization header must be `Bearer` and a token"));
    }
    Ok(rest.trim_ascii())
}

fn missing() -> Error {
    Error::new(Code::TokenMissing, "door.token", "send `Authorization: Bearer` and a token")
}

/// Step 2: the tenant that the request names.
fn named_tenant(presented: &Presented<'_>, body: &BodyClaims<'_>) -> Result<Option<TenantId>> {
    let sources = presented.tenant_headers.iter().chain(presented.tenant_queries.iter());
    let sources = sources.chain(body.tenant_id.map(str::as_bytes));
    let named = agreed(
        sources,
        |left, right| left == right,
        || mismatch("tenant_id", "X-Tenant-Id, query and body name different tenants"),
    )?;
    named.map(|named| TenantId::new(text(named))).transpose()
}

/// Step 3.
fn env(principal: &Principal, presented: &Presented<'_>, body: &BodyClaims<'_>) -> Result<Env> {
    let sources = presented.env_headers.iter().chain(presented.env_queries.iter()).chain(body.env.map(str::as_bytes));
    let same = |left: &[u8], right: &[u8]| match (Env::from_str(text(left)), Env::from_str(text(right))) {
        (Ok(left), Ok(right)) => left == right,
        _ => left == right,
    };
    match agreed(sources, same, || mismatch("env", "X-Env, query and body name different environments"))? {
        Some(named) => text(named).parse(),
        None => principal.bound.as_ref().and_then(|bound| bound.env).ok_or_else(|| {
            Error::new(Code::EnvRequired, "door.env", "name the environment: X-Env, env in the query or in the body")
        }),
    }
}

/// Step 5: what one says about oneself must be true, and changes nothing.
fn own_claims(principal: &Principal, role: Role, presented: &Presented<'_>) -> Result<()> {
    own_user(principal, presented)?;
    if presented.roles.iter().any(|claimed| !claimed.eq_ignore_ascii_case(role.as_str().as_bytes())) {
        let detail = "X-Membership-Role is not the role in this tenant; leave it out or correct it";
        return Err(Error::new(Code::RoleMismatch, "door.claims", detail));
    }
    Ok(())
}

fn own_user(principal: &Principal, presented: &Presented<'_>) -> Result<()> {
    if presented.user_ids.iter().any(|id| id != principal.actor.id.as_str().as_bytes()) {
        let detail = "X-User-Id is not the user of the credential; leave it out or correct it";
        return Err(Error::new(Code::UserMismatch, "door.claims", detail));
    }
    Ok(())
}

fn mismatch(member: &str, detail: &'static str) -> Error {
    Error::new(Code::ContextMismatch, "door.agreement", detail).with_member("field", member)
}

/// Text, or what no id and no name is.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// The only value, if it is text and sent once.
fn single<'a>(given: &Given<'a>) -> Option<&'a str> {
    let mut values = given.iter();
    values.next().filter(|_| values.next().is_none()).and_then(|value| std::str::from_utf8(value).ok())
}
