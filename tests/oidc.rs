//! A user of another issuer, from the first token to a thread in a tenant of their own.

use async_trait::async_trait;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use engines::{
    Code, Engine, Result,
    auth::{
        BodyClaims, Given, Presented,
        identity::Caller,
        oidc::{FetchLimits, Fetched, IssuerSettings, JwksFetch, JwksUrl, TokenKind},
    },
    core::testing::ManualClock,
    prelude::*,
};
use serde_json::json;

const ISSUER: &str = "https://id.example.org/pool";

/// The issuer's keys without the network.
#[derive(Debug)]
struct Keys(String);

#[async_trait]
impl JwksFetch for Keys {
    async fn fetch(&self, _: &JwksUrl, _: FetchLimits) -> Result<Fetched> {
        Ok(Fetched { body: self.0.clone().into_bytes(), cache_control: None })
    }
}

#[tokio::test]
async fn a_stranger_comes_in_and_starts_a_thread() {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = key.public_key().as_ref();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({"kty":"EC","crv":"P-256","kid":"k1","x":part(&point[1..33]),"y":part(&point[33..])});
    let jwks = JwksUrl::new("https://id.example.org/pool/.well-known/jwks.json").unwrap();
    let mut pool = IssuerSettings::new(ISSUER, jwks, "web");
    pool.kind = TokenKind::CognitoId;
    let keys = Keys(json!({ "keys": [jwk] }).to_string());
    let engine = Engine::builder().memory().clock(ManualClock::default()).oidc(vec![pool], keys).build().await.unwrap();

    let claims = json!({"iss":ISSUER,"sub":"8f2d","aud":"web","token_use":"id","exp":1_767_229_200,
        "email":"ada@example.org","email_verified":true});
    let message = format!("{}.{}", part(br#"{"alg":"ES256","kid":"k1"}"#), part(claims.to_string().as_bytes()));
    let signature = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    let bearer = format!("Bearer {message}.{}", part(signature.as_ref()));
    let presented = |env| Presented {
        authorization: Given::one(&bearer),
        env_headers: Given::one(env),
        user_ids: Given::one("8f2d"),
        ..Presented::default()
    };
    let ada = engine.door().authenticate(&presented("dev")).await.unwrap();
    let context = engine.door().admit(&ada, &presented("dev"), &BodyClaims::default()).await.unwrap();
    assert!(context.scope().tenant().as_str().starts_with("t_ada-"));
    let thread = engine.chat().create_thread(&context, NewThread::default()).await.unwrap();
    engine.chat().thread(&context, &thread.thread_id).await.unwrap();

    // Without a signing secret there are no accounts, and all else that identity is.
    let identity = engine.identity().unwrap();
    let trace = context.trace();
    let caller = Caller { address: None, user_agent: None, trace };
    let login = serde_json::from_value(json!({"email":"ada@example.org","password":"plum-Lantern-77"})).unwrap();
    assert_eq!(identity.login(login, caller).await.unwrap_err().code(), Code::NotFound);
    let invite = serde_json::from_value(json!({"role":"member"})).unwrap();
    let invited = identity.create_invite(&context, context.scope().tenant(), invite).await;
    assert_eq!(invited.unwrap_err().code(), Code::NotFound);
    let me = identity.me(&ada).await.unwrap();
    assert_eq!((me.memberships.len(), me.user.email.as_deref()), (1, Some("ada@example.org")));
    let key = serde_json::from_value(json!({"role":"member"})).unwrap();
    let key = identity.api_keys().create(&context, key).await.unwrap();
    let bearer_of_key = format!("Bearer {}", key.key.expose());
    let by_key = Presented { authorization: Given::one(&bearer_of_key), ..Presented::default() };
    assert!(engine.door().authenticate(&by_key).await.is_ok());
    let control = engine.system(Scope::system().unwrap(), "a test").unwrap();
    identity.set_user_disabled(&control, &ada.actor.id, true).await.unwrap();
    assert_eq!(engine.door().authenticate(&presented("dev")).await.unwrap_err().code(), Code::TokenInvalid);

    let forged = format!("Bearer {message}.{}", part(&[0; 64]));
    let forged = Presented { authorization: Given::one(&forged), ..Presented::default() };
    assert_eq!(engine.door().authenticate(&forged).await.unwrap_err().code(), Code::TokenInvalid);
}
