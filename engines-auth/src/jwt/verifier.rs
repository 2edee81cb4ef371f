//! From a token's text to a principal.

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
/// Accepted is what all of this is true of, and nothing else:
/// - a compact JWS of at most 8 KiB whose header names exactly `HS256`, no name twice, and none of `crit` `b64` `zip` `enc` `jku` `jwk`
///   `x5u` `x5c`; `typ` is absent, `JWT` or `at+jwt`;
/// - the signature fits;
/// - `sub` (1 to 255 visible ASCII characters), `exp` and `iss` are there; `iss` is the one set, `aud` names one of those set, if any are;
/// - `exp`, `nbf` and `iat` are numbers between 1970 and 9999; now is before `exp` and not before `nbf` and `iat`, give or take the leeway;
/// - every claim we know has its type; no name occurs twice.
///
/// A tenant counts as a membership when it is in `tenant_ids` and has one of the four roles in `role_map`; an entry with a malformed
/// tenant id or an unknown role gives none, and a malformed `default_tenant_id` is as if it were absent. `actor_type` makes an agent when it says `agent`, otherwise a person.
///
/// With several keys, one that the header names (`kid`) is the only one tried; a token that names none of ours is tried with each.
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
    /// A verifier of tokens signed with `secret`.
    ///
    /// # Errors
    /// When the settings are out of their limits.
    pub fn new(secret: &SigningSecret, settings: JwtSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let key = VerifierKey { kid: None, key: Hs256Key::new(secret), until: None };
        Ok(Self { keys: vec![key], settings: settings.validated()?, clock, cache: TokenCache::new() })
    }

    /// A verifier of tokens signed with any of `keys`.
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

    /// Who `token` proves to be asking.
    ///
    /// # Errors
    /// `TOKEN_EXPIRED` for a token that is good but for its `exp`; `TOKEN_INVALID` for every other reason.
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

    /// The payload, if one of the keys signed it.
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
    /// Takes bearer credentials with two dots in them; leaves tokens of other algorithms to the next.
    async fn authenticate(&self, credential: &Credential<'_>) -> Result<Option<Arc<Principal>>> {
        let Credential::Bearer(text) = credential else { return Ok(None) };
        if text.bytes().filter(|byte| *byte == b'.').count() != 2 {
            return Ok(None);
        }
        let now = self.clock.now();
        // What is too long is refused before anything is computed over it.
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
