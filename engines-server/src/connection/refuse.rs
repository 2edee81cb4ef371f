//! Connections that are refused because their address has too many.

use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{App, unread_body::linger};

/// The whole answer. It is given before a request was read, so it has no request id and no problem document that could name one.
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    content-length: 51\r\n\
    retry-after: 1\r\n\
    cache-control: no-store\r\n\
    x-content-type-options: nosniff\r\n\
    connection: close\r\n\r\n\
    your address has too many connections; retry later\n";

/// Answers 503 to a connection and closes it.
pub(super) async fn refuse(app: &App, mut stream: TcpStream) {
    if stream.write_all(ANSWER).await.is_ok() && stream.shutdown().await.is_ok() {
        linger(stream, app).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_says_its_length() {
        let text = std::str::from_utf8(ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }
}
