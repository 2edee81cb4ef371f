//! Another token issuer, without the network.

use std::sync::LazyLock;

use async_trait::async_trait;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use engines::{
    Clock, EngineBuilder, Result, Role, SystemClock, TenantId,
    auth::oidc::{FetchLimits, IssuerSettings, JwksFetch, JwksUrl, KeySetResponse, RoleRule, TokenKind},
};
use serde_json::json;

const ISSUER: &str = "https://id.example.org/pool";

static KEY: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());

#[derive(Debug)]
struct StaticJwks;

#[async_trait]
impl JwksFetch for StaticJwks {
    async fn fetch(&self, _: &JwksUrl, _: FetchLimits) -> Result<KeySetResponse> {
        let point = KEY.public_key().as_ref();
        let jwk =
            json!({"kty":"EC","crv":"P-256","kid":"k1","x":encode_part(&point[1..33]),"y":encode_part(&point[33..])});
        Ok(KeySetResponse { body: json!({ "keys": [jwk] }).to_string().into_bytes(), cache_control: None })
    }
}

fn encode_part(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Accepts its users; those of the group `acme-members` are members of `t_acme`.
pub(crate) fn issuer(builder: EngineBuilder) -> EngineBuilder {
    let jwks = JwksUrl::new("https://id.example.org/pool/.well-known/jwks.json").unwrap();
    let mut pool = IssuerSettings::new(ISSUER, jwks, "web");
    pool.kind = TokenKind::CognitoId;
    pool.rules.push(RoleRule {
        claim: "groups".into(),
        value: "acme-members".into(),
        tenant_id: TenantId::new("t_acme").unwrap(),
        role: Role::Member,
    });
    builder.oidc(vec![pool], StaticJwks)
}

/// A token of one of its users.
pub(crate) fn token(sub: &str, groups: &[&str]) -> String {
    let exp = SystemClock.now().as_millis() / 1000 + 600;
    let claims = json!({ "iss": ISSUER, "sub": sub, "aud": "web", "token_use": "id", "exp": exp, "groups": groups });
    let message =
        format!("{}.{}", encode_part(br#"{"alg":"ES256","kid":"k1"}"#), encode_part(claims.to_string().as_bytes()));
    let signature = KEY.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    format!("{message}.{}", encode_part(signature.as_ref()))
}
