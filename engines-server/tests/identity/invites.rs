//! Invites.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{PASSWORD, Somebody, World, world};

async fn invite(world: &World, by: &Somebody, body: Value) -> Value {
    let path = format!("/tenants/{}/invites", by.tenant);
    world.post(path, body).bearer(&by.token).within(&by.tenant).send().await.ok(201)
}

#[tokio::test]
async fn new_and_existing_users_accept_invites() {
    let world = world().await;
    let (ada, bob) = (world.signup("ada").await, world.signup("bob").await);
    let accept = |body: Value| world.post("/auth/invites/accept", body);
    let made = invite(&world, &ada, json!({ "role": "member", "email": "carol@example.org" })).await;
    assert_eq!((&made["role"], &made["for_one_address"]), (&json!("member"), &json!(true)));
    // The invite is for one address, and a new account needs a password.
    let token = &made["token"];
    let wrong = accept(json!({ "token": token, "email": "eve@example.org", "password": PASSWORD })).send().await;
    assert_eq!(wrong.refusal(), (401, "TOKEN_INVALID"));
    assert_eq!(accept(json!({ "token": token })).send().await.refusal(), (401, "TOKEN_MISSING"));
    assert_eq!(accept(json!({ "token": token })).bearer("garbage").send().await.refusal(), (401, "TOKEN_INVALID"));
    assert_eq!(accept(json!({ "token": token })).bearer(&bob.token).send().await.refusal(), (401, "TOKEN_INVALID"));
    let weak = accept(json!({ "token": token, "email": "carol@example.org", "password": "short" })).send().await;
    assert_eq!(weak.refusal(), (400, "BODY_INVALID"));
    let carol = accept(json!({ "token": token, "email": "carol@example.org", "password": PASSWORD })).send().await;
    assert_eq!(carol.header("cache-control"), Some("no-store"));
    let carol = Somebody::of(&carol.ok(200));
    assert_eq!(carol.tenant, ada.tenant);
    assert_eq!(world.look(&carol.token, &ada.tenant).await, 200);
    // It is valid once.
    let again = accept(json!({ "token": token, "email": "carol@example.org", "password": PASSWORD })).send().await;
    assert_eq!(again.refusal(), (401, "TOKEN_INVALID"));

    let made = invite(&world, &ada, json!({ "role": "viewer" })).await;
    let joined = accept(json!({ "token": made["token"] })).bearer(&bob.token).send().await.ok(200);
    assert_eq!(joined["memberships"].as_array().unwrap().len(), 2);
    assert_eq!(world.look(&bob.token, &ada.tenant).await, 200);
    let made = invite(&world, &ada, json!({ "role": "viewer" })).await;
    let member = accept(json!({ "token": made["token"] })).bearer(&bob.token).send().await;
    assert_eq!(member.refusal(), (409, "ALREADY_EXISTS"));
}

#[tokio::test]
async fn invites_are_listed_without_their_tokens_taken_back_and_end() {
    let world = world().await;
    let (ada, bob) = (world.signup("ada").await, world.signup("bob").await);
    world.join(&ada, &bob, "admin").await;
    let path = format!("/tenants/{}/invites", ada.tenant);
    let by_bob = world.post(&path, json!({ "role": "owner" })).bearer(&bob.token).within(&ada.tenant).send().await;
    assert_eq!(by_bob.refusal(), (403, "ROLE_INSUFFICIENT"));
    let made = invite(&world, &ada, json!({ "role": "viewer", "expires_in": 60 })).await;
    let listed = world.ask("GET", &path).bearer(&bob.token).within(&ada.tenant).send().await.ok(200);
    assert_eq!(listed["items"][0]["invite_id"], made["invite_id"]);
    assert!(!listed.to_string().contains(made["token"].as_str().unwrap()));
    world.clock.advance(Duration::from_secs(61));
    let late = world.post("/auth/invites/accept", json!({ "token": made["token"] })).bearer(&bob.token).send().await;
    assert_eq!(late.refusal(), (401, "TOKEN_EXPIRED"));
    let path = format!("{path}/{}", made["invite_id"].as_str().unwrap());
    let back = || world.ask("DELETE", &path).bearer(&bob.token).within(&ada.tenant).send();
    assert_eq!(back().await.status, 204);
    assert_eq!(back().await.refusal(), (404, "NOT_FOUND"));
    let long =
        world.post(format!("/tenants/{}/invites", ada.tenant), json!({ "role": "viewer", "expires_in": 1_u64 << 40 }));
    assert_eq!(long.bearer(&ada.token).within(&ada.tenant).send().await.refusal(), (400, "BODY_INVALID"));
}
