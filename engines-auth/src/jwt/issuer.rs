//! Issuing of our own access tokens.

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

/// The content and lifetime of a token to issue.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// The user (`sub`).
    pub sub: UserId,
    /// The e-mail address of the user (`email`).
    pub email: Option<Email>,
    /// Whether the address is verified (`email_verified`, OpenID Connect Core 1.0 section 5.1). With `None` the claim
    /// is left out.
    pub email_verified: Option<bool>,
    /// Tenants and roles (`tenant_ids`, `role_map`).
    pub memberships: BTreeMap<TenantId, Role>,
    /// The tenant of requests that name none (`default_tenant_id`).
    pub default_tenant: Option<TenantId>,
    /// A person or an agent. `System` is refused.
    pub actor_type: ActorType,
    /// The session of the token (`sid`, OpenID Connect Front-Channel Logout 1.0 section 3).
    pub session: Option<Arc<str>>,
    /// The lifetime from now, in whole seconds, from one second to [`TokenIssuer::MAX_TTL`].
    pub ttl: Duration,
}

impl TokenRequest {
    /// Creates a request for a person without memberships. Set the other fields as needed.
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

/// An issued token. Its `Debug` output does not contain its text. It is overwritten in memory when dropped.
pub struct AccessToken {
    text: Zeroizing<String>,
    /// The time at which the token expires.
    pub expires_at: Timestamp,
    /// Seconds from the issue to the expiry (`expires_in`).
    pub expires_in: u64,
    /// The id of the token (`jti`).
    pub id: String,
}

impl AccessToken {
    /// Returns the text of the token. Give it to the bearer only.
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
    /// The longest lifetime of a token.
    pub const MAX_TTL: Duration = Duration::from_secs(30 * 24 * 3600);

    /// Creates an issuer that signs with `secret`.
    ///
    /// # Errors
    /// When the settings are out of their limits.
    pub fn new(secret: &SigningSecret, settings: JwtSettings, clock: Arc<dyn Clock>, ids: IdGenerator) -> Result<Self> {
        let key = EncodingKey::from_secret(secret.bytes());
        Ok(Self { key, kid: None, settings: settings.validated()?, clock, ids })
    }

    /// Creates an issuer that signs with the current one of several keys, and names it in the header of tokens.
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
    /// `BODY_INVALID` for a `ttl` out of its limits, for the actor type `System`, and for more memberships than fit
    /// into a token that would be accepted (8 KiB: about a hundred).
    pub fn issue(&self, request: &TokenRequest) -> Result<AccessToken> {
        let refuse = |field, detail: &'static str| Err(Error::invalid_body("auth.issue", field, detail));
        let expires_in = request.ttl.as_secs();
        if expires_in == 0 || request.ttl > Self::MAX_TTL {
            return refuse("ttl", "the lifetime of a token is one second to thirty days");
        }
        if request.actor_type == ActorType::System {
            return refuse("actor_type", "a token cannot have the actor type system");
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
