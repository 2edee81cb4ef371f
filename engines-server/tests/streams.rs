//! SSE and WebSocket over real connections, and the stop of the server.

mod support;

use std::time::Duration;

use engines::{Limits, Role};
use engines_server::App;
use serde_json::{Value, json};
use support::{
    Connection, Server, acme, ask, request,
    streaming::{frame, open, socket},
    token,
};

fn member() -> String {
    token("ada", &[("t_acme", Role::Member)])
}

/// Starts a server with the thread `t` and the canvas `c`.
async fn prepared() -> Server {
    let server = support::start().await;
    acme(server.address, &member(), "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    acme(server.address, &member(), "POST", "/canvas", Some(&json!({ "canvas_id": "c" }))).await;
    server
}

async fn post(server: &Server, text: &str) -> Value {
    let answer =
        acme(server.address, &member(), "POST", "/chat/threads/t/messages", Some(&json!({ "text": text }))).await;
    assert_eq!(answer.status, 201);
    answer.json()
}

#[tokio::test]
async fn sse_replays_then_follows_then_resumes() {
    let server = prepared().await;
    let first = post(&server, "one").await;
    let mut stream = open(&server, &member(), "/sse/chat/t?from=start", &[]).await;
    assert_eq!(stream.answer(true).await.header("content-type"), Some("text/event-stream"));
    let seen = stream.until("\"text\":\"one\"").await;
    assert!(seen.contains("retry: 1500\n\n"), "{seen}");
    assert!(
        seen.contains(&format!("id: {}\nevent: user_message\ndata: {{", first["cursor"].as_str().unwrap())),
        "{seen}"
    );
    post(&server, "two").await;
    stream.until("\"text\":\"two\"").await;
    drop(stream);
    post(&server, "three").await;
    // The header is newer than the URL.
    let last = [("Last-Event-ID", first["cursor"].as_str().unwrap())];
    let mut stream = open(&server, &member(), "/sse/chat/t?from=start", &last).await;
    let seen = stream.until("\"text\":\"three\"").await;
    assert!(seen.contains("\"text\":\"two\"") && !seen.contains("\"text\":\"one\""), "{seen}");
}

#[tokio::test]
async fn an_idle_stream_sends_keep_alives() {
    let limits = Limits { sse_keepalive_s: 1, ..Limits::default() };
    let engine =
        engines::Engine::builder().memory().signing_secret(support::secret()).limits(limits).build().await.unwrap();
    let server = support::serve(App::new(engine).unwrap()).await;
    acme(server.address, &member(), "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let mut stream = open(&server, &member(), "/sse/chat/t", &[]).await;
    stream.until("\n:").await;
}

#[tokio::test]
async fn stopping_closes_streams_so_that_clients_resume() {
    let server = prepared().await;
    let mut stream = open(&server, &member(), "/sse/chat/t", &[]).await;
    stream.until("retry: 1500").await;
    let mut idle = Connection::open(server.address).await;
    idle.write(&request("GET", "/healthz", &[], None)).await;
    assert_eq!(idle.answer(false).await.status, 200);
    assert_eq!(ask(server.address, "GET", "/readyz", &[], None).await.status, 200);
    server.app.shutdown().begin();
    let finished = tokio::time::timeout(Duration::from_secs(30), server.serving).await;
    assert!(finished.unwrap().unwrap(), "something was still open");
    stream.rest().await;
    assert!(idle.rest().await.is_empty());
    // An app that is mounted in another service reports it as well.
    let ready = server.app.handle(http::Request::get("/readyz").body(String::new()).unwrap()).await;
    assert_eq!(ready.status(), 503);
    let asked = server.app.handle(http::Request::get("/canvas/c").body(String::new()).unwrap()).await;
    assert_eq!((asked.status().as_u16(), asked.headers().contains_key("retry-after")), (503, true));
}

#[tokio::test]
async fn a_socket_follows_posts_and_is_closed_with_a_code() {
    let server = prepared().await;
    post(&server, "one").await;
    let mut chat = socket(&server, &member(), "/ws/chat/t?from=start").await;
    chat.until("\"text\":\"one\"").await;
    chat.write(&frame(1, br#"{"type":"message","text":"two","ref":"r1"}"#)).await;
    let seen = chat.until("\"ref\":\"r1\"").await + &chat.until("}").await;
    assert!(seen.contains("ack"), "{seen}");
    chat.write(&frame(9, b"are you there")).await;
    chat.until("are you there").await;

    let mut any = socket(&server, &member(), "/ws").await;
    any.write(&frame(1, br#"{"type":"subscribe","stream":"chat/t","from":"start"}"#)).await;
    any.until("\"text\":\"two\"").await;
    any.write(&frame(1, br#"{"type":"subscribe","stream":"chat/none","ref":7}"#)).await;
    any.until("NOT_FOUND").await;

    // The frame is too large: the server closes with its own code, and the peer may finish sending.
    any.write(&frame(1, &vec![b'x'; 3 << 20])).await;
    let closed = any.rest().await;
    assert_eq!(closed[closed.len() - 4..], [0x88, 2, 0x11, 0x3d], "4413");

    server.app.shutdown().begin();
    assert!(server.serving.await.unwrap());
    let closed = chat.rest().await;
    assert!(closed.ends_with(b"\x88\x0f\x03\xe9SHUTTING_DOWN"), "1001");
}

#[tokio::test]
async fn a_deleted_thread_says_so_in_band_on_both_transports_and_is_404_then() {
    let server = prepared().await;
    let mut events = open(&server, &member(), "/sse/chat/t?from=start", &[]).await;
    events.until("retry: 1500").await;
    let mut chat = socket(&server, &member(), "/ws/chat/t").await;
    let mut any = socket(&server, &member(), "/ws").await;
    for (stream, reference) in [("chat/t", "1"), ("canvas/c", "2")] {
        let subscribe = json!({ "type": "subscribe", "stream": stream, "ref": reference }).to_string();
        any.write(&frame(1, subscribe.as_bytes())).await;
        any.until(&format!("\"ref\":\"{reference}\"")).await;
    }
    let answer = acme(server.address, &member(), "DELETE", "/chat/threads/t", None).await;
    assert_eq!(answer.status, 204);

    // The rest is complete, because the stream ends with it.
    let rest = String::from_utf8_lossy(&events.rest().await).into_owned();
    let last = rest.rsplit("data: ").next().unwrap().split('\n').next().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!((&last["data"]["code"], &last["data"]["final"]), (&json!("NOT_FOUND"), &json!(true)), "{rest}");
    assert_eq!(last["stream"], "chat/t");
    let closed = chat.rest().await;
    assert!(String::from_utf8_lossy(&closed).contains("\"final\":true"));
    assert_eq!(closed[closed.len() - 4..], [0x88, 2, 0x11, 0x34], "4404");
    // A socket with several streams continues with the others.
    any.until("\"final\":true").await;
    let command = json!({ "base_rev": 0, "ops": [{ "op": "add", "path": "/a", "value": 1 }] });
    assert_eq!(acme(server.address, &member(), "POST", "/canvas/c/commands", Some(&command)).await.status, 200);
    any.until("canvas_commit").await;
    any.write(&frame(9, b"still there")).await;
    any.until("still there").await;

    for path in ["/sse/chat/t", "/chat/threads/t", "/chat/threads/t/events"] {
        assert_eq!(acme(server.address, &member(), "GET", path, None).await.status, 404, "{path}");
    }
    let again = acme(server.address, &member(), "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    assert_eq!((again.status, again.code().as_str()), (409, "ALREADY_EXISTS"));
}
