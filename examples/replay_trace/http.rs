//! A minimal HTTP client for this example.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Incoming, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::Result;

/// One connection to a server, as one user in one tenant's `dev`.
pub(crate) struct Client {
    connection: SendRequest<Full<Bytes>>,
    host: String,
    token: String,
    tenant: String,
}

impl Client {
    pub(crate) async fn connect(url: &str, token: &str, tenant: &str) -> Result<Self> {
        let host =
            url.strip_prefix("http://").ok_or("the URL must begin with http://")?.trim_end_matches('/').to_owned();
        let socket = TcpStream::connect(&host).await?;
        socket.set_nodelay(true)?;
        let (connection, driver) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(driver);
        Ok(Self { connection, host, token: token.into(), tenant: tenant.into() })
    }

    /// Sends a request and reads its JSON response.
    pub(crate) async fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let answer = self.send(method, path, body).await?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            return Err(format!("{method} {path}: {status} {}", String::from_utf8_lossy(&bytes)).into());
        }
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Opens a stream of events.
    pub(crate) async fn stream(&mut self, path: &str) -> Result<Incoming> {
        let answer = self.send("GET", path, None).await?;
        match answer.status().is_success() {
            true => Ok(answer.into_body()),
            false => Err(format!("GET {path}: {}", answer.status()).into()),
        }
    }

    async fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<hyper::Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("Host", &self.host)
            .header("Authorization", format!("Bearer {}", self.token))
            .header("X-Tenant-Id", &self.tenant)
            .header("X-Env", "dev");
        if body.is_some() {
            request = request.header("Content-Type", "application/json");
        }
        let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        self.connection.ready().await?;
        Ok(self.connection.send_request(request.body(Full::new(body.into()))?).await?)
    }
}

/// The next bytes of a stream.
pub(crate) async fn piece(body: &mut Incoming) -> Result<Bytes> {
    loop {
        let frame = body.frame().await.ok_or("the stream ended early")??;
        if let Ok(data) = frame.into_data() {
            return Ok(data);
        }
    }
}
