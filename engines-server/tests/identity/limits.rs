//! Limits on login attempts, and the audit records of refused ones.

use std::time::Duration;

use engines::{
    Scope,
    auth::identity::{IdentitySettings, Rate},
    core::{audit::AuditFilter, nexus::PageRequest},
};
use engines_server::HttpSettings;
use serde_json::json;

use crate::{
    fixture::{Answer, PASSWORD, Somebody, World, world_of},
    support,
};

async fn strict() -> World {
    let settings = IdentitySettings {
        login_per_account: Rate { burst: 3, every_ms: 6000 },
        per_address: Rate { burst: 20, every_ms: 500 },
        ..support::identity()
    };
    world_of(support::builder().identity(settings), HttpSettings::default()).await
}

async fn wrong(world: &World, email: &str, address: &str) -> Answer {
    world.post("/auth/login", json!({ "email": email, "password": "mistyped-77" })).from(address).send().await
}

#[tokio::test]
async fn logins_are_limited_by_account() {
    let world = strict().await;
    world.signup("ada").await;
    for email in ["ada@example.org", "nobody@example.org"] {
        for _ in 0..3 {
            assert_eq!(wrong(&world, email, "192.0.2.1").await.refusal(), (401, "CREDENTIALS_INVALID"));
        }
        let limited = wrong(&world, email, "192.0.2.2").await;
        assert_eq!(limited.refusal(), (429, "RATE_LIMITED"), "{email}");
        assert_eq!(limited.header("retry-after"), Some("6"));
        assert_eq!(limited.header("ratelimit-limit"), Some("3"));
        assert_eq!(limited.header("ratelimit-remaining"), Some("0"));
        assert_eq!(limited.header("ratelimit-reset"), Some("6"));
    }
    // The right password has to wait as well, for the time that the response names.
    let right = json!({ "email": "ada@example.org", "password": PASSWORD });
    let login = || world.post("/auth/login", right.clone()).from("192.0.2.3").send();
    assert_eq!(login().await.refusal(), (429, "RATE_LIMITED"));
    world.clock.advance(Duration::from_secs(6));
    login().await.ok(200);
}

#[tokio::test]
async fn unauthenticated_requests_are_limited_by_address() {
    let world = strict().await;
    for at in 0..20 {
        let answer = wrong(&world, &format!("u{at}@example.org"), "192.0.2.1").await;
        assert_eq!(answer.refusal(), (401, "CREDENTIALS_INVALID"));
    }
    for (path, body) in [
        ("/auth/login", json!({ "email": "x@example.org", "password": "mistyped-77" })),
        ("/auth/signup", json!({ "email": "x@example.org", "password": PASSWORD })),
        ("/auth/refresh", json!({ "refresh_token": "x" })),
        ("/auth/invites/accept", json!({ "token": "x" })),
        ("/auth/bootstrap/tenants", json!({})),
    ] {
        let limited = world.post(path, body).from("192.0.2.1").send().await;
        assert_eq!(limited.refusal(), (429, "RATE_LIMITED"), "{path}");
        assert_eq!(limited.header("ratelimit-limit"), Some("20"), "{path}");
    }
    assert_eq!(wrong(&world, "x@example.org", "192.0.2.2").await.refusal(), (401, "CREDENTIALS_INVALID"));
    // An IPv6 network belongs to one customer, whatever addresses they use.
    for at in 0..20 {
        wrong(&world, &format!("v{at}@example.org"), &format!("2001:db8:1:1::{at:x}")).await;
    }
    assert_eq!(wrong(&world, "v@example.org", "2001:db8:1:1:ffff::1").await.refusal(), (429, "RATE_LIMITED"));
    assert_eq!(wrong(&world, "v@example.org", "2001:db8:1:2::1").await.refusal(), (401, "CREDENTIALS_INVALID"));
}

#[tokio::test]
async fn many_users_behind_one_address_can_log_in_and_refresh() {
    let world = strict().await;
    world.signup("ada").await;
    for _ in 0..30 {
        let right = json!({ "email": "ada@example.org", "password": PASSWORD });
        let ada = Somebody::of(&world.post("/auth/login", right).from("192.0.2.1").send().await.ok(200));
        let refresh = json!({ "refresh_token": ada.refresh });
        world.post("/auth/refresh", refresh).from("192.0.2.1").send().await.ok(200);
    }
}

#[tokio::test]
async fn refused_attempts_are_written_down_without_secrets() {
    let world = strict().await;
    let ada = world.signup("ada").await;
    wrong(&world, "ada@example.org", "192.0.2.1").await;
    let forged = format!("{}x", ada.token);
    world.ask("GET", "/chat/threads").bearer(&forged).within(&ada.tenant).from("192.0.2.9").send().await;
    world.ask("GET", "/chat/threads").bearer(&ada.token).within("t_other").from("192.0.2.8").send().await;
    world.app.engine().shutdown().await;
    let store = world.app.engine().store();
    let records =
        store.audit(&Scope::system().unwrap(), &AuditFilter::default(), PageRequest::first(50)).await.unwrap().items;
    let text = serde_json::to_string(&records).unwrap();
    for known in [
        "accounts.login",
        "CREDENTIALS_INVALID",
        "192.0.2.1",
        "admission.enter",
        "TOKEN_INVALID",
        "/chat/threads",
        "192.0.2.9",
        "TENANT_FORBIDDEN",
        "192.0.2.8",
        &ada.id,
    ] {
        assert!(text.contains(known), "{known}: {text}");
    }
    for secret in ["ada@example.org", "mistyped-77", &ada.token, &forged[20..]] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}
