//! Verified addresses and password resets over HTTP.

use engines::auth::mail::MailPurpose;
use engines_server::HttpSettings;
use serde_json::{Value, json};

use crate::{
    fixture::{PASSWORD, Somebody, World, world, world_of},
    support,
};

const NEXT: &str = "another 88 Lantern, quiet";

async fn me(world: &World, who: &Somebody) -> Value {
    world.ask("GET", "/auth/me").bearer(&who.token).send().await.ok(200)["user"].clone()
}

#[tokio::test]
async fn an_address_is_verified_by_a_mailed_token_alone() {
    let world = world().await;
    let ada = world.signup("ada").await;
    assert_eq!(me(&world, &ada).await["email_verified"], false);
    let request = || world.ask("POST", "/auth/verify/request").bearer(&ada.token).send();
    assert_eq!(request().await.ok(202), json!({ "status": "accepted" }));
    assert_eq!(world.ask("POST", "/auth/verify/request").send().await.refusal(), (401, "TOKEN_MISSING"));
    let verify = |token: &str| world.post("/auth/verify", json!({ "token": token })).send();
    for bad in ["", "ev_", "nonsense", ada.refresh.as_str()] {
        assert_eq!(verify(bad).await.refusal(), (401, "TOKEN_INVALID"));
    }
    assert_eq!(world.post("/auth/verify", json!({})).send().await.refusal(), (400, "BODY_INVALID"));
    // No response contains a token that verifies an address. This includes the response to an invite for it.
    let path = format!("/tenants/{}/invites", ada.tenant);
    let body = json!({ "role": "viewer", "email": "bob@example.org" });
    let made = world.post(path, body).bearer(&ada.token).within(&ada.tenant).send().await.ok(201);
    let body = json!({ "token": made["token"], "email": "bob@example.org", "password": PASSWORD });
    let bob = world.post("/auth/invites/accept", body).send().await.ok(200);
    assert_eq!(bob["user"]["email_verified"], false);
    let token = world.mailed("ada", MailPurpose::Verify).await;
    assert_eq!(verify(&token).await.status, 204);
    assert_eq!(me(&world, &ada).await["email_verified"], true);
    assert_eq!(verify(&token).await.refusal(), (401, "TOKEN_INVALID"));
    let again = json!({ "email": "ada@example.org", "password": NEXT });
    assert_eq!(world.post("/auth/signup", again).send().await.refusal(), (409, "ALREADY_EXISTS"));
    request().await.ok(202);
}

#[tokio::test]
async fn a_forgotten_password_is_reset_and_asking_tells_nothing() {
    let world = world().await;
    let ada = world.signup("ada").await;
    world.verify("ada").await;
    world.signup("bob").await;
    let mut answers = Vec::new();
    for email in ["ada@example.org", "bob@example.org", "nobody@example.org", "no address at all", ""] {
        let answer = world.post("/auth/password/forgot", json!({ "email": email })).send().await;
        let mut headers = answer.headers.clone();
        for own in ["x-request-id", "traceparent", "date"] {
            headers.remove(own);
        }
        answers.push((answer.status, headers, answer.body));
    }
    assert_eq!((answers[0].0.as_u16(), &answers[0].2), (202, &json!({ "status": "accepted" })));
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    let token = world.mailed("ada", MailPurpose::Reset).await;
    let reset = |password: &str| {
        world.post("/auth/password/reset", json!({ "token": token.clone(), "password": password })).send()
    };
    assert_eq!(reset("short").await.refusal(), (400, "BODY_INVALID"));
    assert_eq!(reset(NEXT).await.status, 204);
    assert_eq!(reset(NEXT).await.refusal(), (401, "TOKEN_INVALID"));
    assert_eq!(world.look(&ada.token, &ada.tenant).await, 401);
    let login = json!({ "email": "ada@example.org", "password": NEXT });
    world.post("/auth/login", login).send().await.ok(200);
}

#[tokio::test]
async fn a_new_address_applies_after_it_is_verified() {
    let world = world().await;
    let ada = world.signup("ada").await;
    world.verify("ada").await;
    world.signup("taken").await;
    world.verify("taken").await;
    let change = |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password });
        world.post("/auth/email", body).bearer(&ada.token).send()
    };
    assert_eq!(change("new@example.org", "a guess").await.refusal(), (401, "CREDENTIALS_INVALID"));
    assert_eq!(change("no address", PASSWORD).await.refusal(), (400, "BODY_INVALID"));
    let (taken, free) = (change("taken@example.org", PASSWORD).await, change("new@example.org", PASSWORD).await);
    assert_eq!((taken.status, &taken.body), (free.status, &free.body));
    assert_eq!(free.ok(202), json!({ "status": "accepted" }));
    assert_eq!(me(&world, &ada).await["email"], "ada@example.org");
    world.verify("new").await;
    assert_eq!(me(&world, &ada).await["email"], "new@example.org");
    let old = json!({ "email": "ada@example.org", "password": PASSWORD });
    assert_eq!(world.post("/auth/login", old).send().await.refusal(), (401, "CREDENTIALS_INVALID"));
    world.login("new").await;
}

#[tokio::test]
async fn without_a_mailer_an_operator_marks_addresses() {
    let engine = engines::Engine::builder()
        .memory()
        .signing_secret(support::secret())
        .root_key(support::root())
        .identity(support::identity())
        .system_key(engines::auth::identity::SystemKey::new(support::SYSTEM_KEY).unwrap());
    let world = world_of(engine, HttpSettings::default()).await;
    let (ops, ada) = (world.signup("ops").await, world.signup("ada").await);
    let bootstrap = world.post("/auth/bootstrap/tenants", json!({ "owner_user_id": ops.id }));
    bootstrap.header("x-system-key", support::SYSTEM_KEY).send().await.ok(200);
    let request = world.ask("POST", "/auth/verify/request").bearer(&ada.token).send().await;
    assert_eq!(request.refusal(), (422, "OP_INVALID"));
    world.post("/auth/password/forgot", json!({ "email": "ada@example.org" })).send().await.ok(202);
    let mark = |token: &str, user: &str| world.ask("POST", format!("/users/{user}/verify-email")).bearer(token).send();
    assert_eq!(mark(&ada.token, &ada.id).await.refusal(), (403, "TENANT_FORBIDDEN"));
    assert_eq!(mark(&ops.token, &ada.id).await.status, 204);
    assert_eq!(mark(&ops.token, "nobody").await.refusal(), (404, "NOT_FOUND"));
    assert_eq!(me(&world, &ada).await["email_verified"], true);
}
