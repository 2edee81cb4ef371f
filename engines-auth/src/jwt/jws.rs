//! The raw layer: a compact JWS (RFC 7515 section 3.1), without the meaning of its payload.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use engines_core::{Code, Error, Result};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto::aws_lc::DEFAULT_PROVIDER};

use super::{
    header::{TokenHeader, TokenType},
    strict_json,
    verifying_key::VerifyingKey,
};
use crate::{authenticator::Credential, secret::SigningSecret};

/// The algorithm of our own tokens.
const HS256: &str = "HS256";

/// A key that verifies HS256 signatures.
pub struct Hs256Key(DecodingKey);

impl Hs256Key {
    /// Creates the key from the signing secret.
    #[must_use]
    pub fn new(secret: &SigningSecret) -> Self {
        Self(DecodingKey::from_secret(secret.bytes()))
    }
}

impl std::fmt::Debug for Hs256Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hs256Key(…)")
    }
}

/// A well-formed compact JWS whose signature is not verified.
pub struct UnverifiedToken<'a> {
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
    alg: Cow<'static, str>,
    kid: Option<Box<str>>,
    typ: TokenType,
}

impl<'a> UnverifiedToken<'a> {
    /// Splits `token` and reads its header.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for more than [`Credential::MAX_BYTES`] bytes, for anything but three parts of canonical
    /// base64url without padding, and for a header that is malformed, repeats a name, or holds a forbidden parameter.
    pub fn parse(token: &'a str) -> Result<Self> {
        if token.len() > Credential::MAX_BYTES {
            return Err(invalid_token("the token is longer than 8 KiB"));
        }
        let malformed = || invalid_token("the token is not three parts of base64url, separated by dots");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| malformed())?;
        let header: TokenHeader<'_> = strict_json::parse_object(&header).map_err(|_| {
            invalid_token("the token's header is malformed, repeats a name, or holds a parameter that is not accepted")
        })?;
        let alg = match header.alg.as_deref() {
            None => return Err(invalid_token("the token's header names no algorithm")),
            Some(HS256) => Cow::Borrowed(HS256),
            Some(other) => Cow::Owned(other.to_owned()),
        };
        let kid = header.kid.as_deref().map(Into::into);
        Ok(Self { signed, payload, signature, alg, kid, typ: header.token_type() })
    }

    /// Returns whether the header names exactly HS256, the only algorithm that [`UnverifiedToken::verify_hs256`]
    /// accepts.
    #[must_use]
    pub fn is_hs256(&self) -> bool {
        self.alg == HS256
    }

    /// Returns the algorithm in the header, exactly as written.
    #[must_use]
    pub fn alg(&self) -> &str {
        &self.alg
    }

    /// Returns the name of the key in the header. Look it up among known keys only.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns whether the `typ` of the header allows an access token.
    #[must_use]
    pub fn is_access_token(&self) -> bool {
        self.typ != TokenType::Other
    }

    /// Returns the type that the `typ` of the header names.
    #[must_use]
    pub fn token_type(&self) -> TokenType {
        self.typ
    }

    /// Returns the payload without verifying the signature.
    ///
    /// # Errors
    /// `TOKEN_INVALID` when it is not base64url.
    pub fn unverified_payload(&self) -> Result<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| invalid_token("the token's payload is not base64url"))
    }

    /// Verifies the signature of header and payload with `key`, and returns the payload.
    ///
    /// # Errors
    /// `TOKEN_INVALID` when the header names another algorithm than that of the key, when the payload or the signature
    /// is not base64url, and when the signature does not match.
    pub fn verify(&self, key: &VerifyingKey) -> Result<Vec<u8>> {
        if self.alg != key.alg().name() {
            return Err(invalid_token("the token's algorithm is not that of its key"));
        }
        self.verify_signature(key.alg().to_algorithm(), key.decoding_key())
    }

    /// Verifies the HS256 signature of header and payload with `key`, in constant time, and returns the payload.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for any other algorithm, for a payload or signature that is not base64url, and for a signature
    /// that does not match.
    pub fn verify_hs256(&self, key: &Hs256Key) -> Result<Vec<u8>> {
        if !self.is_hs256() {
            return Err(invalid_token("the token's algorithm is not the one expected"));
        }
        self.verify_signature(Algorithm::HS256, &key.0)
    }

    fn verify_signature(&self, algorithm: Algorithm, key: &DecodingKey) -> Result<Vec<u8>> {
        let wrong = || invalid_token("the token's signature does not match");
        let signature = URL_SAFE_NO_PAD.decode(self.signature).map_err(|_| wrong())?;
        // The factory is named directly, because the process-wide default of the crate depends on the features that
        // other crates enable.
        let verifier =
            (DEFAULT_PROVIDER.verifier_factory)(&algorithm, key).map_err(|error| Error::internal("auth.jws", error))?;
        verifier.verify(self.signed.as_bytes(), &signature).map_err(|_| wrong())?;
        self.unverified_payload()
    }
}

impl std::fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UnverifiedToken(…)")
    }
}

/// Signs `payload` with HS256 as a compact JWS. Its header names the key if it has a name (which needs no escapes in
/// JSON).
pub(super) fn sign_hs256(payload: &[u8], key: &EncodingKey, kid: Option<&str>) -> Result<String> {
    let mut token = match kid {
        None => URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#),
        Some(kid) => URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"JWT"}}"#)),
    };
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signer = (DEFAULT_PROVIDER.signer_factory)(&Algorithm::HS256, key)
        .map_err(|error| Error::internal("auth.jws", error))?;
    let signature = signer.try_sign(token.as_bytes()).map_err(|error| Error::internal("auth.jws", error))?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

pub(crate) fn invalid_token(detail: &'static str) -> Error {
    Error::new(Code::TokenInvalid, "auth.token", detail)
}
