//! Rate limits over HTTP.

use engines::{
    Role,
    auth::control::{ClassRates, RateSettings},
};
use engines_server::App;
use serde_json::json;

use crate::support::{
    Connection, Server, acme, builder, serve,
    streaming::{frame, open, socket},
    token,
};

async fn limited(rates: RateSettings) -> Server {
    let server = serve(App::new(builder().rates(rates).build().await.unwrap()).unwrap()).await;
    acme(server.address, &member(), "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    server
}

fn member() -> String {
    token("ada", &[("t_acme", Role::Member)])
}

/// Allows `burst` requests at once, and no more for a long time.
fn only(burst: u32) -> ClassRates {
    let rare = (1, burst);
    ClassRates {
        user_per_second: rare.0,
        user_burst: burst,
        key_per_second: rare.0,
        key_burst: burst,
        tenant_per_second: 0,
        tenant_burst: 1,
    }
}

#[tokio::test]
async fn rate_limit_headers_are_sent_and_excess_requests_rejected() {
    let server = limited(RateSettings { write: only(3), ..RateSettings::default() }).await;
    // The request that created the thread took one.
    for left in ["1", "0"] {
        let body = json!({ "text": "hi" });
        let posted = acme(server.address, &member(), "POST", "/chat/threads/t/messages", Some(&body)).await;
        assert_eq!((posted.status, posted.header("ratelimit-limit")), (201, Some("3")));
        assert_eq!(posted.header("ratelimit-remaining"), Some(left));
        assert!(posted.header("ratelimit-reset").is_some());
    }
    let body = json!({ "text": "hi" });
    let refused = acme(server.address, &member(), "POST", "/chat/threads/t/messages", Some(&body)).await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "RATE_LIMITED"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("ratelimit-limit"), Some("3"));
    assert_eq!(refused.header("ratelimit-remaining"), Some("0"));
    assert!(refused.json()["decision_id"].is_string());
    // Reads, other users and health checks are not limited.
    let read = acme(server.address, &member(), "GET", "/chat/threads/t", None).await;
    assert_eq!(read.status, 200);
    let health = crate::support::ask(server.address, "GET", "/healthz", &[], None).await;
    assert_eq!((health.status, health.header("ratelimit-limit")), (200, None));
}

#[tokio::test]
async fn account_requests_are_rate_limited_and_logout_is_not_starved() {
    let server = limited(RateSettings { read: only(2), write: only(2), ..RateSettings::default() }).await;
    let me = token("ada", &[("t_acme", Role::Member)]);
    let mut last = 200;
    for _ in 0..3 {
        last = acme(server.address, &me, "GET", "/auth/bootstrap", None).await.status;
    }
    assert_eq!(last, 429);
    assert_eq!(acme(server.address, &me, "POST", "/auth/logout", None).await.status, 204);
}

#[tokio::test]
async fn a_socket_that_exceeds_its_rate_gets_an_error_and_is_closed() {
    let server = limited(RateSettings { write: only(2), ..RateSettings::default() }).await;
    let mut chat = socket(&server, &member(), "/ws/chat/t").await;
    for _ in 0..2 {
        chat.write(&frame(1, br#"{"type":"message","text":"hi","ref":"r"}"#)).await;
    }
    let rest = String::from_utf8_lossy(&chat.rest().await).into_owned();
    assert!(rest.contains("\"code\":\"RATE_LIMITED\"") && rest.contains("\"retry_after_ms\":"), "{rest}");
    assert!(rest.ends_with("RATE_LIMITED"), "{rest}");
}

#[tokio::test]
async fn open_streams_are_limited_and_closing_one_frees_its_permit() {
    let server = limited(RateSettings { streams_per_user: 2, ..RateSettings::default() }).await;
    let streams = server.app.engine().open_streams().clone();
    let ada = engines::UserId::new("ada").unwrap();
    let mut sse = open(&server, &member(), "/sse/chat/t", &[]).await;
    assert_eq!(sse.answer(true).await.status, 200);
    let ws = socket(&server, &member(), "/ws").await;
    assert_eq!(streams.actor_count(&ada), 2);
    let mut third = open(&server, &member(), "/sse/chat/t", &[]).await;
    assert_eq!(third.answer(false).await.code(), "RATE_LIMITED");
    // A stream that is refused for another reason takes no place.
    let mut none = open(&server, &member(), "/sse/chat/none", &[]).await;
    none.answer(false).await;
    drop(ws);
    comes_back(&streams, &ada, 1).await;
    drop((sse, third, none));
    comes_back(&streams, &ada, 0).await;
    let mut again = open(&server, &member(), "/sse/chat/t", &[]).await;
    assert_eq!(again.answer(true).await.status, 200);
    let _open: Connection = again;
}

async fn comes_back(streams: &engines::auth::control::OpenStreams, user: &engines::UserId, open: usize) {
    for _ in 0..1000 {
        if streams.actor_count(user) == open {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{} streams stay open", streams.actor_count(user));
}
