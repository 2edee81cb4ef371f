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
        AuthInput, BodyClaims, FieldValues,
        identity::{AcceptRequest, AcceptResponse, Caller},
        oidc::{FetchLimits, IssuerSettings, JwksFetch, JwksUrl, KeySetResponse, TokenKind},
    },
    core::{nexus::PageRequest, testing::ManualClock},
    prelude::*,
};
use serde_json::json;

const ISSUER: &str = "https://id.example.org/pool";

/// The issuer's keys without the network.
#[derive(Debug)]
struct StaticJwks(String);

#[async_trait]
impl JwksFetch for StaticJwks {
    async fn fetch(&self, _: &JwksUrl, _: FetchLimits) -> Result<KeySetResponse> {
        Ok(KeySetResponse { body: self.0.clone().into_bytes(), cache_control: None })
    }
}

#[tokio::test]
async fn a_new_oidc_user_gets_a_tenant_and_creates_a_thread() {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = key.public_key().as_ref();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({"kty":"EC","crv":"P-256","kid":"k1","x":part(&point[1..33]),"y":part(&point[33..])});
    let jwks = JwksUrl::new("https://id.example.org/pool/.well-known/jwks.json").unwrap();
    let mut pool = IssuerSettings::new(ISSUER, jwks, "web");
    pool.kind = TokenKind::CognitoId;
    let keys = StaticJwks(json!({ "keys": [jwk] }).to_string());
    let engine = Engine::builder().memory().clock(ManualClock::default()).oidc(vec![pool], keys).build().await.unwrap();

    let signed = |sub: &str| {
        let claims = json!({"iss":ISSUER,"sub":sub,"aud":"web","token_use":"id","exp":1_767_229_200});
        let message = format!("{}.{}", part(br#"{"alg":"ES256","kid":"k1"}"#), part(claims.to_string().as_bytes()));
        format!("Bearer {message}.{}", part(key.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref()))
    };
    let claims = json!({"iss":ISSUER,"sub":"8f2d","aud":"web","token_use":"id","exp":1_767_229_200,
        "email":"ada@example.org","email_verified":true});
    let message = format!("{}.{}", part(br#"{"alg":"ES256","kid":"k1"}"#), part(claims.to_string().as_bytes()));
    let signature = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    let bearer = format!("Bearer {message}.{}", part(signature.as_ref()));
    let presented = |env| AuthInput {
        authorization: FieldValues::one(&bearer),
        env_headers: FieldValues::one(env),
        user_ids: FieldValues::one("8f2d"),
        ..AuthInput::default()
    };
    let ada = engine.admission().authenticate(&presented("dev")).await.unwrap();
    let context = engine.admission().admit(&ada, &presented("dev"), &BodyClaims::default()).await.unwrap();
    assert!(context.scope().tenant().as_str().starts_with("t_ada-"));
    let thread = engine.chat().create_thread(&context, NewThread::default()).await.unwrap();
    engine.chat().thread(&context, &thread.thread_id).await.unwrap();

    // Without a signing secret there are no accounts; all other parts of identity exist.
    let identity = engine.identity().unwrap();
    let trace = context.trace();
    let caller = Caller { address: None, user_agent: None, trace };
    let login = serde_json::from_value(json!({"email":"ada@example.org","password":"plum-Lantern-77"})).unwrap();
    assert_eq!(identity.login(login, caller).await.unwrap_err().code(), Code::NotFound);
    let invite = serde_json::from_value(json!({"role":"member"})).unwrap();
    let invited = identity.create_invite(&context, context.scope().tenant(), invite).await;
    assert_eq!(invited.unwrap_err().code(), Code::NotFound);
    // Members are invited by their ids, and accept with a token of their issuer.
    let home = context.scope().tenant();
    let by_mail = serde_json::from_value(json!({"email":"bob@example.org","role":"member"})).unwrap();
    assert_eq!(identity.add_member(&context, home, by_mail).await.unwrap_err().code(), Code::NotFound);
    for sub in ["9abc", "nobody-at-all"] {
        let by_id = serde_json::from_value(json!({"user_id":sub,"role":"member"})).unwrap();
        identity.add_member(&context, home, by_id).await.unwrap();
    }
    let (bob, eve) = (signed("9abc"), signed("7eee"));
    let as_bob = AuthInput {
        authorization: FieldValues::one(&bob),
        env_headers: FieldValues::one("dev"),
        tenant_headers: FieldValues::one(home.as_str()),
        ..AuthInput::default()
    };
    let bob = engine.admission().authenticate(&as_bob).await.unwrap();
    let refused = engine.admission().admit(&bob, &as_bob, &BodyClaims::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::TenantForbidden);
    let as_eve = AuthInput { authorization: FieldValues::one(&eve), ..AuthInput::default() };
    let eve = engine.admission().authenticate(&as_eve).await.unwrap();
    let own = identity.own_invites(&bob, PageRequest::first(9)).await.unwrap().items;
    assert_eq!((own.len(), identity.own_invites(&eve, PageRequest::first(9)).await.unwrap().items.len()), (1, 0));
    let accept = || AcceptRequest { invite_id: Some(own[0].invite_id.clone()), ..AcceptRequest::default() };
    assert_eq!(identity.accept_invite(Some(&eve), accept(), caller).await.unwrap_err().code(), Code::NotFound);
    let AcceptResponse::Me(joined) = identity.accept_invite(Some(&bob), accept(), caller).await.unwrap() else {
        panic!("their tokens stay the issuer's");
    };
    assert_eq!(joined.memberships.len(), 2);
    assert_ne!(joined.tenant.unwrap().tenant_id, *home, "nobody else chooses a default");
    engine.admission().admit(&bob, &as_bob, &BodyClaims::default()).await.unwrap();
    let me = identity.me(&ada).await.unwrap();
    assert_eq!((me.memberships.len(), me.user.email.as_deref()), (1, Some("ada@example.org")));
    let key = serde_json::from_value(json!({"role":"member"})).unwrap();
    let key = identity.api_keys().create(&context, key).await.unwrap();
    let bearer_of_key = format!("Bearer {}", key.key.expose());
    let by_key = AuthInput { authorization: FieldValues::one(&bearer_of_key), ..AuthInput::default() };
    assert!(engine.admission().authenticate(&by_key).await.is_ok());
    let control = engine.system(Scope::system().unwrap(), "a test").unwrap();
    identity.set_user_disabled(&control, &ada.actor.id, true).await.unwrap();
    assert_eq!(engine.admission().authenticate(&presented("dev")).await.unwrap_err().code(), Code::TokenInvalid);

    let forged = format!("Bearer {message}.{}", part(&[0; 64]));
    let forged = AuthInput { authorization: FieldValues::one(&forged), ..AuthInput::default() };
    assert_eq!(engine.admission().authenticate(&forged).await.unwrap_err().code(), Code::TokenInvalid);
}
