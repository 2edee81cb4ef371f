//! Responses that are sent without the HTTP library, because no request was read to which it could respond.

use http::StatusCode;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// The headers of every such response: those of `security_headers`, and the end of the connection.
const HEADERS: &str = "content-type: text/plain; charset=utf-8\r\n\
    cache-control: no-store\r\n\
    x-content-type-options: nosniff\r\n\
    referrer-policy: no-referrer\r\n\
    content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n\
    connection: close\r\n";

/// Writes a response and closes the sending side. The response has no request id and is no problem document, because no
/// request was read.
///
/// # Errors
/// Returns the errors of the socket.
pub(super) async fn write(
    io: &mut (impl AsyncWrite + Unpin),
    status: StatusCode,
    more: &str,
    text: &str,
) -> std::io::Result<()> {
    io.write_all(answer(status, more, text).as_bytes()).await?;
    io.shutdown().await
}

/// Describes the client's mistake, where `status` is the library's status for a head that it cannot parse.
pub(super) fn about_head(status: StatusCode) -> &'static str {
    match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "the head of the request is too large; send fewer or shorter headers\n"
        }
        StatusCode::URI_TOO_LONG => "the target of the request is too long\n",
        _ => "the head of the request is malformed\n",
    }
}

fn answer(status: StatusCode, more: &str, text: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{HEADERS}{more}content-length: {}\r\n\r\n{text}", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_its_headers_once_and_says_its_length() {
        let answer = answer(StatusCode::SERVICE_UNAVAILABLE, "retry-after: 1\r\n", "wait\n");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "wait\n");
        let lines: Vec<_> = head.split("\r\n").collect();
        assert_eq!(lines[0], "HTTP/1.1 503 Service Unavailable");
        assert!(lines.contains(&"content-length: 5") && lines.contains(&"retry-after: 1"), "{lines:?}");
        assert!(lines.iter().all(|line| !line.starts_with([' ', '\n'])), "{lines:?}");
    }
}
