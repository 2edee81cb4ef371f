//! A client that expects the server to stop at any time.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Incoming, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_websockets::{ClientBuilder, MaybeTlsStream, WebSocketStream};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The connection of one user, which is reopened when it breaks.
pub(crate) struct Client {
    addr: String,
    token: String,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(addr: String, token: String) -> Self {
        Self { addr, token, connection: None }
    }

    /// Sends a request once. When this fails, the outcome is unknown.
    pub(crate) async fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let answer = timeout(Duration::from_secs(20), self.attempt(method, path, body)).await;
        let answer = answer.unwrap_or_else(|_| Err("no answer in 20 seconds".into()));
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }

    /// Sends a request until the response is not "try later".
    pub(crate) async fn insist(&mut self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        for _ in 0..2000 {
            match self.send(method, path, body).await {
                Ok((503, _)) | Err(_) => sleep(Duration::from_millis(10)).await,
                Ok(answer) => return answer,
            }
        }
        panic!("{method} {path}: no answer");
    }

    /// Sends lines once, and returns their results as one document.
    pub(crate) async fn send_lines(&mut self, path: &str, lines: &str) -> Result<(u16, Value)> {
        let attempt = async {
            let answer = self.ask("POST", path, Some("application/x-ndjson"), lines.to_owned()).await?;
            let status = answer.status().as_u16();
            let bytes = answer.into_body().collect().await?.to_bytes();
            Ok((status, serde_json::from_slice(&bytes)?))
        };
        let answer = timeout(Duration::from_secs(20), attempt).await;
        let answer = answer.unwrap_or_else(|_| Err("no answer in 20 seconds".into()));
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }

    /// Requests a text.
    pub(crate) async fn text(&mut self, path: &str) -> Result<String> {
        // A new connection is used, because the server may not listen yet.
        self.connection = None;
        let answer = self.request("GET", path, None).await?;
        Ok(String::from_utf8(answer.into_body().collect().await?.to_bytes().to_vec())?)
    }

    async fn attempt(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let answer = self.request(method, path, body).await?;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&bytes)?))
    }

    async fn request(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<hyper::Response<Incoming>> {
        let kind = body.is_some().then_some("application/json");
        self.ask(method, path, kind, body.map(Value::to_string).unwrap_or_default()).await
    }

    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: String,
    ) -> Result<hyper::Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("Host", &self.addr)
            .header("Authorization", format!("Bearer {}", self.token))
            .header("X-Tenant-Id", "t_acme")
            .header("X-Env", "dev");
        if let Some(kind) = kind {
            request = request.header("Content-Type", kind).header("Accept", "application/json");
        }
        let request = request.body(Full::new(body.into()))?;
        if self.connection.is_none() {
            let socket = TcpStream::connect(&self.addr).await?;
            socket.set_nodelay(true)?;
            let (connection, driver) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
            tokio::spawn(driver);
            self.connection = Some(connection);
        }
        let connection = self.connection.as_mut().ok_or("not connected")?;
        connection.ready().await?;
        Ok(connection.send_request(request).await?)
    }

    /// Opens a stream of server-sent events on a new connection.
    pub(crate) async fn events(&self, path: &str) -> Result<Events> {
        let mut own = Self::new(self.addr.clone(), self.token.clone());
        let answer = timeout(Duration::from_secs(20), own.request("GET", path, None)).await??;
        if answer.status() != 200 {
            return Err(format!("{path}: {}", answer.status()).into());
        }
        Ok(Events { body: answer.into_body(), buffer: Vec::new(), _connection: own })
    }

    /// Opens a WebSocket.
    pub(crate) async fn socket(&self, path: &str) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>> {
        let uri: http::Uri = format!("ws://{}{path}", self.addr).parse()?;
        let mut builder = ClientBuilder::from_uri(uri);
        for (name, value) in [
            ("authorization", format!("Bearer {}", self.token)),
            ("x-tenant-id", "t_acme".into()),
            ("x-env", "dev".into()),
            ("sec-websocket-protocol", "engines.v1".into()),
        ] {
            builder = builder.add_header(http::HeaderName::from_static(name), http::HeaderValue::from_str(&value)?)?;
        }
        Ok(timeout(Duration::from_secs(20), builder.connect()).await??.0)
    }
}

/// An open stream of events.
pub(crate) struct Events {
    body: Incoming,
    buffer: Vec<u8>,
    _connection: Client,
}

impl Events {
    /// Returns the next envelope, or `None` when the stream has ended or broken.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let event = String::from_utf8(event).unwrap();
                let id = event.lines().find_map(|line| line.strip_prefix("id: "));
                if let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) {
                    let envelope: Value = serde_json::from_str(data).unwrap();
                    assert_eq!(envelope["cursor"].as_str(), id);
                    return Some(envelope);
                }
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}
