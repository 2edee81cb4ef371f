//! The last word on who may still ask, from the store.

use async_trait::async_trait;
use engines_core::{Code, Error, Principal, RequestContext, Result, Role, TenantId, UserId, context::Origin};
use ulid::Ulid;

use super::{
    known::{Membership, Standing},
    service::{Identity, Inner},
};
use crate::{api_key::ISSUER as API_KEY, directory::Directory, jwt::invalid};

/// What a credential is known by after it has been verified.
#[derive(Debug, Clone, Copy)]
struct Credential<'a> {
    user: &'a UserId,
    issuer: &'a str,
    id: Option<&'a str>,
    session: Option<&'a str>,
}

impl Inner {
    /// Whether the credential and whoever holds it are still good.
    async fn check(&self, credential: Credential<'_>) -> Result<()> {
        let Credential { user, issuer, id, session } = credential;
        if issuer == API_KEY {
            let key =
                id.and_then(|id| Ulid::from_string(id).ok()).ok_or_else(|| invalid("an API key without its id"))?;
            let found = self.known.api_key(&self.records, key).await?;
            return found.map(|_| ()).ok_or_else(|| invalid("the API key has been revoked"));
        }
        match self.known.user(&self.records, user).await? {
            Standing::Disabled => return Err(invalid("the account is disabled")),
            // Sessions of users whom others look after are theirs.
            Standing::Unknown => return Ok(()),
            Standing::Good | Standing::Foreign => {}
        }
        let Some(session) = session else { return Ok(()) };
        let over = || invalid("the session is over; log in again");
        let session = Ulid::from_string(session).map_err(|_| over())?;
        let owner = self.known.session(&self.records, session).await?;
        if owner.as_ref() == Some(user) { Ok(()) } else { Err(over()) }
    }

    /// The role that counts now: the store's, where it knows the membership, or both the user and the tenant; else the claimed one.
    async fn role(&self, credential: Credential<'_>, tenant: &TenantId, claimed: Option<Role>) -> Result<Option<Role>> {
        let must_exist = self.settings.tenants_must_exist;
        let known_tenant = match self.known.tenant(&self.records, tenant).await? {
            Standing::Disabled => return Ok(None),
            standing => standing == Standing::Good,
        };
        if credential.issuer == API_KEY {
            return Ok(claimed.filter(|_| known_tenant || !must_exist));
        }
        match self.known.member(&self.records, tenant, credential.user).await? {
            Membership::Removed => Ok(None),
            Membership::Role(role) => Ok(Some(role)),
            Membership::Unknown if must_exist => Ok(None),
            Membership::Unknown if !known_tenant => Ok(claimed),
            Membership::Unknown => {
                let stranger = self.known.user(&self.records, credential.user).await? != Standing::Good;
                Ok(claimed.filter(|_| stranger))
            }
        }
    }
}

#[async_trait]
impl Directory for Identity {
    async fn check(&self, principal: &Principal) -> Result<()> {
        self.inner.check(of_principal(principal)).await
    }

    async fn role(&self, principal: &Principal, tenant: &TenantId, claimed: Option<Role>) -> Result<Option<Role>> {
        self.inner.role(of_principal(principal), tenant, claimed).await
    }
}

impl Identity {
    /// Whether a context would be admitted again now: for whoever holds a stream open. Cheap: what was read lately is not read again.
    ///
    /// # Errors
    /// - `TOKEN_EXPIRED`, `TOKEN_INVALID`: the credential has ended, or was revoked, or its user was disabled (close with 4401).
    /// - `TENANT_FORBIDDEN`, `ROLE_MISMATCH`: the membership has ended, the tenant was closed, or the role has changed (4403).
    /// - `BACKEND_UNAVAILABLE`: it cannot be told now.
    pub async fn still_valid(&self, context: &RequestContext) -> Result<()> {
        let Origin::Credential { issuer } = context.origin() else { return Ok(()) };
        let inner = &*self.inner;
        if context.expires_at().is_some_and(|end| inner.now() >= end) {
            return Err(Error::new(Code::TokenExpired, "identity.watch", "the credential has ended; get a new one"));
        }
        let credential =
            Credential { user: &context.actor().id, issuer, id: context.credential_id(), session: context.session() };
        inner.check(credential).await?;
        match inner.role(credential, context.scope().tenant(), Some(context.role())).await? {
            Some(role) if role == context.role() => Ok(()),
            Some(_) => {
                let detail = "your role in this tenant has changed; connect again";
                Err(inner.refuse(Code::RoleMismatch, "identity.watch", detail))
            }
            None => Err(inner.refuse(Code::TenantForbidden, "identity.watch", "you are no member of this tenant")),
        }
    }
}

fn of_principal(principal: &Principal) -> Credential<'_> {
    Credential {
        user: &principal.actor.id,
        issuer: &principal.issuer,
        id: principal.credential_id.as_deref(),
        session: principal.session.as_deref(),
    }
}
