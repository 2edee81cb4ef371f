//! The caller's own account over HTTP.

use serde_json::{Value, json};

use crate::fixture::{Answer, PASSWORD, Somebody, World, world};

const NEXT: &str = "another 88 Lantern, quiet";

async fn send(world: &World, method: &'static str, path: &str, token: &str, body: Value) -> Answer {
    world.ask(method, path).bearer(token).json(body).send().await
}

#[tokio::test]
async fn changing_a_password_needs_the_current_one() {
    let world = world().await;
    let (ada, other) = (world.signup("ada").await, world.login("ada").await);
    let change = |body: Value| send(&world, "POST", "/auth/password", &ada.token, body);
    for (body, field) in [
        (json!({ "new_password": NEXT }), "/current_password"),
        (json!({ "current_password": PASSWORD }), "/new_password"),
        (json!({ "current_password": PASSWORD, "new_password": null }), "/new_password"),
        (json!({ "current_password": 1, "new_password": NEXT }), "/current_password"),
        (json!({ "current_password": PASSWORD, "new_password": "short" }), "/new_password"),
        (json!({ "current_password": PASSWORD, "new_password": PASSWORD }), "/new_password"),
    ] {
        let refused = change(body).await;
        assert_eq!(refused.refusal(), (400, "BODY_INVALID"));
        assert_eq!(refused.body["field"], field);
    }
    let nobody = world.post("/auth/password", json!({ "current_password": PASSWORD, "new_password": NEXT }));
    assert_eq!(nobody.send().await.refusal(), (401, "TOKEN_MISSING"));
    let wrong = change(json!({ "current_password": "a guess", "new_password": NEXT })).await;
    assert_eq!(wrong.refusal(), (401, "CREDENTIALS_INVALID"));
    assert_eq!(change(json!({ "current_password": PASSWORD, "new_password": NEXT })).await.status, 204);
    assert_eq!((world.look(&ada.token, &ada.tenant).await, world.look(&other.token, &ada.tenant).await), (200, 401));
    let old = world.post("/auth/login", json!({ "email": "ada@example.org", "password": PASSWORD })).send().await;
    assert_eq!(old.refusal(), (401, "CREDENTIALS_INVALID"));
    world.post("/auth/login", json!({ "email": "ada@example.org", "password": NEXT })).send().await.ok(200);
    world.post("/auth/refresh", json!({ "refresh_token": ada.refresh })).send().await.ok(200);
}

#[tokio::test]
async fn a_name_is_changed_and_taken_away() {
    let world = world().await;
    let ada = world.signup("ada").await;
    let name = async |body: Value| send(&world, "PATCH", "/auth/me", &ada.token, body).await;
    assert_eq!(name(json!({ "display_name": "Ada" })).await.ok(200)["user"]["display_name"], "Ada");
    assert_eq!(name(json!({ "unknown": 1 })).await.ok(200)["user"]["display_name"], "Ada");
    for bad in [json!(""), json!(3), json!({}), json!("a\nb"), json!("x".repeat(201))] {
        let refused = name(json!({ "display_name": bad })).await;
        assert_eq!((refused.refusal(), &refused.body["field"]), ((400, "BODY_INVALID"), &json!("/display_name")));
    }
    assert_eq!(name(json!({ "display_name": null })).await.ok(200)["user"]["display_name"], json!(null));
    assert_eq!(
        world.ask("GET", "/auth/me").bearer(&ada.token).send().await.ok(200)["user"]["email"],
        "ada@example.org"
    );
}

#[tokio::test]
async fn ending_all_sessions_ends_tokens_and_streams() {
    let world = world().await;
    let (ada, other) = (world.signup("ada").await, world.login("ada").await);
    assert_eq!(world.ask("DELETE", "/auth/sessions").bearer(&other.token).send().await.status, 204);
    for somebody in [&ada, &other] {
        assert_eq!(world.look(&somebody.token, &ada.tenant).await, 401);
        let refresh = world.post("/auth/refresh", json!({ "refresh_token": somebody.refresh })).send().await;
        assert_eq!(refresh.refusal(), (401, "TOKEN_INVALID"));
    }
    let again = world.login("ada").await;
    assert_eq!(world.look(&again.token, &ada.tenant).await, 200);
}

#[tokio::test]
async fn an_account_is_deleted_by_its_user_and_its_address_is_free() {
    let world = world().await;
    let ada = world.signup("ada").await;
    let delete = |body: Value| send(&world, "DELETE", "/auth/me", &ada.token, body);
    let last = delete(json!({ "password": PASSWORD })).await;
    assert_eq!((last.refusal(), &last.body["tenants"]), ((422, "OP_INVALID"), &json!([ada.tenant])));
    let close = world.ask("DELETE", format!("/tenants/{}", ada.tenant)).bearer(&ada.token).within(&ada.tenant);
    close.send().await.ok(200);
    let without = world.ask("DELETE", "/auth/me").bearer(&ada.token).send().await;
    assert_eq!((without.refusal(), &without.body["field"]), ((400, "BODY_INVALID"), &json!("/password")));
    assert_eq!(delete(json!({ "password": "a guess" })).await.refusal(), (401, "CREDENTIALS_INVALID"));
    assert_eq!(delete(json!({ "password": PASSWORD })).await.status, 204);
    let me = world.ask("GET", "/auth/me").bearer(&ada.token).send().await;
    assert_eq!(me.refusal(), (401, "TOKEN_INVALID"));
    let refresh = world.post("/auth/refresh", json!({ "refresh_token": ada.refresh })).send().await;
    assert_eq!(refresh.refusal(), (401, "TOKEN_INVALID"));
    let again: Somebody = world.signup("ada").await;
    assert_ne!(again.id, ada.id);
}

#[tokio::test]
async fn a_viewer_may_leave_and_the_last_owner_may_not() {
    let world = world().await;
    let (ada, bob) = (world.signup("ada").await, world.signup("bob").await);
    world.join(&ada, &bob, "viewer").await;
    let leave = |somebody: &Somebody| {
        world.ask("POST", format!("/tenants/{}/leave", ada.tenant)).bearer(&somebody.token).within(&ada.tenant).send()
    };
    assert_eq!(leave(&ada).await.refusal(), (422, "OP_INVALID"));
    assert_eq!(leave(&bob).await.status, 204);
    assert_eq!(leave(&bob).await.refusal(), (403, "TENANT_FORBIDDEN"));
}
