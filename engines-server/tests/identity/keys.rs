//! API keys, and slots for third-party secrets.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{Ask, Somebody, World, world};

fn with(world: &World, who: &Somebody, method: &'static str, path: &str) -> Ask {
    world.ask(method, path).bearer(&who.token).within(&who.tenant)
}

async fn make(world: &World, who: &Somebody, body: Value) -> Value {
    with(world, who, "POST", "/identity/api-keys").json(body).send().await.ok(201)
}

#[tokio::test]
async fn a_key_is_accepted_in_its_tenant_until_it_is_revoked() {
    let world = world().await;
    let (ada, bob) = (world.signup("ada").await, world.signup("bob").await);
    // The creator of the key is also in another tenant. The key is not.
    world.join(&bob, &ada, "owner").await;
    let answer = with(&world, &ada, "POST", "/identity/api-keys").json(json!({ "name": "robot", "role": "member" }));
    let answer = answer.send().await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let made = answer.ok(201);
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("ek_"), "{made}");
    assert_eq!(
        (&made["role"], &made["actor_type"], &made["expires_at"]),
        (&json!("member"), &json!("agent"), &json!(null))
    );
    assert_eq!(world.look(key, &ada.tenant).await, 200);
    assert_eq!(world.look(key, &bob.tenant).await, 403);
    // The tenant may be left out. The environment may not.
    world.ask("GET", "/chat/threads").bearer(key).header("x-env", "prod").send().await.ok(200);
    let thread =
        world.post("/chat/threads", json!({ "title": "by a robot" })).bearer(key).within(&ada.tenant).send().await;
    assert_eq!(thread.ok(201)["created_by"], format!("ak_{}", made["key_id"].as_str().unwrap()));
    let above = world.ask("GET", "/identity/api-keys").bearer(key).within(&ada.tenant).send().await;
    assert_eq!(above.refusal(), (403, "ROLE_INSUFFICIENT"));
    let listed = with(&world, &ada, "GET", "/identity/api-keys").send().await.ok(200);
    assert_eq!(listed["items"][0]["key_id"], made["key_id"]);
    assert!(listed["items"][0]["last_used_at"].is_string(), "{listed}");
    assert!(!listed.to_string().contains(key));
    let path = format!("/identity/api-keys/{}", made["key_id"].as_str().unwrap());
    assert_eq!(with(&world, &bob, "DELETE", &path).send().await.refusal(), (404, "NOT_FOUND"));
    assert_eq!(with(&world, &ada, "DELETE", &path).send().await.status, 204);
    assert_eq!(world.look(key, &ada.tenant).await, 401);
    assert_eq!(with(&world, &ada, "DELETE", &path).send().await.refusal(), (404, "NOT_FOUND"));
    for forged in [format!("{key}x"), key.replace("ek_", "ek_0"), "ek_".into(), "ek_a_b".into()] {
        assert_eq!(world.look(&forged, &ada.tenant).await, 401, "{forged}");
    }
}

#[tokio::test]
async fn keys_expire_and_rotate() {
    let world = world().await;
    let ada = world.signup("ada").await;
    let short = make(&world, &ada, json!({ "role": "viewer", "expires_in": 60 })).await;
    let long = make(&world, &ada, json!({ "role": "viewer", "expires_at": "2099-01-01T00:00:00.000Z" })).await;
    assert_eq!(long["expires_at"], "2099-01-01T00:00:00.000Z");
    let past = json!({ "role": "viewer", "expires_at": "1999-01-01T00:00:00.000Z" });
    let past = with(&world, &ada, "POST", "/identity/api-keys").json(past).send().await;
    assert_eq!(past.refusal(), (400, "BODY_INVALID"));
    let old = long["key"].as_str().unwrap();
    let path = format!("/identity/api-keys/{}/rotate", long["key_id"].as_str().unwrap());
    let rotated = with(&world, &ada, "POST", &path).json(json!({ "grace": 30 })).send().await.ok(200);
    assert_eq!(rotated["key_id"], long["key_id"]);
    let new = rotated["key"].as_str().unwrap();
    assert_eq!((world.look(old, &ada.tenant).await, world.look(new, &ada.tenant).await), (200, 200));
    world.clock.advance(Duration::from_secs(31));
    assert_eq!((world.look(old, &ada.tenant).await, world.look(new, &ada.tenant).await), (401, 200));
    // Without a body the old key ends at once.
    let again = with(&world, &ada, "POST", &path).send().await.ok(200);
    assert_eq!(
        (world.look(new, &ada.tenant).await, world.look(again["key"].as_str().unwrap(), &ada.tenant).await),
        (401, 200)
    );
    world.clock.advance(Duration::from_secs(30));
    let over = world.ask("GET", "/auth/me").bearer(short["key"].as_str().unwrap()).send().await;
    assert_eq!(over.refusal(), (401, "TOKEN_EXPIRED"));
}

#[tokio::test]
async fn a_key_never_exceeds_its_creators_role() {
    let world = world().await;
    let (ada, bob) = (world.signup("ada").await, world.signup("bob").await);
    world.join(&ada, &bob, "admin").await;
    for (role, status) in [("owner", 403), ("admin", 201)] {
        let ask = world.post("/identity/api-keys", json!({ "name": "k", "role": role })).bearer(&bob.token);
        assert_eq!(ask.within(&ada.tenant).send().await.status, status, "{role}");
    }
}

#[tokio::test]
async fn slot_secrets_are_never_returned() {
    let world = world().await;
    let ada = world.signup("ada").await;
    let slot = "/identity/keys/openai";
    let put = |body| with(&world, &ada, "PUT", slot).json(body).send();
    let filled = put(json!({ "secret": "sk-live-1" })).await.ok(200);
    assert_eq!(
        (&filled["slot"], &filled["version"], &filled["updated_by"]),
        (&json!("openai"), &json!(1), &json!(ada.id))
    );
    assert_eq!(put(json!({ "value": "sk-live-2" })).await.ok(200)["version"], 2);
    assert_eq!(put(json!({ "secret": "" })).await.refusal(), (400, "BODY_INVALID"));
    assert_eq!(put(json!({})).await.refusal(), (400, "BODY_INVALID"));
    let bad = with(&world, &ada, "PUT", "/identity/keys/no%20id").json(json!({ "secret": "s" })).send().await;
    assert_eq!(bad.refusal(), (400, "ID_INVALID"));
    for path in [slot, "/identity/keys"] {
        let seen = with(&world, &ada, "GET", path).send().await.ok(200).to_string();
        assert!(seen.contains("openai") && !seen.contains("sk-live"), "{seen}");
    }
    let elsewhere =
        world.ask("GET", slot).bearer(&ada.token).header("x-tenant-id", &ada.tenant).header("x-env", "prod");
    assert_eq!(elsewhere.send().await.refusal(), (404, "NOT_FOUND"));
    assert_eq!(with(&world, &ada, "DELETE", slot).send().await.status, 204);
    assert_eq!(with(&world, &ada, "GET", slot).send().await.refusal(), (404, "NOT_FOUND"));
}
