//! The HTTP protocol: routes, methods, bodies, limits, connections.

mod support;

use std::time::Duration;

use engines::Role;
use engines_server::HttpSettings;
use serde_json::{Value, json};
use support::{Connection, acme, ask, request, token};

fn member() -> String {
    token("ada", &[("t_acme", Role::Member)])
}

#[tokio::test]
async fn unknown_paths_are_404_and_unknown_methods_405() {
    let server = support::start().await;
    let answer = ask(server.address, "GET", "/nothing/here", &[], None).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "NOT_FOUND"));
    let answer = ask(server.address, "DELETE", "/chat/threads", &[], None).await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "METHOD_NOT_ALLOWED"));
    assert_eq!(answer.header("allow"), Some("POST, GET, HEAD"));
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let server = support::start().await;
    for path in ["/", "/healthz", "/openapi.json"] {
        let get = ask(server.address, "GET", path, &[], None).await;
        let head = ask(server.address, "HEAD", path, &[], None).await;
        assert_eq!((head.status, head.header("content-length")), (200, get.header("content-length")), "{path}");
        assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
    }
    // `HEAD` of a stream does not open it.
    let bearer = format!("Bearer {}", member());
    acme(server.address, &member(), "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let headers =
        [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev"), ("Connection", "close")];
    let mut connection = Connection::open(server.address).await;
    connection.write(&request("HEAD", "/sse/chat/t", &headers, None)).await;
    assert_eq!(connection.answer(true).await.header("content-type"), Some("text/event-stream"));
    assert!(connection.rest().await.is_empty());
}

#[tokio::test]
async fn request_ids_and_traces_are_kept_or_made() {
    let server = support::start().await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [("X-Request-Id", "my-request.1"), ("traceparent", parent)];
    for path in ["/healthz", "/nothing"] {
        assert_eq!(ask(server.address, "GET", path, &headers, None).await.header("x-request-id"), Some("my-request.1"));
    }
    // Blanks are not visible characters, and an address would be in every log line.
    for id in ["no good", "ana@example.org", "order-4111111111111111-of-ana@example.org"] {
        let made = ask(server.address, "GET", "/healthz", &[("X-Request-Id", id)], None).await;
        assert_eq!(made.header("x-request-id").unwrap().len(), 26, "{id}");
    }
    for id in
        ["0af7651916cd43dd8448eb211c80319c", "5f0c9b1e-7c1d-4c1a-9a51-0a7b3c9d2e4f", "1700000000-1234", "GET:/x?y=1"]
    {
        let kept = ask(server.address, "GET", "/healthz", &[("X-Request-Id", id)], None).await;
        assert_eq!(kept.header("x-request-id"), Some(id));
    }
    let bearer = format!("Bearer {}", member());
    acme(server.address, &member(), "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let headers =
        [&headers[..], &[("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")]].concat();
    let event =
        ask(server.address, "POST", "/chat/threads/t/messages", &headers, Some(br#"{"text":"hi"}"#)).await.json();
    assert_eq!(event["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(event["ids"]["request_id"], "my-request.1");
}

#[tokio::test]
async fn invalid_bodies_are_rejected_naming_the_field() {
    let server = support::start().await;
    let (token, mut stored) = (member(), 0);
    acme(server.address, &token, "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("X-Tenant-Id", "t_acme"),
        ("X-Env", "dev"),
        ("Content-Type", "application/json"),
    ];
    let deep = "[".repeat(10_000);
    let deep_inside = format!(r#"{{"text":"x","data":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let cases: [(&[u8], u16, &str, Value); 14] = [
        (b"", 400, "BODY_INVALID", json!("")),
        (b"{", 400, "BODY_INVALID", json!("")),
        (b"[]", 400, "BODY_INVALID", json!("")),
        (b"\"text\"", 400, "BODY_INVALID", json!("")),
        (deep.as_bytes(), 400, "BODY_INVALID", json!("")),
        (deep_inside.as_bytes(), 400, "BODY_INVALID", json!("")),
        (b"{\"text\":\"\xff\"}", 400, "BODY_INVALID", json!("")),
        (br#"{"text":7}"#, 400, "BODY_INVALID", json!("/text")),
        (br#"{}"#, 400, "BODY_INVALID", json!("/text")),
        (br#"{"text":"a","text":"b"}"#, 400, "BODY_INVALID", json!("/text")),
        (br#"{"text":"a","x":1e999}"#, 400, "BODY_INVALID", json!("/x")),
        (br#"{"text":"a"} trailing"#, 400, "BODY_INVALID", json!("")),
        (br#"{"text":"a","tenant_id":7}"#, 400, "BODY_INVALID", json!("/tenant_id")),
        (br#"{"text":"a","tenant_id":"t_other"}"#, 400, "CONTEXT_MISMATCH", json!("tenant_id")),
    ];
    for (body, status, code, field) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = ask(server.address, "POST", "/chat/threads/t/messages", &headers, Some(body)).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{shown}");
        assert_eq!(answer.json()["field"], field, "{shown}: {}", answer.json());
    }
    for good in [&br#"{"text":"a","unknown":{"x":[1]},"tenant_id":"t_acme","env":"DEV"}"#[..], br#"{"text":"b"}"#] {
        let answer = ask(server.address, "POST", "/chat/threads/t/messages", &headers, Some(good)).await;
        stored += 1;
        assert_eq!((answer.status, &answer.json()["seq"]), (201, &json!(stored)));
    }
}

#[tokio::test]
async fn unsupported_media_types_and_large_bodies_are_rejected() {
    let server = support::start().await;
    let token = member();
    acme(server.address, &token, "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let bearer = format!("Bearer {token}");
    let base = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
    let path = "/chat/threads/t/messages";
    let types = [
        (Some("application/json"), 201),
        (Some("application/json; charset=utf-8"), 201),
        (Some("application/merge-patch+json"), 201),
        (Some("text/plain"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
        (Some("application/json; charset=iso-8859-1"), 415),
    ];
    for (kind, status) in types {
        let mut headers = base.to_vec();
        headers.extend(kind.map(|kind| ("Content-Type", kind)));
        assert_eq!(
            ask(server.address, "POST", path, &headers, Some(br#"{"text":"a"}"#)).await.status,
            status,
            "{kind:?}"
        );
    }
    // A body without a media type is refused as well, because a page of another site can send it without a preflight.
    let untyped = [&base[..], &[("Content-Length", "12")]].concat();
    let mut connection = Connection::open(server.address).await;
    connection.write(&request("POST", path, &untyped, None)).await;
    connection.write(br#"{"text":"a"}"#).await;
    assert_eq!(connection.answer(false).await.code(), "MEDIA_TYPE_UNSUPPORTED");
    let gzip = [&base[..], &[("Content-Encoding", "gzip")]].concat();
    assert_eq!(ask(server.address, "POST", path, &gzip, Some(b"{}")).await.code(), "MEDIA_TYPE_UNSUPPORTED");

    // The announced length is too large: the body is refused before a byte was sent.
    let mut connection = Connection::open(server.address).await;
    let base = [&base[..], &[("Content-Type", "application/json")]].concat();
    let head = [&base[..], &[("Content-Length", "10485760")]].concat();
    connection.write(&request("POST", path, &head, None)).await;
    let answer = connection.answer(false).await;
    assert_eq!(
        (answer.status, answer.code().as_str(), &answer.json()["limit"]),
        (413, "BODY_TOO_LARGE", &json!(1 << 20))
    );

    // The length is not announced: the body is refused when it has become too large.
    let mut connection = Connection::open(server.address).await;
    let chunked = [&base[..], &[("Transfer-Encoding", "chunked")]].concat();
    connection.write(&request("POST", path, &chunked, None)).await;
    let piece = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    for _ in 0..17 {
        connection.write(&piece).await;
    }
    assert_eq!(connection.answer(false).await.code(), "BODY_TOO_LARGE");

    // A chunked body within the limit is accepted.
    let mut connection = Connection::open(server.address).await;
    connection.write(&request("POST", path, &chunked, None)).await;
    for piece in ["8\r\n{\"text\":\r\n", "6\r\n\"one\"}\r\n", "0\r\n\r\n"] {
        connection.write(piece.as_bytes()).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(connection.answer(false).await.json()["data"]["text"], "one");
}

#[tokio::test]
async fn a_body_that_never_arrives_times_out() {
    let server = support::start_with(HttpSettings { body_timeout_s: 1, ..HttpSettings::default() }).await;
    let bearer = format!("Bearer {}", member());
    let headers =
        [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev"), ("Content-Length", "100")];
    let headers = [&headers[..], &[("Content-Type", "application/json")]].concat();
    let mut connection = Connection::open(server.address).await;
    connection.write(&request("POST", "/chat/threads", &headers, None)).await;
    connection.write(b"{\"title\":").await;
    let answer = connection.answer(false).await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "REQUEST_TIMEOUT"));
    // Without a credential, the body is not awaited.
    let answer = ask(server.address, "POST", "/chat/threads", &[("Content-Length", "100")], None).await;
    assert_eq!(answer.code(), "TOKEN_MISSING");
}

#[tokio::test]
async fn invalid_query_parameters_are_rejected_by_name() {
    let server = support::start().await;
    let token = member();
    acme(server.address, &token, "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    acme(server.address, &token, "POST", "/canvas", Some(&json!({ "canvas_id": "c" }))).await;
    let cases = [
        ("/chat/threads?limit=0", "BODY_INVALID", "limit"),
        ("/chat/threads?limit=abc", "BODY_INVALID", "limit"),
        ("/chat/threads?limit=501", "BODY_INVALID", "limit"),
        ("/chat/threads?limit=-1", "BODY_INVALID", "limit"),
        ("/chat/threads?limit=99999999999999999999", "BODY_INVALID", "limit"),
        ("/chat/threads?limit=1&limit=2", "BODY_INVALID", "limit"),
        ("/chat/threads?after=nonsense", "CURSOR_INVALID", ""),
        ("/chat/threads/t/events?after=nonsense", "CURSOR_INVALID", ""),
        ("/chat/threads?x=%ff", "BODY_INVALID", "query"),
        ("/chat/threads/%ff", "ID_INVALID", "id"),
        ("/chat/threads/a%2Fb", "ID_INVALID", ""),
        ("/chat/threads/-t", "ID_INVALID", ""),
        ("/canvas/c/snapshot?rev=one", "BODY_INVALID", "rev"),
        ("/events?from=yesterday", "BODY_INVALID", "from"),
        ("/sse/chat/t?cursor=nonsense", "CURSOR_INVALID", ""),
        ("/sse/canvas/c?channels=smells", "BODY_INVALID", "channels"),
        ("/presence/smells/c", "ID_INVALID", ""),
        ("/ws/chat/t", "BODY_INVALID", "Upgrade"),
    ];
    for (path, code, field) in cases {
        let answer = acme(server.address, &token, "GET", path, None).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{path}: {}", answer.json());
        assert_eq!(answer.json()["field"].as_str().unwrap_or_default(), field, "{path}");
    }
    for path in ["/chat/threads?limit=500&unknown=1", "/chat/threads/%74", "/canvas/c/commits?after_rev=0"] {
        assert_eq!(acme(server.address, &token, "GET", path, None).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn idempotency_keys_come_in_the_header_too() {
    let server = support::start().await;
    let token = member();
    acme(server.address, &token, "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let bearer = format!("Bearer {token}");
    let headers =
        [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev"), ("Idempotency-Key", "k1")];
    let post = async |path: &str, body: &Value| {
        ask(server.address, "POST", path, &headers, Some(&serde_json::to_vec(body).unwrap())).await
    };
    let message = "/chat/threads/t/messages";
    let first = post(message, &json!({ "text": "a" })).await.json();
    assert_eq!(post(message, &json!({ "text": "a" })).await.json()["event_id"], first["event_id"]);
    assert_eq!(post(message, &json!({ "text": "a", "idempotency_key": "k1" })).await.json()["seq"], 1);
    assert_eq!(post(message, &json!({ "text": "b" })).await.code(), "IDEMPOTENCY_MISMATCH");
    assert_eq!(post(message, &json!({ "text": "a", "idempotency_key": "k2" })).await.code(), "CONTEXT_MISMATCH");

    let event = json!({ "surface": "s", "agent_id": "a", "input": { "q": "x" }, "output": {} });
    let first = post("/events", &event).await;
    assert_eq!(
        (first.status, &first.json()["replayed"], &first.json()["status"]),
        (201, &json!(false), &json!("accepted"))
    );
    let again = post("/events", &event).await.json();
    assert_eq!((&again["event_id"], &again["replayed"]), (&first.json()["event_id"], &json!(true)));
    let other = json!({ "surface": "s", "agent_id": "a", "input": { "q": "y" }, "output": {} });
    assert_eq!(post("/events", &other).await.code(), "IDEMPOTENCY_MISMATCH");
    let listed = acme(server.address, &token, "GET", "/events?surface=s&agent_id=a", None).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!((&listed["items"][0]["input"]["q"], &listed["items"][0]["env"]), (&json!("x"), &json!("dev")));
}

#[tokio::test]
async fn a_connection_is_kept_and_pipelined_requests_are_answered_in_order() {
    let server = support::start().await;
    let mut connection = Connection::open(server.address).await;
    let many: Vec<u8> =
        (0..50).flat_map(|n| request("GET", "/healthz", &[("X-Request-Id", &format!("r{n}"))], None)).collect();
    connection.write(&many).await;
    for n in 0..50 {
        let answer = connection.answer(false).await;
        assert_eq!(answer.header("x-request-id"), Some(format!("r{n}").as_str()));
    }
}

#[tokio::test]
async fn a_request_head_over_the_limit_is_rejected() {
    let limit = HttpSettings::default().head_bytes;
    let server = support::start().await;
    let mut connection = Connection::open(server.address).await;
    // The head is one byte longer than the limit, and does not end.
    let mut head = b"GET /healthz HTTP/1.1\r\nX-Long: ".to_vec();
    head.resize(limit + 1, b'x');
    connection.write(&head).await;
    assert_eq!(connection.answer(false).await.status, 431);
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let server = support::start_with(HttpSettings { head_timeout_s: 1, ..HttpSettings::default() }).await;
    for begin in ["", "GET /healthz HT", "PRI"] {
        let mut connection = Connection::open(server.address).await;
        connection.write(begin.as_bytes()).await;
        let closed = tokio::time::timeout(Duration::from_secs(20), connection.rest()).await;
        assert!(closed.is_ok(), "{begin:?}");
    }
    // The same after earlier requests on the same connection.
    for then in ["", "GET /healthz HT"] {
        let mut connection = Connection::open(server.address).await;
        for _ in 0..3 {
            connection.write(&request("GET", "/healthz", &[], None)).await;
            assert_eq!(connection.answer(false).await.status, 200);
        }
        connection.write(then.as_bytes()).await;
        let closed = tokio::time::timeout(Duration::from_secs(20), connection.rest()).await;
        assert!(closed.is_ok(), "{then:?} after answers");
    }
}

#[tokio::test]
async fn get_root_answers_a_browser_with_a_page_and_everybody_else_with_json() {
    let server = support::start().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (accept, is_page) in [
        (browser, true),
        ("text/html", true),
        ("text/html;q=0.5, application/json;q=0.4", true),
        ("application/json, text/html;q=0.9", false),
        ("text/html;q=0", false),
        ("TEXT/HTML;Q=1", true),
        ("text/html;q=high", false),
        ("application/json", false),
        ("*/*", false),
        ("", false),
    ] {
        let answer = ask(server.address, "GET", "/", &[("Accept", accept)], None).await;
        let media_type = if is_page { "text/html; charset=utf-8" } else { "application/json" };
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)), "{accept}");
        assert_eq!(answer.header("vary"), Some("Accept"));
    }
}

#[tokio::test]
async fn the_page_has_relative_links_every_route_and_no_script() {
    use sha2::Digest as _;

    let server = support::start().await;
    let answer = ask(server.address, "GET", "/", &[("Accept", "text/html")], None).await;
    let page = String::from_utf8(answer.body.to_vec()).unwrap();
    for link in page.split("href=\"").skip(1) {
        let link = link.split('"').next().unwrap();
        assert!(!link.starts_with('/') && !link.contains(':'), "{link}");
        assert_eq!(ask(server.address, "GET", &format!("/{link}"), &[], None).await.status, 200, "{link}");
    }
    for route in engines_server::routes::all() {
        assert!(page.contains(&format!("<td>{}</td><td><code>{}</code>", route.method, route.path)), "{route:?}");
    }
    for (host, url) in
        [("test", "https://test"), ("localhost:80", "http://localhost:80"), ("[::1]:7", "http://[::1]:7")]
    {
        let mut connection = Connection::open(server.address).await;
        connection.write(format!("GET / HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n").as_bytes()).await;
        let page = String::from_utf8(connection.answer(false).await.body).unwrap();
        assert!(page.contains(&format!("\nURL={url}\n")), "{page}");
    }
    assert!(page.contains("curl -sS -H &quot;Authorization: Bearer $TOKEN&quot;"), "{page}");
    assert!(!page.contains("<script") && !page.contains(" style="), "{page}");
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, sha2::Sha256::digest(style));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{hash} is not in {policy}");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}
