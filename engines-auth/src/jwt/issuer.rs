//! Issuing our own access tokens.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use engines_core::{ActorType, Clock, Error, IdGenerator, Result, Role, TenantId, Timestamp, UserId, context::Email};
use jsonwebtoken::EncodingKey;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{jws, keys::SigningKeys, settings::JwtSettings};
use crate::{authenticator::Credential, secret::SigningSecret};

/// Issues access tokens that a [`TokenVerifier`](crate::TokenVerifier) with the same secret and settings accepts.
pub struct TokenIssuer {
    key: EncodingKey,
    kid: Option<Box<str>>,
    settings: JwtSettings,
    clock: Arc<dyn Clock>,
    ids: IdGenerator,
}

/// For whom a token is to be, and for how long.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// Who (`sub`).
    pub sub: UserId,
    /// Their e-mail address.
    pub email: Option<Email>,
    /// Whether the address is verified (`email_verified`, OpenID Connect Core 1.0 section 5.1); nothing is said about it without one.
    pub email_verified: Option<bool>,
    /// Tenants and roles (`tenant_ids`, `role_map`).
    pub memberships: BTreeMap<TenantId, Role>,
    /// The tenant meant when a request names none.
    pub default_tenant: Option<TenantId>,
    /// A person or an agent; never the system.
    pub actor_type: ActorType,
    /// The session it belongs to (`sid`, OpenID Connect Front-Channel Logout 1.0 section 3).
    pub session: Option<Arc<str>>,
    /// How long it is good, from now; in whole seconds, from one to [`TokenIssuer::MAX_TTL`].
    pub ttl: Duration,
}

impl TokenRequest {
    /// For a person without memberships; fill in the rest.
    #[must_use]
    pub fn new(sub: UserId, ttl: Duration) -> Self {
        Self {
            sub,
            email: None,
            email_verified: None,
            memberships: BTreeMap::new(),
            default_tenant: None,
            actor_type: ActorType::Human,
            session: None,
            ttl,
        }
    }
}

/// A token just issued. It does not print itself, and is overwritten in memory when dropped.
pub struct AccessToken {
    text: Zeroizing<String>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Seconds until then, as it was issued (`expires_in`).
    pub expires_in: u64,
    /// Its id (`jti`).
    pub id: String,
}

impl AccessToken {
    /// The token's text, for its bearer alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("id", &self.id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    aud: &'a [Arc<str>],
    sub: &'a UserId,
    iat: i64,
    exp: i64,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    tenant_ids: Vec<&'a TenantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_tenant_id: Option<&'a TenantId>,
    role_map: &'a BTreeMap<TenantId, Role>,
    actor_type: ActorType,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
}

impl TokenIssuer {
    /// The longest a token may be good.
    pub const MAX_TTL: Duration = Duration::from_secs(30 * 24 * 3600);

    /// An issuer that signs with `secret`.
    ///
    /// # Errors
    /// When the settings are out of their limits.
    pub fn new(secret: &SigningSecret, settings: JwtSettings, clock: Arc<dyn Clock>, ids: IdGenerator) -> Result<Self> {
        let key = EncodingKey::from_secret(secret.bytes());
        Ok(Self { key, kid: None, settings: settings.validated()?, clock, ids })
    }

    /// An issuer that signs with the current one of several keys, and names it in the tokens' header.
    ///
    /// # Errors
    /// As [`TokenIssuer::new`].
    pub fn with_keys(
        keys: &SigningKeys,
        settings: JwtSettings,
        clock: Arc<dyn Clock>,
        ids: IdGenerator,
    ) -> Result<Self> {
        let current = keys.current()?;
        Ok(Self { kid: current.kid.clone(), ..Self::new(&current.secret, settings, clock, ids)? })
    }

    /// Issues a token.
    ///
    /// # Errors
    /// `BODY_INVALID` for a `ttl` out of its limits, the actor type `system`, and more memberships than fit into a token that
    /// would be accepted (8 KiB: about a hundred).
    pub fn issue(&self, request: &TokenRequest) -> Result<AccessToken> {
        let refuse = |field, detail: &'static str| Err(Error::invalid_body("auth.issue", field, detail));
        let expires_in = request.ttl.as_secs();
        if expires_in == 0 || request.ttl > Self::MAX_TTL {
            return refuse("ttl", "a token is good for one second to thirty days");
        }
        if request.actor_type == ActorType::System {
            return refuse("actor_type", "no token makes its bearer the system");
        }
        let now = self.clock.now();
        let expires_at = Timestamp::from_secs(now.as_secs()).plus(Duration::from_secs(expires_in));
        let id = self.ids.ulid(now).to_string();
        let payload = Payload {
            iss: &self.settings.issuer,
            aud: &self.settings.audience,
            sub: &request.sub,
            iat: now.as_secs(),
            exp: expires_at.as_secs(),
            jti: &id,
            email: request.email.as_ref().map(Email::expose),
            email_verified: request.email_verified,
            tenant_ids: request.memberships.keys().collect(),
            default_tenant_id: request.default_tenant.as_ref(),
            role_map: &request.memberships,
            actor_type: request.actor_type,
            sid: request.session.as_deref(),
        };
        let payload = serde_json::to_vec(&payload).map_err(|error| Error::internal("auth.issue", error))?;
        let text = Zeroizing::new(jws::sign_hs256(&payload, &self.key, self.kid.as_deref())?);
        if text.len() > Credential::MAX_BYTES {
            return refuse("memberships", "too many memberships for one token; issue it for fewer tenants");
        }
        Ok(AccessToken { text, expires_at, expires_in, id })
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuer").field("settings", &self.settings).finish_non_exhaustive()
    }
}
