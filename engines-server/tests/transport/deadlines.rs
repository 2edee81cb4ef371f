//! Every phase of a connection has a deadline.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use engines::{Clock, Role, SystemClock, Timestamp, core::testing::ManualClock};
use engines_server::HttpSettings;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::support::{
    self, Connection, Server, acme, ask,
    http2::{DATA, END_STREAM, GOAWAY, HEADERS, Http2, RST_STREAM, WINDOW_UPDATE},
    narrow, request, token, token_at,
};

const HANDSHAKE: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Much longer than the deadlines of these tests, because the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

fn settings() -> HttpSettings {
    let mut settings = HttpSettings { head_timeout_s: 60, ..HttpSettings::default() };
    (settings.deadlines.idle_s, settings.deadlines.write_s) = (1, 1);
    settings.deadlines.stop_stalled_ms = 200;
    settings
}

fn member() -> String {
    token("ada", &[("t_acme", Role::Member)])
}

/// Waits until the server has no stream and no other connection than the one of this request.
async fn until_nothing_is_open(server: &Server) {
    let operator = format!("Bearer {}", token("root", &[("t_system", Role::Admin)]));
    let nothing = async {
        loop {
            let answer = ask(server.address, "GET", "/metrics", &[("Authorization", &operator)], None).await;
            let metrics = String::from_utf8(answer.body).unwrap();
            let says = |line: &str| metrics.lines().any(|found| found == line);
            if says("engines_http_connections 1") && says("engines_streams_open 0") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, nothing).await.expect("a stalled connection was kept");
}

#[tokio::test]
async fn an_http2_connection_that_only_answers_pings_is_closed() {
    let settings = HttpSettings { head_timeout_s: 1, ..settings() };
    let server = support::start_with(settings).await;
    let mut connection = Http2::open(server.address, 65_535).await;
    connection.request(1, "GET", "/healthz", &[], END_STREAM).await;
    assert_eq!(connection.until(HEADERS).await.status(), 200);
    let closed = async {
        let mut said_goodbye = false;
        while let Some(frame) = connection.next().await {
            said_goodbye |= frame.kind == GOAWAY;
        }
        said_goodbye
    };
    assert!(timeout(PATIENCE, closed).await.expect("kept for ever"), "closed without GOAWAY");
    until_nothing_is_open(&server).await;
}

#[tokio::test]
async fn an_http2_stream_whose_client_gives_no_window_is_reset() {
    let server = support::start_with(settings()).await;
    // A window of one byte for each stream, and of none. Pings are answered.
    for window in [1, 0] {
        let mut connection = Http2::open(server.address, window).await;
        connection.request(1, "GET", "/openapi.json", &[], END_STREAM).await;
        assert_eq!(connection.until(HEADERS).await.status(), 200);
        let reset = timeout(PATIENCE, connection.until(RST_STREAM)).await.expect("the stream was kept");
        assert_eq!(reset.stream, 1);
        drop(connection);
        until_nothing_is_open(&server).await;
    }
}

#[tokio::test]
async fn a_client_that_pipelines_and_never_reads_is_closed() {
    let server = support::start_with(settings()).await;
    let mut stream = narrow(&server).await;
    let many: Vec<u8> = (0..60).flat_map(|_| request("GET", "/openapi.json", &[], None)).collect();
    stream.write_all(&many).await.unwrap();
    until_nothing_is_open(&server).await;
}

#[tokio::test]
async fn readers_of_streams_that_stop_reading_are_closed() {
    let server = support::start_with(settings()).await;
    acme(server.address, &member(), "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let bearer = format!("Bearer {}", member());
    let own = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
    let mut reader = narrow(&server).await;
    reader.write_all(&request("GET", "/sse/chat/t?from=start", &own, None)).await.unwrap();
    let mut peer = narrow(&server).await;
    peer.write_all(&request("GET", "/ws/chat/t?from=start", &[&own[..], &HANDSHAKE].concat(), None)).await.unwrap();
    // An HTTP/2 reader whose window is used up.
    let mut http2 = Http2::open(server.address, 1000).await;
    let lower = [("authorization", bearer.as_str()), ("x-tenant-id", "t_acme"), ("x-env", "dev")];
    http2.request(1, "GET", "/sse/chat/t?from=start", &lower, END_STREAM).await;
    http2.until(DATA).await;
    // More than the buffers of the system hold.
    let text = "x".repeat(200_000);
    for _ in 0..40 {
        let body = json!({ "text": text });
        let posted = acme(server.address, &member(), "POST", "/chat/threads/t/messages", Some(&body)).await;
        assert_eq!(posted.status, 201, "{posted:?}");
    }
    timeout(PATIENCE, http2.until(RST_STREAM)).await.expect("the stream was kept");
    until_nothing_is_open(&server).await;
    drop((reader, peer));
}

#[tokio::test]
async fn a_reader_that_does_not_read_does_not_outlive_its_credential() {
    let mut settings = settings();
    // No other deadline ends the connections.
    (settings.deadlines.write_s, settings.deadlines.idle_s, settings.head_timeout_s) = (3600, 3600, 3600);
    let server = support::start_with(settings).await;
    acme(server.address, &member(), "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let text = "x".repeat(200_000);
    for _ in 0..40 {
        acme(server.address, &member(), "POST", "/chat/threads/t/messages", Some(&json!({ "text": text }))).await;
    }
    // The token was issued so long ago that it is valid for a few more seconds: it expires after 600 s, with 30 s of
    // leeway.
    let clock = ManualClock::default();
    let made = SystemClock.now().as_millis() - 626_000;
    clock.set(Timestamp::from_millis(made));
    let bearer = format!("Bearer {}", token_at(Arc::new(clock), "ada", &[("t_acme", Role::Member)]));
    let own = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
    let mut reader = narrow(&server).await;
    reader.write_all(&request("GET", "/sse/chat/t?from=start", &own, None)).await.unwrap();
    let mut peer = narrow(&server).await;
    let handshake = [&own[..], &HANDSHAKE].concat();
    peer.write_all(&request("GET", "/ws/chat/t?from=start", &handshake, None)).await.unwrap();
    let mut http2 = Http2::open(server.address, 0).await;
    let lower = [("authorization", bearer.as_str()), ("x-tenant-id", "t_acme"), ("x-env", "dev")];
    http2.request(1, "GET", "/sse/chat/t?from=start", &lower, END_STREAM).await;
    assert_eq!(http2.until(HEADERS).await.status(), 200);
    let mut answer = [0; 12];
    reader.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    peer.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    // This client has given all windows, and does not read its socket: a reset cannot reach it.
    let mut full = Http2::over(narrow(&server).await, 1 << 30).await;
    full.send(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes()).await;
    full.request(1, "GET", "/sse/chat/t?from=start", &lower, END_STREAM).await;
    timeout(PATIENCE, http2.until(RST_STREAM)).await.expect("the stream was kept");
    drop(http2);
    until_nothing_is_open(&server).await;
    drop(full);
}

#[tokio::test]
async fn a_body_that_trickles_is_refused_before_its_whole_time_is_over() {
    let mut settings = HttpSettings { body_timeout_s: 3600, ..settings() };
    (settings.deadlines.body_grace_s, settings.deadlines.body_bytes_per_s) = (1, 1000);
    let server = support::start_with(settings).await;
    let mut connection = Connection::open(server.address).await;
    let headers = [("content-type", "application/json"), ("content-length", "100000")];
    connection.write(&request("POST", "/auth/login", &headers, None)).await;
    let trickle = async {
        loop {
            connection.write(b" ").await;
            if let Ok(answer) = timeout(Duration::from_millis(100), connection.answer(false)).await {
                return answer;
            }
        }
    };
    let answer = timeout(PATIENCE, trickle).await.expect("a trickling body was waited for");
    assert_eq!((answer.status, answer.code().as_str()), (408, "REQUEST_TIMEOUT"));
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn stalled_clients_do_not_hold_up_a_stop() {
    let mut settings = HttpSettings { shutdown_grace_s: 600, ..settings() };
    (settings.deadlines.idle_s, settings.deadlines.write_s) = (3600, 3600);
    let server = support::start_with(settings).await;
    let mut held = Vec::new();
    // The client stops within a head, and within a body.
    for part in [&b"GET /healthz HT"[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = narrow(&server).await;
        stream.write_all(part).await.unwrap();
        held.push(stream);
    }
    let mut stream = narrow(&server).await;
    let headers = [("content-type", "application/json"), ("content-length", "1000")];
    stream.write_all(&request("POST", "/auth/login", &headers, None)).await.unwrap();
    held.push(stream);
    let mut stream = narrow(&server).await;
    let many: Vec<u8> = (0..60).flat_map(|_| request("GET", "/openapi.json", &[], None)).collect();
    stream.write_all(&many).await.unwrap();
    held.push(stream);
    // HTTP/2 streams without a window: one whose response waits, one whose body waits, and a connection without
    // streams.
    let mut no_window = Http2::open(server.address, 1).await;
    no_window.request(1, "GET", "/openapi.json", &[], END_STREAM).await;
    no_window.request(3, "GET", "/healthz", &[], END_STREAM).await;
    no_window.request(5, "POST", "/auth/login", &headers, 0).await;
    no_window.until(HEADERS).await;
    let mut silent = Http2::open(server.address, 65_535).await;
    silent.request(1, "GET", "/healthz", &[], END_STREAM).await;
    silent.until(HEADERS).await;
    // A batch that pauses, and a stream that is not read.
    acme(server.address, &member(), "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let bearer = format!("Bearer {}", member());
    let own = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
    let batch = [&own[..], &[("Content-Type", "application/x-ndjson"), ("Content-Length", "1000")]].concat();
    let mut stream = narrow(&server).await;
    stream.write_all(&request("POST", "/events/batch", &batch, None)).await.unwrap();
    held.push(stream);
    let mut reader = narrow(&server).await;
    reader.write_all(&request("GET", "/sse/chat/t?from=start", &own, None)).await.unwrap();
    let text = "x".repeat(200_000);
    for _ in 0..40 {
        acme(server.address, &member(), "POST", "/chat/threads/t/messages", Some(&json!({ "text": text }))).await;
    }
    held.push(reader);

    // A reader that shrinks its window while the stream is idle.
    acme(server.address, &member(), "POST", "/chat/threads", Some(&json!({ "thread_id": "quiet" }))).await;
    let lower = [("authorization", bearer.as_str()), ("x-tenant-id", "t_acme"), ("x-env", "dev")];
    let mut taken_back = Http2::open(server.address, 65_535).await;
    taken_back.request(1, "GET", "/sse/chat/quiet", &lower, END_STREAM).await;
    taken_back.until(DATA).await;
    taken_back.set_window(0).await;
    taken_back.pinged().await;

    let begun = Instant::now();
    server.app.shutdown().begin();
    let finished = timeout(PATIENCE, server.serving).await.expect("a stalled client held up the stop").unwrap();
    assert!(finished);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    drop((held, no_window, silent, taken_back));
}
