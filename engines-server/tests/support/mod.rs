//! A server in the test process on its own port, and a client that sends exactly what a test demands.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(dead_code, reason = "each test file uses a part")]

pub(crate) mod http2;
pub(crate) mod streaming;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use engines::{
    Clock, Engine, EngineBuilder, IdGenerator, Role, SystemClock, TenantId, UserId,
    auth::{
        JwtSettings, RootKey, SigningSecret, TokenIssuer, TokenRequest,
        identity::{IdentitySettings, Rate, SystemKey},
        mail::{MailSettings, MemoryMailer},
        password::HashSettings,
    },
};
use engines_server::{App, HttpSettings, listen};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};

pub(crate) const SECRET: &str = "a secret for tests alone, of 32 bytes and more";

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) app: App,
    pub(crate) serving: JoinHandle<bool>,
}

pub(crate) fn secret() -> SigningSecret {
    SigningSecret::new(SECRET).unwrap()
}

pub(crate) const SYSTEM_KEY: &str = "the key of the bootstrap in tests";

/// Settings without limits on attempts, and with cheap password hashes.
pub(crate) fn identity() -> IdentitySettings {
    let often = Rate { burst: 100_000, every_ms: 1 };
    let password = HashSettings {
        memory_kib: 8,
        iterations: 1,
        lanes: 1,
        threads: 2,
        queue: 1024,
        queue_per_network: 1024,
        wait_ms: 60_000,
    };
    IdentitySettings {
        password,
        per_address: often,
        login_per_account: often,
        login_per_account_and_network: often,
        invite_burst: 100_000,
        invites_per_tenant: 100_000,
        ..IdentitySettings::default()
    }
}

pub(crate) fn root() -> RootKey {
    RootKey::new("a root key for tests alone, of 32 bytes and more").unwrap()
}

/// Builds an engine whose mails are discarded.
pub(crate) fn builder() -> EngineBuilder {
    builder_with(MemoryMailer::default())
}

/// Builds an engine with a mailer that a test can read.
pub(crate) fn builder_with(mailer: MemoryMailer) -> EngineBuilder {
    let system = SystemKey::new(SYSTEM_KEY).unwrap();
    let often = MailSettings { per_account_burst: 100_000, per_address_burst: 100_000, ..MailSettings::default() };
    Engine::builder()
        .mailer(mailer, often)
        .memory()
        .signing_secret(secret())
        .root_key(root())
        .identity(identity())
        .system_key(system)
}

pub(crate) async fn engine() -> Engine {
    builder().build().await.unwrap()
}

pub(crate) async fn start() -> Server {
    serve(App::new(engine().await).unwrap()).await
}

pub(crate) async fn start_with(settings: HttpSettings) -> Server {
    serve(App::builder(engine().await).settings(settings).build().unwrap()).await
}

pub(crate) async fn serve(app: App) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(listen::serve(app.clone(), listener));
    Server { address, app, serving }
}

/// Creates a bearer token for `user` with these memberships, at the time of `clock`.
pub(crate) fn token_at(clock: Arc<dyn Clock>, user: &str, memberships: &[(&str, Role)]) -> String {
    let issuer = TokenIssuer::new(&secret(), JwtSettings::default(), clock, IdGenerator::from_os().unwrap()).unwrap();
    let mut request = TokenRequest::new(UserId::new(user).unwrap(), Duration::from_secs(600));
    for (tenant, role) in memberships {
        request.memberships.insert(TenantId::new(tenant).unwrap(), *role);
    }
    issuer.issue(&request).unwrap().expose().to_owned()
}

pub(crate) fn token(user: &str, memberships: &[(&str, Role)]) -> String {
    token_at(Arc::new(SystemClock), user, memberships)
}

/// A response as received.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// Returns the code of the problem, and checks that the problem document is complete.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{problem}");
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"), "{problem}");
        for member in ["title", "detail"] {
            assert!(problem[member].is_string(), "{problem}");
        }
        problem["code"].as_str().unwrap().to_owned()
    }
}

/// Opens a socket with a small receive buffer, so that the server soon cannot write.
pub(crate) async fn narrow(server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(server.address).await.unwrap()
}

/// A persistent connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), buffer: Vec::new() }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // The server may have responded and closed already.
        let _ = self.stream.write_all(bytes).await;
    }

    async fn more(&mut self) -> usize {
        self.stream.read_buf(&mut self.buffer).await.unwrap_or(0)
    }

    /// Reads one response: its head, and its body if it has a length.
    pub(crate) async fn answer(&mut self, to_head: bool) -> Answer {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more().await > 0, "closed early: {}", String::from_utf8_lossy(&self.buffer));
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        if let Some(length) = answer.header("content-length").filter(|_| !to_head) {
            let length: usize = length.parse().unwrap();
            while self.buffer.len() < length {
                assert!(self.more().await > 0, "closed inside a body");
            }
            answer.body = self.buffer.drain(..length).collect();
        }
        answer
    }

    /// Reads all further bytes until the server closes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await > 0 {}
        std::mem::take(&mut self.buffer)
    }

    /// Waits until `text` has arrived, and returns all bytes up to its end.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.buffer.windows(text.len()).position(|window| window == text.as_bytes()) {
                let seen: Vec<u8> = self.buffer.drain(..at + text.len()).collect();
                return String::from_utf8_lossy(&seen).into_owned();
            }
            assert!(self.more().await > 0, "closed before {text:?}: {}", String::from_utf8_lossy(&self.buffer));
        }
    }
}

/// Returns the bytes of a request. A body without a media type is sent as JSON.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: test\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if body.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        text.push_str("Content-Type: application/json\r\n");
    }
    if let Some(body) = body {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body.unwrap_or_default()].concat()
}

/// Sends a request on a new connection.
pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> Answer {
    let mut connection = Connection::open(address).await;
    connection.write(&request(method, path, headers, body)).await;
    connection.answer(method == "HEAD").await
}

/// Sends a request with a token, in `t_acme/dev`.
pub(crate) async fn acme(address: SocketAddr, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let bearer = format!("Bearer {token}");
    let body = body.map(|body| serde_json::to_vec(body).unwrap());
    let headers = [
        ("Authorization", bearer.as_str()),
        ("X-Tenant-Id", "t_acme"),
        ("X-Env", "dev"),
        ("Content-Type", "application/json"),
    ];
    let headers = if body.is_some() { &headers[..] } else { &headers[..3] };
    ask(address, method, path, headers, body.as_deref()).await
}
