//! The fixture of these tests.

use serde_json::{Value, json};

use engines::Role;

use crate::support::{Answer, Connection, Server, acme, ask, request, token};

pub(crate) const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");

pub(crate) fn member() -> String {
    token("ada", &[("t_acme", Role::Member)])
}

pub(crate) fn admin() -> String {
    token("root", &[("t_acme", Role::Admin)])
}

pub(crate) fn event(surface: &str, text: &str) -> Value {
    json!({ "surface": surface, "agent_id": "a", "input": { "text": text }, "output": {} })
}

pub(crate) fn lines(events: &[Value]) -> Vec<u8> {
    events.iter().flat_map(|event| format!("{event}\n").into_bytes()).collect()
}

/// Sends a request in `t_acme/dev` with more headers.
pub(crate) async fn send(server: &Server, token: &str, path: &str, more: &[(&str, &str)], body: &[u8]) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")];
    headers.extend(more);
    ask(server.address, "POST", path, &headers, Some(body)).await
}

pub(crate) async fn batch(server: &Server, token: &str, body: &[u8]) -> Answer {
    send(server, token, "/events/batch", &[NDJSON], body).await
}

pub(crate) fn results(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    answer
        .body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// Returns every event of the log, without its times.
pub(crate) async fn listed(server: &Server, query: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("/events?limit=100{query}{after}");
        let page = acme(server.address, &member(), "GET", &path, None).await;
        assert_eq!(page.status, 200, "{}", String::from_utf8_lossy(&page.body));
        let page = page.json();
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return all,
        }
    }
}

/// Returns the content of an export, or `None` when it breaks off.
pub(crate) async fn exported(server: &Server, query: &str) -> Option<Vec<Value>> {
    let bearer = format!("Bearer {}", admin());
    let headers =
        [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev"), ("Connection", "close")];
    let mut connection = Connection::open(server.address).await;
    connection.write(&request("GET", &format!("/events/export?format=jsonl{query}"), &headers, None)).await;
    let all = connection.rest().await;
    // The connection may be cut off before or after data were sent.
    let end = all.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, rest) = all.split_at(end + 4);
    let head = String::from_utf8(head.to_vec()).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("content-type: application/x-ndjson\r\n"), "{head}");
    assert!(head.contains("filename=\"events-t_acme-dev.jsonl\"\r\n"), "{head}");
    let text = if head.contains("content-length: 0\r\n") { Vec::new() } else { unchunked(rest)? };
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Some(lines.map(|line| serde_json::from_slice(line).unwrap()).collect())
}

/// Decodes a chunked body (RFC 9112 section 7.1). Returns `None` when its last chunk is missing.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(text);
        }
        text.extend_from_slice(rest.get(..size)?);
        rest = &rest[size + 2..];
    }
}
