//! Anonymous work is refused or evicted before it affects other clients.

use std::time::Duration;

use engines::Role;
use engines_server::{App, HttpSettings};
use serde_json::json;
use tokio::time::timeout;

use crate::support::{
    self, Connection, acme, ask,
    http2::{DATA, END_STREAM, HEADERS, Http2},
    request,
    streaming::open,
    token,
};

const LOGIN: [(&str, &str); 2] = [("content-type", "application/json"), ("content-length", "1000")];

fn settings() -> HttpSettings {
    let mut settings = HttpSettings { max_in_flight: 8, ..HttpSettings::default() };
    settings.budgets.anonymous_bodies = 8;
    settings.budgets.anonymous_bodies_per_address = 4;
    settings.budgets.anonymous_connections_per_address = 16;
    settings
}

#[tokio::test]
async fn unfinished_bodies_take_no_in_flight_budget_and_the_oldest_is_evicted() {
    let server = support::start_with(settings()).await;
    let mut waiting = Vec::new();
    for _ in 0..12 {
        let mut connection = Connection::open(server.address).await;
        connection.write(&request("POST", "/auth/login", &LOGIN, None)).await;
        connection.write(b"{\"email\":").await;
        waiting.push(connection);
    }
    // Others are served: authenticated clients, logins, and health checks.
    let member = token("ada", &[("t_acme", Role::Member)]);
    let login = json!({ "email": "nobody@example.org", "password": "no password of anybody" }).to_string();
    for _ in 0..20 {
        let answer = acme(server.address, &member, "POST", "/chat/threads", Some(&json!({}))).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(ask(server.address, "GET", "/readyz", &[], None).await.status, 200);
        let answer = ask(server.address, "POST", "/auth/login", &[], Some(login.as_bytes())).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    // The clients with the oldest requests got an error.
    for connection in &mut waiting[..8] {
        let answer = timeout(Duration::from_secs(10), connection.answer(false)).await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (503, "BACKEND_UNAVAILABLE"));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn unfinished_bodies_on_http2_streams_are_evicted() {
    let server = support::start_with(settings()).await;
    let mut connection = Http2::open(server.address, 65_535).await;
    for number in 0..12 {
        connection.request(number * 2 + 1, "POST", "/auth/login", &LOGIN, 0).await;
        connection.send(DATA, 0, number * 2 + 1, b"{\"email\":").await;
    }
    let mut refused = Vec::new();
    while refused.len() < 8 {
        let frame = timeout(Duration::from_secs(10), connection.until(HEADERS)).await.unwrap();
        assert_eq!(frame.status(), 503);
        refused.push(frame.stream);
    }
    refused.sort_unstable();
    assert_eq!(refused, (0..8).map(|number| number * 2 + 1).collect::<Vec<_>>());
}

#[tokio::test]
async fn open_streams_of_an_address_are_counted_over_its_connections() {
    let mut settings = settings();
    settings.budgets.http2_streams_per_address = 6;
    settings.budgets.anonymous_bodies_per_address = 100;
    settings.budgets.anonymous_bodies = 100;
    let server = support::start_with(settings).await;
    let mut connections = Vec::new();
    for _ in 0..2 {
        let mut connection = Http2::open(server.address, 65_535).await;
        for number in 0..3 {
            connection.request(number * 2 + 1, "POST", "/auth/login", &LOGIN, 0).await;
        }
        connections.push(connection);
    }
    // Health checks are counted as well. HTTP/1 has no streams.
    let mut third = Http2::open(server.address, 65_535).await;
    let mut status = 200;
    for attempt in 0..200 {
        third.request(attempt * 2 + 1, "GET", "/healthz", &[], END_STREAM).await;
        status = timeout(Duration::from_secs(10), third.until(HEADERS)).await.unwrap().status();
        if status == 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status, 503);
    assert_eq!(ask(server.address, "GET", "/healthz", &[], None).await.status, 200);
    drop(connections);
    for attempt in 200..400 {
        third.request(attempt * 2 + 1, "GET", "/healthz", &[], END_STREAM).await;
        status = timeout(Duration::from_secs(10), third.until(HEADERS)).await.unwrap().status();
        if status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the places of closed connections were not given back: {status}");
}

#[tokio::test]
async fn silent_connections_are_evicted_but_authenticated_ones_stay() {
    let server = support::start_with(settings()).await;
    let member = token("ada", &[("t_acme", Role::Member)]);
    acme(server.address, &member, "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let mut stream = open(&server, &member, "/sse/chat/t", &[]).await;
    stream.until("retry: 1500").await;
    let bearer = format!("Bearer {member}");
    let own = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
    let mut kept = Connection::open(server.address).await;
    kept.write(&request("GET", "/chat/threads", &own, None)).await;
    assert_eq!(kept.answer(false).await.status, 200);

    let mut silent = Vec::new();
    for _ in 0..40 {
        let mut connection = Connection::open(server.address).await;
        connection.write(b"GET /healthz HTTP/1.1\r\n").await;
        silent.push(connection);
        assert_eq!(ask(server.address, "GET", "/healthz", &[], None).await.status, 200);
    }
    // Of 40, at most 16 are left. The first ones are closed.
    for connection in &mut silent[..20] {
        timeout(Duration::from_secs(10), connection.rest()).await.expect("the oldest were not closed");
    }
    kept.write(&request("GET", "/chat/threads", &own, None)).await;
    assert_eq!(kept.answer(false).await.status, 200);
    let posted =
        acme(server.address, &member, "POST", "/chat/threads/t/messages", Some(&json!({ "text": "hi" }))).await;
    assert_eq!(posted.status, 201);
    stream.until("\"text\":\"hi\"").await;
}

#[tokio::test]
async fn connections_are_limited_per_address_except_for_trusted_proxies() {
    let member = token("ada", &[("t_acme", Role::Member)]);
    let bearer = format!("Bearer {member}");
    let own = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
    for (proxies, last) in [(vec![], 503), (vec!["127.0.0.1/32".parse().unwrap()], 200)] {
        let mut settings = settings();
        settings.budgets.connections_per_address = 5;
        settings.trusted_proxies = proxies;
        let server = support::start_with(settings).await;
        let mut known = Vec::new();
        for _ in 0..5 {
            let mut connection = Connection::open(server.address).await;
            connection.write(&request("GET", "/chat/threads", &own, None)).await;
            assert_eq!(connection.answer(false).await.status, 200);
            known.push(connection);
        }
        let answer = ask(server.address, "GET", "/healthz", &[], None).await;
        assert_eq!(answer.status, last);
        drop(known);
    }
}

#[tokio::test]
async fn each_client_behind_a_proxy_has_its_own_budget() {
    let mut settings = settings();
    settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    settings.budgets.anonymous_bodies_per_address = 1;
    let server = support::start_with(settings).await;
    let mut waiting = Vec::new();
    for client in ["192.0.2.1", "2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:1::2"] {
        let mut connection = Connection::open(server.address).await;
        let headers = [&LOGIN[..], &[("x-forwarded-for", client)]].concat();
        connection.write(&request("POST", "/auth/login", &headers, None)).await;
        connection.write(b"{").await;
        waiting.push(connection);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The last two are of one network: the older one was evicted. The others wait.
    let evicted = timeout(Duration::from_secs(10), waiting[2].answer(false)).await.unwrap();
    assert_eq!(evicted.status, 503);
    for index in [0, 1, 3] {
        assert!(timeout(Duration::from_millis(100), waiting[index].answer(false)).await.is_err());
    }
}

#[tokio::test]
async fn bytes_of_bodies_are_counted_as_they_arrive() {
    let mut settings = settings();
    settings.budgets.anonymous_body_bytes_per_address = 1000;
    let server = support::start_with(settings).await;
    let mut first = Connection::open(server.address).await;
    first
        .write(&request(
            "POST",
            "/auth/login",
            &[("content-type", "application/json"), ("content-length", "900")],
            None,
        ))
        .await;
    first.write(&[b' '; 800]).await;
    let large = [b' '; 900];
    let mut status = 0;
    for _ in 0..200 {
        status = ask(server.address, "POST", "/auth/login", &[], Some(&large)).await.status;
        if status == 503 {
            break;
        }
    }
    assert_eq!(status, 503);
    first.write(&[b' '; 100]).await;
    assert_eq!(first.answer(false).await.status, 400);
    assert_eq!(ask(server.address, "POST", "/auth/login", &[], Some(&large)).await.status, 400);
}

#[tokio::test]
async fn batches_have_a_budget_of_their_own() {
    let mut settings = settings();
    (settings.max_in_flight, settings.budgets.batches) = (1, 2);
    let server = support::serve(App::builder(support::engine().await).settings(settings).build().unwrap()).await;
    let member = token("ada", &[("t_acme", Role::Member)]);
    let bearer = format!("Bearer {member}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("X-Tenant-Id", "t_acme"),
        ("X-Env", "dev"),
        ("Content-Type", "application/x-ndjson"),
        ("Content-Length", "100000"),
    ];
    let mut batches = Vec::new();
    for _ in 0..2 {
        let mut connection = Connection::open(server.address).await;
        connection.write(&request("POST", "/events/batch", &headers, None)).await;
        batches.push(connection);
    }
    let mut status = 0;
    for _ in 0..200 {
        let mut third = Connection::open(server.address).await;
        third.write(&request("POST", "/events/batch", &headers, None)).await;
        match timeout(Duration::from_millis(100), third.answer(false)).await {
            Ok(answer) => {
                status = answer.status;
                break;
            }
            Err(_) => drop(batches.remove(0)),
        }
        batches.push(third);
    }
    assert_eq!(status, 503);
    // They take no place in flight, of which there is one.
    assert_eq!(acme(server.address, &member, "GET", "/chat/threads", None).await.status, 200);
}
