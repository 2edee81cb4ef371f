//! Refresh, sessions and logout.

use std::time::Duration;

use serde_json::json;

use crate::fixture::{Somebody, world};

#[tokio::test]
async fn a_refresh_token_repeated_after_the_interval_ends_everything() {
    let world = world().await;
    let ada = world.signup("ada").await;
    let refresh = |token: &str| world.post("/auth/refresh", json!({ "refresh_token": token })).send();
    let next = Somebody::of(&refresh(&ada.refresh).await.ok(200));
    assert_ne!((&next.token, &next.refresh), (&ada.token, &ada.refresh));
    assert_eq!(world.look(&next.token, &ada.tenant).await, 200);
    // Another session of the same user is another family.
    let other = world.login("ada").await;
    // Two tabs may use one token within ten seconds, and get the same next one.
    assert_eq!(Somebody::of(&refresh(&ada.refresh).await.ok(200)).refresh, next.refresh);
    world.clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(refresh(&ada.refresh).await.refusal(), (401, "TOKEN_INVALID"));
    assert_eq!(refresh(&next.refresh).await.refusal(), (401, "TOKEN_INVALID"));
    assert_eq!(world.look(&next.token, &ada.tenant).await, 401);
    assert_eq!(world.look(&other.token, &ada.tenant).await, 200);
    refresh(&other.refresh).await.ok(200);
    for bad in ["", "garbage", "rt_01ARZ3NDEKTSV4RRFFQ69G5FAV_x.y"] {
        assert_eq!(refresh(bad).await.refusal(), (401, "TOKEN_INVALID"));
    }
}

#[tokio::test]
async fn an_access_token_expires_and_the_refresh_token_goes_on() {
    let world = world().await;
    let ada = world.signup("ada").await;
    world.clock.advance(Duration::from_secs(931));
    let late = world.ask("GET", "/auth/me").bearer(&ada.token).send().await;
    assert_eq!(late.refusal(), (401, "TOKEN_EXPIRED"));
    let next = world.post("/auth/refresh", json!({ "refresh_token": ada.refresh })).send().await.ok(200);
    assert_eq!(world.look(next["access_token"].as_str().unwrap(), &ada.tenant).await, 200);
    world.clock.advance(Duration::from_secs(15 * 24 * 3600));
    let over = world.post("/auth/refresh", json!({ "refresh_token": next["refresh_token"] })).send().await;
    assert_eq!(over.refusal(), (401, "TOKEN_EXPIRED"));
}

#[tokio::test]
async fn logging_out_ends_the_session_at_once() {
    let world = world().await;
    let ada = world.signup("ada").await;
    let out = world.ask("POST", "/auth/logout").bearer(&ada.token).send().await;
    assert_eq!(out.status, 204);
    assert!(out.body.is_null());
    assert_eq!(world.ask("GET", "/auth/me").bearer(&ada.token).send().await.refusal(), (401, "TOKEN_INVALID"));
    assert_eq!(world.look(&ada.token, &ada.tenant).await, 401);
    let refresh = world.post("/auth/refresh", json!({ "refresh_token": ada.refresh })).send().await;
    assert_eq!(refresh.refusal(), (401, "TOKEN_INVALID"));
}

#[tokio::test]
async fn sessions_are_listed_paged_and_ended_by_their_user() {
    let world = world().await;
    let (ada, eve) = (world.signup("ada").await, world.signup("eve").await);
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(1));
        world.login("ada").await;
    }
    let list = |query: &str| world.ask("GET", format!("/auth/sessions{query}")).bearer(&ada.token).send();
    let all = list("").await.ok(200);
    let items = all["items"].as_array().unwrap();
    assert_eq!((items.len(), &all["next"]), (4, &json!(null)));
    // The oldest session is the current one.
    assert_eq!(items.iter().map(|item| item["current"] == true).collect::<Vec<_>>(), [false, false, false, true]);
    let first = list("?limit=3").await.ok(200);
    assert_eq!(first["items"].as_array().unwrap()[..], items[..3]);
    let rest = list(&format!("?limit=3&after={}", first["next"].as_str().unwrap())).await.ok(200);
    assert_eq!((rest["items"].as_array().unwrap(), &rest["next"]), (&items[3..].to_vec(), &json!(null)));
    assert_eq!(list("?after=nonsense").await.refusal(), (400, "CURSOR_INVALID"));

    let id = items[0]["session_id"].as_str().unwrap();
    let end = |token: &str, id: &str| world.ask("DELETE", format!("/auth/sessions/{id}")).bearer(token).send();
    assert_eq!(end(&eve.token, id).await.refusal(), (404, "NOT_FOUND"));
    assert_eq!(end(&ada.token, id).await.status, 204);
    assert_eq!(end(&ada.token, id).await.refusal(), (404, "NOT_FOUND"));
    assert_eq!(list("").await.ok(200)["items"].as_array().unwrap().len(), 3);
    assert_eq!(end(&ada.token, items[3]["session_id"].as_str().unwrap()).await.status, 204);
    assert_eq!(list("").await.refusal(), (401, "TOKEN_INVALID"));
}

#[tokio::test]
async fn self_declared_user_headers_are_checked_on_routes_without_a_tenant() {
    let world = world().await;
    let ada = world.signup("ada").await;
    let other = world.ask("GET", "/auth/me").bearer(&ada.token).header("x-user-id", "somebody-else").send().await;
    assert_eq!(other.refusal(), (403, "USER_MISMATCH"));
    world.ask("GET", "/auth/me").bearer(&ada.token).header("x-user-id", &ada.id).send().await.ok(200);
}
