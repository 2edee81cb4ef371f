//! The tenants of the control plane, and the rights of its admins.

use serde_json::json;

use crate::{
    fixture::{Somebody, World, world},
    support::SYSTEM_KEY,
};

async fn operator(world: &World) -> Somebody {
    let ops = world.signup("ops").await;
    let ask = world.post("/auth/bootstrap/tenants", json!({ "owner_user_id": ops.id }));
    ask.header("x-system-key", SYSTEM_KEY).send().await.ok(200);
    ops
}

#[tokio::test]
async fn bootstrap_is_idempotent_race_free_and_needs_the_system_key() {
    let world = world().await;
    let ask = || world.ask("POST", "/auth/bootstrap/tenants");
    assert_eq!(ask().send().await.refusal(), (401, "TOKEN_MISSING"));
    for key in ["wrong", "", &SYSTEM_KEY[1..]] {
        let (status, _) = { ask().header("x-system-key", key).send().await }.refusal();
        assert_eq!(status, 401, "{key}");
    }
    let twice = ask().header("x-system-key", SYSTEM_KEY).header("x-system-key", SYSTEM_KEY).send().await;
    assert_eq!(twice.refusal(), (401, "TOKEN_MISSING"));
    let good = || ask().header("x-system-key", SYSTEM_KEY).send();
    let (first, second, third) = tokio::join!(good(), good(), good());
    let first = first.ok(200);
    assert_eq!((&second.ok(200), &third.ok(200)), (&first, &first));
    assert_eq!(good().await.ok(200), first);
    let ids: Vec<_> = first["tenants"].as_array().unwrap().iter().map(|tenant| tenant["tenant_id"].clone()).collect();
    assert_eq!(ids, [json!("t_system"), json!("t_northstar")]);
}

#[tokio::test]
async fn operators_can_disable_tenants_and_users_but_not_read_content() {
    let world = world().await;
    let (ops, ada) = (operator(&world).await, world.signup("ada").await);
    let as_ops = |method, path: String| world.ask(method, path).bearer(&ops.token).send();
    let listed = as_ops("GET", "/tenants?limit=2".into()).await.ok(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert!(listed["next"].is_string());
    assert_eq!(world.look(&ops.token, &ada.tenant).await, 403);

    let suspended = as_ops("POST", format!("/tenants/{}/suspend", ada.tenant)).await.ok(200);
    assert_eq!(suspended["status"], "suspended");
    assert_eq!(world.look(&ada.token, &ada.tenant).await, 403);
    let resumed = as_ops("POST", format!("/tenants/{}/resume", ada.tenant)).await.ok(200);
    assert_eq!(resumed["status"], "active");
    assert_eq!(world.look(&ada.token, &ada.tenant).await, 200);
    assert_eq!(as_ops("POST", "/tenants/t_system/suspend".into()).await.refusal(), (422, "OP_INVALID"));
    assert_eq!(as_ops("POST", "/tenants/t_nothing/resume".into()).await.refusal(), (404, "NOT_FOUND"));

    assert_eq!(as_ops("POST", format!("/users/{}/disable", ada.id)).await.status, 204);
    assert_eq!(world.ask("GET", "/auth/me").bearer(&ada.token).send().await.refusal(), (401, "TOKEN_INVALID"));
    let login = json!({ "email": "ada@example.org", "password": crate::fixture::PASSWORD });
    assert_eq!(world.post("/auth/login", login).send().await.refusal(), (401, "CREDENTIALS_INVALID"));
    assert_eq!(as_ops("POST", format!("/users/{}/enable", ada.id)).await.status, 204);
    // Credentials from before stay refused: a stolen one may be the reason why she was disabled.
    assert_eq!(world.look(&ada.token, &ada.tenant).await, 401);
    let ada = world.login("ada").await;
    assert_eq!(world.look(&ada.token, &ada.tenant).await, 200);
    assert_eq!(as_ops("POST", "/users/nobody/enable".into()).await.refusal(), (404, "NOT_FOUND"));

    let by_ada = world.ask("POST", format!("/tenants/{}/suspend", ops.tenant)).bearer(&ada.token).send().await;
    assert_eq!(by_ada.refusal(), (403, "TENANT_FORBIDDEN"));
}
