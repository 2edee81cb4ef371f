//! Opens SSE streams and WebSockets without a library.

use super::{Connection, Server, request};

/// Requests a stream of `t_acme/dev`.
pub(crate) async fn open(server: &Server, token: &str, path: &str, more: &[(&str, &str)]) -> Connection {
    let bearer = format!("Bearer {}", token);
    let headers = [&[("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")], more].concat();
    let mut connection = Connection::open(server.address).await;
    connection.write(&request("GET", path, &headers, None)).await;
    connection
}

/// Encodes a frame of a client: text, masked with zeros.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ ..126 => frame.push(0x80 | u8::try_from(short).unwrap()),
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Opens a WebSocket, and waits for its `hello`.
pub(crate) async fn socket(server: &Server, token: &str, path: &str) -> Connection {
    let mut socket = open(
        server,
        token,
        path,
        &[
            ("Connection", "keep-alive, Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Protocol", "other, engines.v1"),
        ],
    )
    .await;
    let answer = socket.answer(true).await;
    assert_eq!(answer.status, 101, "{answer:?}");
    // The example of RFC 6455 section 1.3.
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(answer.header("sec-websocket-protocol"), Some("engines.v1"));
    socket.until("\"type\":\"hello\"").await;
    socket
}
