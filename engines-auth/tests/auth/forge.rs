//! Forged tokens: any header and any payload, with a valid signature.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use engines_auth::{JwtSettings, SigningSecret, TokenVerifier};
use engines_core::{Clock, Code, Principal, testing::ManualClock};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};

pub(crate) const SECRET: &str = "the secret of these tests, 32 bytes and more";

/// 2026-01-01T00:00:00Z, where the manual clock starts.
pub(crate) const NOW: i64 = 1_767_225_600;

pub(crate) const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

pub(crate) fn b64(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// Signs exactly this header and payload with `secret` under HMAC with SHA-256, whatever the header says.
pub(crate) fn sign_with(secret: &[u8], header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let message = format!("{}.{}", b64(header), b64(payload));
    let signature = crypto::sign(message.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

pub(crate) fn sign(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    sign_with(SECRET.as_bytes(), header, payload)
}

/// Returns valid claims.
pub(crate) fn good_claims() -> String {
    format!(
        r#"{{"sub":"ada","iss":"engines","exp":{},"iat":{NOW},"email":"ada@example.org","tenant_ids":["t_acme","t_beta"],"default_tenant_id":"t_acme","role_map":{{"t_acme":"member","t_beta":"owner"}},"jti":"01"}}"#,
        NOW + 600
    )
}

/// Valid claims, followed by the members in `more`.
pub(crate) fn claims_with(more: &str) -> String {
    format!(r#"{{"sub":"ada","iss":"engines","exp":{},{more}}}"#, NOW + 600)
}

pub(crate) fn verifier_with(settings: JwtSettings) -> (TokenVerifier, ManualClock) {
    let clock = ManualClock::default();
    let secret = SigningSecret::new(SECRET).unwrap();
    let verifier = TokenVerifier::new(&secret, settings, Arc::new(clock.clone()) as Arc<dyn Clock>).unwrap();
    (verifier, clock)
}

pub(crate) fn verify(token: &str) -> Result<Principal, Code> {
    verifier_with(JwtSettings::default()).0.verify(token).map_err(|error| error.code())
}

pub(crate) fn verify_claims(claims: impl AsRef<[u8]>) -> Result<Principal, Code> {
    verify(&sign(HEADER, claims))
}
