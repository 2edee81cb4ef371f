//! A caller who loses the right to a stream loses the stream, even if nothing is read from it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use engines::{
    Engine, Principal, Result, Role, TenantId, UserId,
    auth::{Directory, Revocation, RevocationFeed, Revocations},
};
use engines_server::App;
use serde_json::json;
use support::{
    Server, acme,
    http2::{DATA, END_STREAM, HEADERS, Http2, RST_STREAM},
    narrow, request,
    streaming::{open, socket},
    token,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

/// A directory with the roles that a test sets. Users without one keep the role in their token.
#[derive(Debug, Clone)]
struct Told {
    roles: Arc<Mutex<BTreeMap<UserId, Option<Role>>>>,
    feed: Option<Revocations>,
}

impl Told {
    /// Creates a directory that reports changes at once, or one that must be asked again.
    fn new(tells: bool) -> Self {
        Self { roles: Arc::default(), feed: tells.then(|| Revocations::new(8)) }
    }

    fn say(&self, user: &str, role: Option<Role>) {
        let user = UserId::new(user).unwrap();
        self.roles.lock().unwrap().insert(user.clone(), role);
        if let Some(feed) = &self.feed {
            feed.send(Revocation::User(user));
        }
    }
}

#[async_trait]
impl Directory for Told {
    async fn role(&self, principal: &Principal, _: &TenantId, claimed: Option<Role>) -> Result<Option<Role>> {
        Ok(self.roles.lock().unwrap().get(&principal.actor.id).copied().unwrap_or(claimed))
    }

    fn revocations(&self) -> Option<RevocationFeed> {
        self.feed.as_ref().map(Revocations::subscribe)
    }
}

fn of(user: &str) -> String {
    token(user, &[("t_acme", Role::Member)])
}

async fn prepared(told: &Told) -> Server {
    let engine =
        Engine::builder().memory().signing_secret(support::secret()).directory(told.clone()).build().await.unwrap();
    let server = support::serve(App::new(engine).unwrap()).await;
    let made = acme(server.address, &of("ada"), "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    assert_eq!(made.status, 201);
    server
}

#[tokio::test]
async fn sse_and_websocket_streams_end_with_a_reason_on_revocation() {
    for tells in [true, false] {
        let told = Told::new(tells);
        let server = prepared(&told).await;
        let mut ada = open(&server, &of("ada"), "/sse/chat/t", &[]).await;
        ada.until("retry: 1500").await;
        let mut bob = open(&server, &of("bob"), "/sse/chat/t", &[]).await;
        bob.until("retry: 1500").await;
        let mut gone = socket(&server, &of("gone"), "/ws/chat/t").await;
        let mut less = socket(&server, &of("less"), "/ws").await;
        let mut stays = socket(&server, &of("stays"), "/ws/chat/t").await;

        told.say("bob", None);
        let last = String::from_utf8(bob.rest().await).unwrap();
        assert!(last.contains("event: error\n") && last.contains("TENANT_FORBIDDEN"), "{last}");
        told.say("gone", None);
        told.say("less", Some(Role::Viewer));
        for socket in [&mut gone, &mut less] {
            let last = socket.rest().await;
            assert_eq!(last[last.len() - 4..], [0x88, 2, 0x11, 0x33], "4403");
        }
        // The other followers get the next message.
        let said = json!({ "text": "still here" });
        let posted = acme(server.address, &of("ada"), "POST", "/chat/threads/t/messages", Some(&said)).await;
        assert_eq!(posted.status, 201);
        ada.until("still here").await;
        stays.until("still here").await;
        let refused = acme(server.address, &of("bob"), "GET", "/chat/threads/t", None).await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "TENANT_FORBIDDEN"));
    }
}

#[tokio::test]
async fn a_stalled_reader_is_disconnected_on_revocation() {
    let told = Told::new(true);
    let server = prepared(&told).await;
    let mut sse = open(&server, &of("bob"), "/sse/chat/t", &[]).await;
    sse.until("retry: 1500").await;
    let mut ws = socket(&server, &of("eve"), "/ws/chat/t").await;
    ws.until("}").await;
    // More than the buffers of sockets hold, and the reader does not read.
    let said = json!({ "text": "x".repeat(200_000) });
    for _ in 0..80 {
        let posted = acme(server.address, &of("ada"), "POST", "/chat/threads/t/messages", Some(&said)).await;
        assert_eq!(posted.status, 201);
    }
    let here = async || acme(server.address, &of("ada"), "GET", "/presence/chat/t", None).await.json();
    assert_eq!(here().await["items"].as_array().unwrap().len(), 2);
    told.say("bob", None);
    told.say("eve", None);
    let left = async {
        while !here().await["items"].as_array().unwrap().is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PROMISE, left).await.expect("a stream was kept");
    drop((sse, ws));
}

/// The time in which a revocation must take effect. The deadline of writes, which would end a stalled stream as well,
/// is 30 s.
const PROMISE: Duration = Duration::from_secs(5);

/// Opens a stream over HTTP/2 and reads the head of the response.
async fn open_http2(server: &Server, user: &str, window: u32) -> Http2 {
    let bearer = format!("Bearer {}", of(user));
    let mut connection = Http2::open(server.address, window).await;
    let own = [("authorization", bearer.as_str()), ("x-tenant-id", "t_acme"), ("x-env", "dev")];
    connection.request(1, "GET", "/sse/chat/t", &own, END_STREAM).await;
    assert_eq!(connection.until(HEADERS).await.status(), 200);
    connection
}

#[tokio::test]
async fn an_http2_stream_without_a_window_is_reset_when_its_credential_ends() {
    for tells in [true, false] {
        let told = Told::new(tells);
        let server = prepared(&told).await;
        let mut none = open_http2(&server, "none", 0).await;
        let mut stays = open_http2(&server, "stays", 65_535).await;
        stays.until(DATA).await;
        told.say("none", None);
        let reset = timeout(PROMISE, none.until(RST_STREAM)).await.expect("the stream was kept");
        assert_eq!(reset.stream, 1);
        // The connection itself is still usable, and so are the streams of others.
        none.request(3, "GET", "/healthz", &[], END_STREAM).await;
        assert_eq!(none.until(HEADERS).await.stream, 3);
        let said = json!({ "text": "still here" });
        acme(server.address, &of("ada"), "POST", "/chat/threads/t/messages", Some(&said)).await;
        while !String::from_utf8_lossy(&stays.until(DATA).await.payload).contains("still here") {}
    }
}

/// Waits until stream 1 or its connection has ended. Fails if an event arrives after the revocation.
async fn until_ended(connection: &mut Http2) {
    while let Some(frame) = connection.next().await {
        if frame.kind == RST_STREAM {
            assert_eq!(frame.stream, 1);
            return;
        }
        assert!(!String::from_utf8_lossy(&frame.payload).contains("after the end"));
    }
}

#[tokio::test]
async fn an_http2_reader_that_used_up_its_window_loses_its_stream_or_its_connection() {
    for tells in [true, false] {
        let told = Told::new(tells);
        let server = prepared(&told).await;
        // One byte of the first event is sent. The rest waits in the library, and a reset waits behind it.
        let mut reader = open_http2(&server, "bob", 1).await;
        assert_eq!(reader.until(DATA).await.payload.len(), 1);
        told.say("bob", None);
        timeout(PROMISE, until_ended(&mut reader)).await.expect("the stream was kept");
    }
}

#[tokio::test]
async fn an_http2_reader_that_took_its_window_back_loses_its_stream_or_its_connection() {
    for tells in [true, false] {
        let told = Told::new(tells);
        let server = prepared(&told).await;
        let mut reader = open_http2(&server, "bob", 65_535).await;
        reader.until(DATA).await;
        reader.set_window(0).await;
        reader.pinged().await;
        told.say("bob", None);
        timeout(PROMISE, until_ended(&mut reader)).await.expect("the stream was kept");
    }
}

#[tokio::test]
async fn an_http2_reader_that_lets_events_wait_loses_its_stream_or_its_connection() {
    let told = Told::new(true);
    let server = prepared(&told).await;
    let mut reader = open_http2(&server, "bob", 65_535).await;
    reader.until(DATA).await;
    reader.set_window(0).await;
    reader.pinged().await;
    let said = json!({ "text": "x".repeat(100_000) });
    let posted = acme(server.address, &of("ada"), "POST", "/chat/threads/t/messages", Some(&said)).await;
    assert_eq!(posted.status, 201);
    told.say("bob", None);
    timeout(PROMISE, until_ended(&mut reader)).await.expect("the stream was kept");
}

#[tokio::test]
async fn an_http2_reader_is_told_why_its_stream_ends() {
    let told = Told::new(true);
    let server = prepared(&told).await;
    let mut reader = open_http2(&server, "bob", 65_535).await;
    told.say("bob", None);
    let mut seen = String::new();
    while !seen.contains("TENANT_FORBIDDEN") {
        let frame = timeout(PROMISE, reader.next()).await.unwrap().unwrap();
        assert_eq!(frame.kind, DATA, "reset instead: {seen}");
        seen.push_str(&String::from_utf8_lossy(&frame.payload));
    }
}

#[tokio::test]
async fn a_stream_over_http1_that_the_library_sends_ends_as_well() {
    let told = Told::new(true);
    let server = prepared(&told).await;
    let bearer = format!("Bearer {}", of("bob"));
    let own = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
    let mut reader = narrow(&server).await;
    let head = String::from_utf8(request("GET", "/sse/chat/t", &own, None)).unwrap();
    reader.write_all(head.replace("HTTP/1.1", "HTTP/1.0").as_bytes()).await.unwrap();
    let mut status = [0; 12];
    reader.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.0 200");
    let said = json!({ "text": "x".repeat(200_000) });
    for _ in 0..80 {
        let posted = acme(server.address, &of("ada"), "POST", "/chat/threads/t/messages", Some(&said)).await;
        assert_eq!(posted.status, 201);
    }
    let here = async || acme(server.address, &of("ada"), "GET", "/presence/chat/t", None).await.json();
    assert_eq!(here().await["items"].as_array().unwrap().len(), 1);
    told.say("bob", None);
    let left = async {
        while !here().await["items"].as_array().unwrap().is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PROMISE, left).await.expect("the stream was kept");
    drop(reader);
}
