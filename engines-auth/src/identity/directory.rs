//! The directory on the store: checks credentials, roles and default tenants.

use std::time::Duration;

use async_trait::async_trait;
use engines_core::{Principal, Result, Role, TenantId, Timestamp, UserId};
use ulid::Ulid;

use super::{
    actor::ISSUER as API_KEY,
    directory_cache::{DirectoryStatus, Membership, SessionInfo},
    service::Identity,
    state::IdentityState,
};
use crate::{directory::Directory, jwt::invalid_token, revocation::RevocationFeed};

/// The parts of a verified principal that identify its credential.
#[derive(Debug, Clone, Copy)]
struct VerifiedCredential<'a> {
    user: &'a UserId,
    issuer: &'a str,
    id: Option<&'a str>,
    session: Option<&'a str>,
    issued_at: Option<Timestamp>,
    /// The reusable ticket that was presented, if it was one.
    ticket: Option<&'a str>,
}

impl IdentityState {
    /// Checks that the credential and its user are still valid.
    async fn check(&self, credential: VerifiedCredential<'_>) -> Result<()> {
        let VerifiedCredential { user, issuer, id, session, issued_at, ticket } = credential;
        if let Some(ticket) = ticket {
            self.check_stream_ticket(ticket).await?;
        }
        if issuer == API_KEY {
            let key = id
                .and_then(|id| Ulid::from_string(id).ok())
                .ok_or_else(|| invalid_token("an API key without its id"))?;
            let found = self.usable_api_key(key).await?;
            let found = found.ok_or_else(|| invalid_token("the API key has been revoked or has expired"))?;
            let rotation = session.and_then(|rotation| rotation.parse().ok());
            let good = rotation.is_some_and(|rotation| found.is_valid(rotation, self.now()));
            return if good { Ok(()) } else { Err(invalid_token("this secret of the API key has been replaced")) };
        }
        let known = self.cache.user(&self.records, user).await?;
        let stale = |from: Timestamp| issued_at.is_none_or(|at| at.as_secs() < from.as_secs());
        if known.status != DirectoryStatus::Disabled && known.tokens_valid_from.is_some_and(stale) {
            return Err(invalid_token(
                "the token was issued before its user was disabled and enabled again; get a new one",
            ));
        }
        match known.status {
            DirectoryStatus::Disabled => return Err(invalid_token("the account is disabled")),
            // The store has no sessions of users who are not kept here.
            DirectoryStatus::Unknown => return Ok(()),
            DirectoryStatus::Active | DirectoryStatus::Foreign => {}
        }
        let Some(session) = session else { return Ok(()) };
        let over = || invalid_token("the session has ended; log in again");
        let session = Ulid::from_string(session).map_err(|_| over())?;
        let fits = |found: Option<SessionInfo>| {
            found.is_some_and(|found| found.user == *user && found.generation >= known.generation)
        };
        if fits(self.cache.session(&self.records, session).await?) {
            return Ok(());
        }
        // The cached user may be newer than the cached session: one session survives the change of its user's password.
        // So the session is read again.
        self.cache.sessions.invalidate(&session);
        if fits(self.cache.session(&self.records, session).await?) { Ok(()) } else { Err(over()) }
    }

    /// Returns the role that applies now: the role in the store if it has the membership. If the store has no
    /// membership, the claimed role applies, unless the store has both the user and the tenant.
    async fn role(
        &self,
        credential: VerifiedCredential<'_>,
        tenant: &TenantId,
        claimed: Option<Role>,
    ) -> Result<Option<Role>> {
        let must_exist = self.settings.tenants_must_exist;
        let known_tenant = match self.cache.tenant(&self.records, tenant).await? {
            DirectoryStatus::Disabled => return Ok(None),
            status => status == DirectoryStatus::Active,
        };
        if credential.issuer == API_KEY {
            return Ok(claimed.filter(|_| known_tenant || !must_exist));
        }
        match self.membership(tenant, credential.user).await? {
            Membership::Removed => Ok(None),
            Membership::Role(role) => Ok(Some(role)),
            Membership::Unknown if must_exist => Ok(None),
            Membership::Unknown if !known_tenant => Ok(claimed),
            Membership::Unknown => {
                let stranger = self.cache.user(&self.records, credential.user).await?.status != DirectoryStatus::Active;
                Ok(claimed.filter(|_| stranger))
            }
        }
    }
}

#[async_trait]
impl Directory for Identity {
    async fn check(&self, principal: &Principal) -> Result<()> {
        self.state.check(credential_of(principal)).await
    }

    async fn role(&self, principal: &Principal, tenant: &TenantId, claimed: Option<Role>) -> Result<Option<Role>> {
        self.state.role(credential_of(principal), tenant, claimed).await
    }

    /// Returns the tenant that the user has chosen. For a user kept here, a default that the credential claims is
    /// ignored.
    async fn default_tenant(&self, principal: &Principal) -> Result<Option<TenantId>> {
        let state = &*self.state;
        if principal.restriction.is_some() {
            return Ok(principal.default_tenant.clone());
        }
        let account = state.cache.user(&state.records, &principal.actor.id).await?;
        let chosen = match account.status {
            DirectoryStatus::Active | DirectoryStatus::Disabled => account.default_tenant,
            // Rules of the issuer, or the code that minted the token, may set a default tenant.
            DirectoryStatus::Foreign | DirectoryStatus::Unknown => {
                account.default_tenant.or_else(|| principal.default_tenant.clone())
            }
        };
        let Some(chosen) = chosen else { return Ok(None) };
        let gone = state.membership(&chosen, &principal.actor.id).await? == Membership::Removed;
        Ok((!gone).then_some(chosen))
    }

    fn revocations(&self) -> Option<RevocationFeed> {
        Some(self.state.revocations.subscribe())
    }

    fn recheck_every(&self) -> Duration {
        Duration::from_millis(self.state.settings.watch_every_ms)
    }

    fn staleness(&self) -> Duration {
        self.state.settings.facts_ttl()
    }
}

fn credential_of(principal: &Principal) -> VerifiedCredential<'_> {
    VerifiedCredential {
        user: &principal.actor.id,
        issuer: &principal.issuer,
        id: principal.credential_id.as_deref(),
        session: principal.session.as_deref(),
        issued_at: principal.issued_at,
        ticket: principal.ticket.as_deref(),
    }
}
