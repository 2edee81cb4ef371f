//! The engine's routes inside an axum application: HTTP, event streams and WebSocket under `/engines`.
//!
//!     cargo run --example embed_in_axum
//!     curl -i http://127.0.0.1:7979/
//!     curl -i http://127.0.0.1:7979/engines/healthz
//!
//! axum removes the prefix `/engines` before it calls the app. The app's own paths therefore have no prefix, also where a
//! client names one: `POST /engines/auth/tickets {"path":"/sse/chat/lobby"}`.
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::time::Duration;

use axum::{Router, routing::get};
use engines::{
    Engine, Role, TenantId, UserId,
    auth::{SigningSecret, TokenRequest},
};
use engines_server::App;
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let engine = build_engine().await?;
    let token = issue_token(&engine)?;
    println!("TOKEN={token}");
    println!("curl -sS -H \"Authorization: Bearer $TOKEN\" -H 'X-Tenant-Id: t_acme' -H 'X-Env: dev' \\");
    println!("  http://127.0.0.1:7979/engines/chat/threads");
    axum::serve(TcpListener::bind("127.0.0.1:7979").await?, router(engine)?).await?;
    Ok(())
}

/// Returns the application: a page of its own, and the engine under a prefix.
fn router(engine: Engine) -> Result<Router, Error> {
    let app = App::new(engine)?;
    Ok(Router::new().route("/", get(|| async { "the app's own page\n" })).nest_service("/engines", app))
}

async fn build_engine() -> Result<Engine, Error> {
    let secret = SigningSecret::new("an example's secret, at least 32 bytes long")?;
    Ok(Engine::builder().memory().signing_secret(secret).build().await?)
}

/// Issues a token for a user that the app knows.
fn issue_token(engine: &Engine) -> Result<String, Error> {
    let mut ada = TokenRequest::new(UserId::new("ada")?, Duration::from_secs(3600));
    ada.memberships.insert(TenantId::new("t_acme")?, Role::Member);
    let token = engine.issuer().ok_or("the engine has a secret, so it issues tokens")?.issue(&ada)?;
    Ok(token.expose().to_owned())
}

#[cfg(test)]
mod tests {
    use engines_server as _;
    use futures_util::StreamExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn start() -> Result<(String, String), Error> {
        let engine = build_engine().await?;
        let token = issue_token(&engine)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let router = router(engine)?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((address, token))
    }

    /// Sends a request and reads until `wanted` is in the answer.
    async fn exchange(address: &str, token: &str, line: &str, body: &str, wanted: &str) -> Result<String, Error> {
        let mut socket = tokio::net::TcpStream::connect(address).await?;
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nX-Tenant-Id: t_acme\r\nX-Env: dev\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(head.as_bytes()).await?;
        let (mut text, mut buffer) = (String::new(), [0; 4096]);
        while !text.contains(wanted) {
            let read = tokio::time::timeout(Duration::from_secs(10), socket.read(&mut buffer)).await;
            let read = read.map_err(|_| format!("no {wanted} after {line}: {text}"))??;
            if read == 0 {
                return Err(format!("the answer ended before {wanted}: {text}").into());
            }
            text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        Ok(text)
    }

    #[tokio::test]
    async fn requests_streams_and_websockets_work_under_a_prefix() -> Result<(), Error> {
        let (address, token) = start().await?;
        exchange(&address, &token, "GET /", "", "own page").await?;
        exchange(&address, &token, "GET /engines/healthz", "", "\"ok\"").await?;
        exchange(&address, &token, "POST /engines/chat/threads", "{\"thread_id\":\"lobby\"}", "201 Created").await?;

        let uri = format!("ws://{address}/engines/ws/chat/lobby?from=start").parse()?;
        let headers = [
            ("authorization", format!("Bearer {token}")),
            ("x-tenant-id", "t_acme".to_owned()),
            ("x-env", "dev".to_owned()),
        ];
        let mut builder = tokio_websockets::ClientBuilder::from_uri(uri);
        for (name, value) in headers {
            builder = builder.add_header(name.parse()?, value.parse()?)?;
        }
        let (mut socket, _) = builder.connect().await?;

        let text = "{\"text\":\"Hello\"}";
        exchange(&address, &token, "POST /engines/chat/threads/lobby/messages", text, "201 Created").await?;
        exchange(&address, &token, "GET /engines/sse/chat/lobby?from=start", "", "\"Hello\"").await?;
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(10), socket.next()).await?;
            let message = frame.ok_or("the socket was closed before the message")??;
            if message.as_text().is_some_and(|text| text.contains("\"Hello\"")) {
                return Ok(());
            }
        }
    }
}
