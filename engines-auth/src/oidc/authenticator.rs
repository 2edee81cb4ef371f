//! The authenticator of tokens of other issuers.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use engines_core::{Actor, ActorType, Clock, Principal, Result, Role, TenantId, context::Email};
use serde_json::{Map, Value};

use super::{
    ExternalIdentity, ExternalUser, ExternalUsers, IssuerSettings, JwksFetch, JwksSettings,
    claims::{self, ExternalClaims},
    jwks::JwksCache,
    mapping,
    settings::invalid_settings,
};
use crate::{
    authenticator::{Authenticator, Credential},
    jwt::{invalid_token, jwk::KeyAlgorithm, jws::UnverifiedToken},
};

/// Authenticates the users of other issuers.
///
/// A token is accepted if all of this is true:
///
/// - It is a compact JWS as strict as our own tokens (see [`TokenVerifier`](crate::TokenVerifier)), under RS256 or
///   ES256.
/// - `iss` is a configured issuer, byte for byte, and a key of that issuer that may verify the token's algorithm
///   verifies it.
/// - It has the configured kind and audience ([`TokenKind`](super::TokenKind)).
/// - `sub` (1 to 255 visible ASCII characters) and `exp` are present. `exp`, `nbf` and `iat` are numbers between 1970
///   and 9999. The current time is before `exp` and not before `nbf` and `iat`, within the leeway.
/// - Every known claim has its type and is not null, and no name occurs twice.
///
/// The principal is `sub`, or the user that [`ExternalUsers`] returns. It is an agent when `sub` is the token's own
/// `client_id`, otherwise a person. It has the memberships from the issuer's rules and those of the user. An address
/// that the issuer does not call verified is ignored.
#[derive(Debug)]
pub struct Oidc {
    issuers: Vec<(IssuerSettings, JwksCache)>,
    users: Option<Arc<dyn ExternalUsers>>,
    clock: Arc<dyn Clock>,
}

/// Builds an [`Oidc`].
#[derive(Debug)]
pub struct OidcBuilder {
    issuers: Vec<IssuerSettings>,
    users: Option<Arc<dyn ExternalUsers>>,
    fetch: Arc<dyn JwksFetch>,
    keys: JwksSettings,
    clock: Arc<dyn Clock>,
}

impl OidcBuilder {
    /// Adds an issuer.
    #[must_use]
    pub fn issuer(mut self, issuer: IssuerSettings) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Sets the store of users, which creates users at their first token. Without it, memberships come from the rules
    /// only.
    #[must_use]
    pub fn users(mut self, users: Arc<dyn ExternalUsers>) -> Self {
        self.users = Some(users);
        self
    }

    /// Sets how the keys of issuers are cached.
    #[must_use]
    pub fn keys(mut self, keys: JwksSettings) -> Self {
        self.keys = keys;
        self
    }

    /// Builds the authenticator.
    ///
    /// # Errors
    /// For settings out of their limits, for an issuer that occurs twice, and for several issuers without
    /// [`OidcBuilder::users`], because two issuers may use the same `sub`.
    pub fn build(self) -> Result<Oidc> {
        if self.issuers.len() > 1 && self.users.is_none() {
            return Err(invalid_settings("several issuers need a store of users that keeps their users apart"));
        }
        let mut issuers: Vec<(IssuerSettings, JwksCache)> = Vec::with_capacity(self.issuers.len());
        for settings in self.issuers {
            let settings = settings.validated()?;
            if issuers.iter().any(|(known, _)| known.issuer == settings.issuer) {
                return Err(invalid_settings("an issuer is configured twice"));
            }
            let (fetch, clock) = (Arc::clone(&self.fetch), Arc::clone(&self.clock));
            let keys = JwksCache::new(settings.jwks.clone(), fetch, clock, self.keys);
            issuers.push((settings, keys));
        }
        Ok(Oidc { issuers, users: self.users, clock: self.clock })
    }
}

impl Oidc {
    /// Starts a builder. `fetch` retrieves the keys.
    #[must_use]
    pub fn builder(clock: Arc<dyn Clock>, fetch: Arc<dyn JwksFetch>) -> OidcBuilder {
        OidcBuilder { issuers: Vec::new(), users: None, fetch, keys: JwksSettings::default(), clock }
    }

    async fn principal(
        &self,
        settings: &IssuerSettings,
        keys: &JwksCache,
        token: &UnverifiedToken<'_>,
    ) -> Result<Principal> {
        let payload = keys.verify(token).await?;
        let claims = ExternalClaims::read(&payload)?;
        let checked = claims.check(settings, token.token_type(), self.clock.now())?;
        let mapped = mapped_memberships(settings, &payload)?;
        let verified = claims.email_is_verified();
        let user = match &self.users {
            Some(users) if !checked.machine => {
                let identity = ExternalIdentity {
                    issuer: &settings.issuer,
                    sub: &checked.sub,
                    email: claims.email.as_deref(),
                    email_verified: verified,
                    mapped: &mapped,
                };
                users.user(&identity).await?
            }
            _ => ExternalUser { id: checked.sub, memberships: BTreeMap::new(), default_tenant: None },
        };
        let mut memberships = user.memberships;
        for (tenant, role) in mapped {
            let known = memberships.entry(tenant).or_insert(role);
            *known = role.max(*known);
        }
        let kind = if checked.machine { ActorType::Agent } else { ActorType::Human };
        let mut principal = Principal::assume_verified(Actor { id: user.id, kind }, Arc::clone(&settings.issuer));
        principal.email = claims.email.as_deref().filter(|_| verified).map(Email::new);
        principal.default_tenant = user.default_tenant.or_else(|| single_tenant(&memberships));
        principal.memberships = memberships;
        principal.issued_at = checked.issued_at;
        principal.expires_at = Some(checked.expires_at);
        principal.credential_id = claims.jti.as_deref().map(Into::into);
        Ok(principal)
    }
}

/// Returns the memberships from the rules of the issuer.
fn mapped_memberships(settings: &IssuerSettings, payload: &[u8]) -> Result<BTreeMap<TenantId, Role>> {
    if settings.rules.is_empty() {
        return Ok(BTreeMap::new());
    }
    let claims: Map<String, Value> =
        serde_json::from_slice(payload).map_err(|_| invalid_token("the token's claims are nested too deeply"))?;
    Ok(mapping::memberships(&settings.rules, &claims))
}

/// A member of exactly one tenant has it as the default tenant.
fn single_tenant(memberships: &BTreeMap<TenantId, Role>) -> Option<TenantId> {
    memberships.keys().next().filter(|_| memberships.len() == 1).cloned()
}

#[async_trait]
impl Authenticator for Oidc {
    /// Takes bearer credentials with two dots, under RS256 or ES256, of a configured issuer. Others are left to the
    /// next authenticator.
    async fn authenticate(&self, credential: &Credential<'_>) -> Result<Option<Arc<Principal>>> {
        let Credential::Bearer(text) = credential else { return Ok(None) };
        if text.matches('.').count() != 2 {
            return Ok(None);
        }
        let token = UnverifiedToken::parse(text)?;
        if ![KeyAlgorithm::Rs256, KeyAlgorithm::Es256].iter().any(|alg| alg.name() == token.alg()) {
            return Ok(None);
        }
        let claimed = claims::issuer(&token.unverified_payload()?)?;
        let Some((settings, keys)) = self.issuers.iter().find(|(settings, _)| *settings.issuer == *claimed) else {
            return Ok(None);
        };
        self.principal(settings, keys, &token).await.map(|principal| Some(Arc::new(principal)))
    }
}
