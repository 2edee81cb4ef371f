//! Members accept an invite first, and users choose their default tenant.

use serde_json::{Value, json};

use crate::fixture::{Answer, PASSWORD, Somebody, World, world};

/// Returns all parts of a response that do not depend on the request.
fn told(answer: &Answer) -> (u16, Vec<(String, String)>, Value) {
    let own = ["x-request-id", "traceparent", "date", "ratelimit-remaining", "ratelimit-reset"];
    let headers = answer.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    (answer.status.as_u16(), headers, answer.body.clone())
}

async fn invite(world: &World, by: &Somebody, body: Value) -> Answer {
    let path = format!("/tenants/{}/members", by.tenant);
    world.post(path, body).bearer(&by.token).within(&by.tenant).send().await
}

#[tokio::test]
async fn an_invite_response_does_not_reveal_whether_the_invitee_exists() {
    let world = world().await;
    let (ada, bob) = (world.signup("ada").await, world.signup("bob").await);
    world.verify("bob").await;
    world.signup("eve").await;
    let mut answers = Vec::new();
    for body in [
        json!({ "email": "bob@example.org", "role": "viewer" }),
        json!({ "email": "eve@example.org", "role": "viewer" }),
        json!({ "email": "nobody@example.org", "role": "viewer" }),
        json!({ "user_id": bob.id, "role": "viewer" }),
        json!({ "user_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "role": "viewer" }),
    ] {
        answers.push(told(&invite(&world, &ada, body).await));
    }
    assert_eq!(answers[0].0, 202);
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    // Bob is a member once he has accepted. He must name a tenant until he has chosen a default.
    assert_eq!(world.look(&bob.token, &ada.tenant).await, 403);
    let own = world.ask("GET", "/auth/invites?limit=1").bearer(&bob.token).send().await.ok(200);
    assert!(own["next"].is_string());
    let id = &own["items"][0]["invite_id"];
    assert_eq!(own["items"][0]["tenant_name"], "ada's");
    let stranger = world.signup("carol").await;
    let theirs = world.post("/auth/invites/accept", json!({ "invite_id": id })).bearer(&stranger.token).send().await;
    assert_eq!(theirs.refusal(), (404, "NOT_FOUND"));
    let nobody = world.post("/auth/invites/accept", json!({ "invite_id": id })).send().await;
    assert_eq!(nobody.refusal(), (401, "TOKEN_MISSING"));
    let joined = world.post("/auth/invites/accept", json!({ "invite_id": id })).bearer(&bob.token).send().await.ok(200);
    assert_eq!(joined["tenant"]["tenant_id"], bob.tenant.as_str(), "the default stays");
    assert_eq!(world.look(&bob.token, &ada.tenant).await, 200);
    let listed = world.ask("GET", "/auth/memberships").bearer(&bob.token).send().await.ok(200);
    let tenants: Vec<_> = listed["items"].as_array().unwrap().iter().map(|one| one["tenant_id"].clone()).collect();
    assert_eq!(tenants, [json!(bob.tenant), json!(ada.tenant)], "one's own first");
    // The invite for the address is declined.
    let own = world.ask("GET", "/auth/invites").bearer(&bob.token).send().await.ok(200);
    let decline = json!({ "invite_id": own["items"][0]["invite_id"] });
    let turn_down = || world.post("/auth/invites/decline", decline.clone()).bearer(&bob.token).send();
    assert_eq!(turn_down().await.status, 204);
    assert_eq!(turn_down().await.refusal(), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn without_a_default_tenant_a_request_must_name_one() {
    let world = world().await;
    let ada = world.signup("ada").await;
    let body = json!({ "email": "bob@example.org", "password": PASSWORD });
    let bob = Somebody::of(&world.post("/auth/signup", body).send().await.ok(201));
    world.join(&ada, &bob, "member").await;
    let unnamed =
        async |token: &str| world.ask("GET", "/chat/threads").bearer(token).header("x-env", "dev").send().await;
    assert_eq!(unnamed(&bob.token).await.refusal(), (400, "TENANT_REQUIRED"));
    let again = world.login("bob").await;
    assert_eq!((again.tenant.as_str(), unnamed(&again.token).await.status.as_u16()), ("", 400));
    let choose = |tenant: &str| {
        world.ask("PUT", "/auth/me/default-tenant").bearer(&bob.token).json(json!({ "tenant_id": tenant })).send()
    };
    assert_eq!(choose("t_nobodys").await.refusal(), (403, "TENANT_FORBIDDEN"));
    assert_eq!(choose("no tenant").await.refusal(), (400, "TENANT_INVALID"));
    assert_eq!(choose(&ada.tenant).await.ok(200)["tenant"]["tenant_id"], ada.tenant.as_str());
    unnamed(&bob.token).await.ok(200);
    assert_eq!(world.login("bob").await.tenant, ada.tenant);
}

#[tokio::test]
async fn an_admin_cannot_revoke_an_owners_invite() {
    let world = world().await;
    let (ada, bob) = (world.signup("ada").await, world.signup("bob").await);
    world.join(&ada, &bob, "admin").await;
    let path = format!("/tenants/{}/invites", ada.tenant);
    let made =
        world.post(&path, json!({ "role": "owner" })).bearer(&ada.token).within(&ada.tenant).send().await.ok(201);
    let one = format!("{path}/{}", made["invite_id"].as_str().unwrap());
    let by = |token: &str| world.ask("DELETE", one.clone()).bearer(token).within(&ada.tenant).send();
    assert_eq!(by(&bob.token).await.refusal(), (403, "ROLE_INSUFFICIENT"));
    assert_eq!(by(&ada.token).await.status, 204);
}
