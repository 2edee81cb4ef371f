//! The authenticator of our own access tokens.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use engines_core::{Clock, Principal, Result, Timestamp};

use super::{
    claims::AccessTokenClaims,
    jws::{Hs256Key, UnverifiedToken, invalid_token},
    keys::SigningKeys,
    settings::JwtSettings,
    token_cache::{TokenCache, TokenDigest},
};
use crate::{
    authenticator::{Authenticator, Credential},
    secret::SigningSecret,
};

/// Verifies our own access tokens, and those minted elsewhere with the same secret.
///
/// A token is accepted if all of this is true:
///
/// - It is a compact JWS of at most 8 KiB. Its header names exactly `HS256`, no name twice, and none of `crit` `b64`
///   `zip` `enc` `jku` `jwk` `x5u` `x5c`. `typ` is absent, `JWT` or `at+jwt`.
/// - The signature matches.
/// - `sub` (1 to 255 visible ASCII characters), `exp` and `iss` are present. `iss` is the configured one. `aud` names
///   one of the configured audiences, if there are any.
/// - `exp`, `nbf` and `iat` are numbers between 1970 and 9999. The current time is before `exp` and not before `nbf`
///   and `iat`, within the leeway.
/// - Every known claim has its type, and no name occurs twice.
///
/// A tenant is a membership when it is in `tenant_ids` and has one of the four roles in `role_map`. An entry with a
/// malformed tenant id or an unknown role yields no membership, and a malformed `default_tenant_id` is ignored. The
/// actor is an agent when `actor_type` is `agent`, otherwise a person.
///
/// With several keys, a token that names one of them (`kid`) is verified with that key only. A token that names none of
/// them is tried with each.
pub struct TokenVerifier {
    keys: Vec<VerifierKey>,
    settings: JwtSettings,
    clock: Arc<dyn Clock>,
    cache: TokenCache,
}

/// A key with its name and its end.
struct VerifierKey {
    kid: Option<Box<str>>,
    key: Hs256Key,
    until: Option<Timestamp>,
}

impl TokenVerifier {
    /// Creates a verifier of tokens signed with `secret`.
    ///
    /// # Errors
    /// When the settings are out of their limits.
    pub fn new(secret: &SigningSecret, settings: JwtSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let key = VerifierKey { kid: None, key: Hs256Key::new(secret), until: None };
        Ok(Self { keys: vec![key], settings: settings.validated()?, clock, cache: TokenCache::new() })
    }

    /// Creates a verifier of tokens signed with any of `keys`.
    ///
    /// # Errors
    /// As [`TokenVerifier::new`].
    pub fn with_keys(keys: &SigningKeys, settings: JwtSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let known = keys.iter().map(|known| VerifierKey {
            kid: known.kid.clone(),
            key: Hs256Key::new(&known.secret),
            until: known.until,
        });
        Ok(Self { keys: known.collect(), settings: settings.validated()?, clock, cache: TokenCache::new() })
    }

    /// Verifies `token` and returns its principal.
    ///
    /// # Errors
    /// `TOKEN_EXPIRED` for a token that is valid except for its `exp`; `TOKEN_INVALID` for every other reason.
    pub fn verify(&self, token: &str) -> Result<Principal> {
        self.verify_parsed(&UnverifiedToken::parse(token)?)
    }

    fn verify_parsed(&self, token: &UnverifiedToken<'_>) -> Result<Principal> {
        if !token.is_access_token() {
            return Err(invalid_token("the token's typ is not that of an access token"));
        }
        let now = self.clock.now();
        let payload = self.verify_signature(token, now)?;
        AccessTokenClaims::read(&payload)?.check(&self.settings, now)
    }

    /// Returns the payload, if one of the keys signed it.
    fn verify_signature(&self, token: &UnverifiedToken<'_>, now: Timestamp) -> Result<Vec<u8>> {
        let named = |key: &VerifierKey| key.kid.is_some() && key.kid.as_deref() == token.kid();
        let tried = match self.keys.iter().find(|key| named(key)) {
            Some(key) => std::slice::from_ref(key),
            None => &self.keys,
        };
        let mut answer = Err(invalid_token("no key that is still accepted signed the token"));
        for key in tried.iter().filter(|key| key.until.is_none_or(|end| now < end)) {
            answer = token.verify_hs256(&key.key);
            if answer.is_ok() {
                break;
            }
        }
        answer
    }
}

#[async_trait]
impl Authenticator for TokenVerifier {
    /// Takes bearer credentials with two dots. Tokens of other algorithms are left to the next authenticator.
    async fn authenticate(&self, credential: &Credential<'_>) -> Result<Option<Arc<Principal>>> {
        let Credential::Bearer(text) = credential else { return Ok(None) };
        if text.bytes().filter(|byte| *byte == b'.').count() != 2 {
            return Ok(None);
        }
        let now = self.clock.now();
        // A token that is too long is refused before its digest is computed.
        let name = (text.len() <= Credential::MAX_BYTES).then(|| TokenDigest::of(text));
        if let Some(principal) = name.as_ref().and_then(|name| self.cache.get(name, now)) {
            return Ok(Some(principal));
        }
        let token = UnverifiedToken::parse(text)?;
        if !token.is_hs256() {
            return Ok(None);
        }
        let principal = Arc::new(self.verify_parsed(&token)?);
        if let Some(name) = name {
            self.cache.insert(name, &principal, now);
        }
        Ok(Some(principal))
    }
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier").field("settings", &self.settings).finish_non_exhaustive()
    }
}
