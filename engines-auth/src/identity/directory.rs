//! The last word on who may still ask, from the store.

use std::time::Duration;

use async_trait::async_trait;
use engines_core::{Principal, Result, Role, TenantId, Timestamp, UserId};
use ulid::Ulid;

use super::{
    known::{Begun, Membership, Standing},
    service::{Identity, Inner},
};
use crate::{api_key::ISSUER as API_KEY, directory::Directory, jwt::invalid, revocation::RevocationFeed};

/// What a credential is known by after it has been verified.
#[derive(Debug, Clone, Copy)]
struct Credential<'a> {
    user: &'a UserId,
    issuer: &'a str,
    id: Option<&'a str>,
    session: Option<&'a str>,
    issued_at: Option<Timestamp>,
    /// The reusable ticket it came in with.
    ticket: Option<&'a str>,
}

impl Inner {
    /// Whether the credential and whoever holds it are still good.
    async fn check(&self, credential: Credential<'_>) -> Result<()> {
        let Credential { user, issuer, id, session, issued_at, ticket } = credential;
        if let Some(ticket) = ticket {
            self.check_stream_ticket(ticket).await?;
        }
        if issuer == API_KEY {
            let key =
                id.and_then(|id| Ulid::from_string(id).ok()).ok_or_else(|| invalid("an API key without its id"))?;
            let found = self.usable_api_key(key).await?;
            let found = found.ok_or_else(|| invalid("the API key has been revoked or has expired"))?;
            let rotation = session.and_then(|rotation| rotation.parse().ok());
            let good = rotation.is_some_and(|rotation| found.is_good(rotation, self.now()));
            return if good { Ok(()) } else { Err(invalid("this secret of the API key has been replaced")) };
        }
        let known = self.known.user(&self.records, user).await?;
        let stale = |from: Timestamp| issued_at.is_none_or(|at| at.as_secs() < from.as_secs());
        if known.standing != Standing::Disabled && known.tokens_valid_from.is_some_and(stale) {
            return Err(invalid("the token was issued before its user was disabled and enabled again; get a new one"));
        }
        match known.standing {
            Standing::Disabled => return Err(invalid("the account is disabled")),
            // Sessions of users whom others look after are theirs.
            Standing::Unknown => return Ok(()),
            Standing::Good | Standing::Foreign => {}
        }
        let Some(session) = session else { return Ok(()) };
        let over = || invalid("the session is over; log in again");
        let session = Ulid::from_string(session).map_err(|_| over())?;
        let fits = |found: Option<Begun>| {
            found.is_some_and(|found| found.user == *user && found.generation >= known.generation)
        };
        if fits(self.known.session(&self.records, session).await?) {
            return Ok(());
        }
        // The user may be known better than the session: one session stays when its user's password is changed.
        self.known.sessions.forget(&session);
        if fits(self.known.session(&self.records, session).await?) { Ok(()) } else { Err(over()) }
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
                let stranger = self.known.user(&self.records, credential.user).await?.standing != Standing::Good;
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

    /// The tenant its user has chosen; a user known here has no other one, whatever the credential claims.
    async fn default_tenant(&self, principal: &Principal) -> Result<Option<TenantId>> {
        let inner = &*self.inner;
        if principal.bound.is_some() {
            return Ok(principal.default_tenant.clone());
        }
        let account = inner.known.user(&inner.records, &principal.actor.id).await?;
        let chosen = match account.standing {
            Standing::Good | Standing::Disabled => account.default_tenant,
            // The rules of the issuer may give one, and so may whoever minted a token.
            Standing::Foreign | Standing::Unknown => {
                account.default_tenant.or_else(|| principal.default_tenant.clone())
            }
        };
        let Some(chosen) = chosen else { return Ok(None) };
        let gone = inner.known.member(&inner.records, &chosen, &principal.actor.id).await? == Membership::Removed;
        Ok((!gone).then_some(chosen))
    }

    fn revocations(&self) -> Option<RevocationFeed> {
        Some(self.inner.revocations.subscribe())
    }

    fn recheck_every(&self) -> Duration {
        Duration::from_millis(self.inner.settings.watch_every_ms)
    }

    fn staleness(&self) -> Duration {
        self.inner.settings.facts_ttl()
    }
}

fn of_principal(principal: &Principal) -> Credential<'_> {
    Credential {
        user: &principal.actor.id,
        issuer: &principal.issuer,
        id: principal.credential_id.as_deref(),
        session: principal.session.as_deref(),
        issued_at: principal.issued_at,
        ticket: principal.ticket.as_deref(),
    }
}
