//! Tenants and their members.

use std::time::Duration;

use serde_json::json;

use crate::fixture::{Somebody, World, world};

fn members(world: &World, who: &Somebody, tenant: &str, method: &'static str, user: &str) -> crate::fixture::Ask {
    let path = format!("/tenants/{tenant}/members{}{user}", if user.is_empty() { "" } else { "/" });
    world.ask(method, path).bearer(&who.token).within(tenant)
}

#[tokio::test]
async fn members_are_added_changed_and_removed() {
    let world = world().await;
    let (ada, bob) = (world.signup("ada").await, world.signup("bob").await);
    assert_eq!(world.look(&bob.token, &ada.tenant).await, 403);
    let add = |body| members(&world, &ada, &ada.tenant, "POST", "").json(body).send();
    world.verify("bob").await;
    assert_eq!(world.look(&bob.token, &ada.tenant).await, 403);
    let made = add(json!({ "email": "bob@example.org", "role": "viewer" })).await.ok(202);
    assert_eq!(made, json!({ "status": "invited" }));
    assert_eq!(world.look(&bob.token, &ada.tenant).await, 403, "nobody is a member before they accept");
    assert_eq!(add(json!({ "email": "no@example.org", "role": "viewer" })).await.ok(202), made);
    world.join(&ada, &bob, "viewer").await;
    assert_eq!(add(json!({ "role": "viewer" })).await.refusal(), (400, "BODY_INVALID"));
    assert_eq!(add(json!({ "user_id": bob.id, "role": "king" })).await.refusal(), (400, "BODY_INVALID"));
    // Bob's token does not name the tenant. The store knows the membership.
    assert_eq!(world.look(&bob.token, &ada.tenant).await, 200);
    assert_eq!(members(&world, &bob, &ada.tenant, "GET", "").send().await.refusal(), (403, "ROLE_INSUFFICIENT"));
    let listed = members(&world, &ada, &ada.tenant, "GET", "").send().await.ok(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);

    let change =
        |user: &str, role: &str| members(&world, &ada, &ada.tenant, "PATCH", user).json(json!({ "role": role })).send();
    assert_eq!(change(&bob.id, "admin").await.ok(200)["role"], "admin");
    members(&world, &bob, &ada.tenant, "GET", "").send().await.ok(200);
    // Admins can manage all members but owners, and the last owner cannot leave.
    let by_bob = |method, user: &str, role: &str| {
        members(&world, &bob, &ada.tenant, method, user).json(json!({ "role": role })).send()
    };
    assert_eq!(by_bob("PATCH", &bob.id, "owner").await.refusal(), (403, "ROLE_INSUFFICIENT"));
    assert_eq!(by_bob("DELETE", &ada.id, "").await.refusal(), (403, "ROLE_INSUFFICIENT"));
    assert_eq!(change(&ada.id, "member").await.refusal(), (422, "OP_INVALID"));
    let gone = members(&world, &ada, &ada.tenant, "DELETE", &ada.id).send().await;
    assert_eq!(gone.refusal(), (422, "OP_INVALID"));
    assert_eq!(change("nobody", "member").await.refusal(), (404, "NOT_FOUND"));
    assert_eq!(members(&world, &ada, &ada.tenant, "DELETE", &bob.id).send().await.status, 204);
    assert_eq!(world.look(&bob.token, &ada.tenant).await, 403);
    assert_eq!(members(&world, &ada, &ada.tenant, "DELETE", &bob.id).send().await.refusal(), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn tenants_are_created_renamed_and_disabled() {
    let world = world().await;
    let ada = world.signup("ada").await;
    let made = world.post("/tenants", json!({ "name": "Second & Co" })).bearer(&ada.token).send().await.ok(201);
    let second = made["tenant_id"].as_str().unwrap();
    assert_eq!((&made["name"], &made["status"]), (&json!("Second & Co"), &json!("active")));
    assert_eq!(world.post("/tenants", json!({})).bearer(&ada.token).send().await.refusal(), (400, "BODY_INVALID"));
    assert_eq!(world.post("/tenants", json!({ "name": "x" })).send().await.refusal(), (401, "TOKEN_MISSING"));
    let tenant =
        |method, id: &str| world.ask(method, format!("/tenants/{id}")).bearer(&ada.token).header("x-env", "dev");
    assert_eq!(tenant("GET", second).send().await.ok(200), made);
    let renamed = tenant("PATCH", second).json(json!({ "name": "Third" })).send().await.ok(200);
    assert_eq!(renamed["name"], "Third");
    assert_eq!(tenant("GET", second).within(&ada.tenant).send().await.refusal(), (400, "CONTEXT_MISMATCH"));
    assert_eq!(tenant("GET", "t_nobodys").send().await.refusal(), (403, "TENANT_FORBIDDEN"));
    assert_eq!(tenant("GET", "no-tenant").send().await.refusal(), (400, "TENANT_INVALID"));
    assert_eq!(tenant("DELETE", second).send().await.ok(200)["status"], "disabled");
    assert_eq!(world.look(&ada.token, second).await, 403);
    assert_eq!(world.look(&ada.token, &ada.tenant).await, 200);
}

#[tokio::test]
async fn what_another_node_revokes_counts_within_five_seconds() {
    let world = world().await;
    let (ada, bob) = (world.signup("ada").await, world.signup("bob").await);
    world.join(&ada, &bob, "member").await;
    assert_eq!(world.look(&bob.token, &ada.tenant).await, 200);
    // Another node on the same store. This node gets no notice of its changes.
    let node = engines::Engine::builder()
        .store(world.app.engine().backend().clone())
        .signing_secret(crate::support::secret())
        .identity(crate::support::identity())
        .root_key(crate::support::root())
        .clock(world.clock.clone())
        .build()
        .await
        .unwrap();
    let other = World { app: engines_server::App::new(node).unwrap(), ..world.clone() };
    assert_eq!(members(&other, &ada, &ada.tenant, "DELETE", &bob.id).send().await.status, 204);
    assert_eq!(world.look(&bob.token, &ada.tenant).await, 200);
    world.clock.advance(Duration::from_secs(3));
    assert_eq!(world.look(&bob.token, &ada.tenant).await, 403);
}
