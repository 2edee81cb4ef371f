//! Counts the instructions of a small authorized GET. They are the same on a busy machine as on an idle one.
//!
//! Run `cargo bench -p engines-server --bench get -- CASE [REQUESTS]`. The case `room` prints the size of a request's
//! future. The other cases are for a counter of instructions: run one twice with different numbers of requests, and
//! divide the difference of the counts by the difference of the numbers.
//!
//! ```text
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/deps/get-… canvas 1000
//! ```
//!
//! `canvas` and `thread` call the app in process, and `canvas-unlimited` and `thread-unlimited` do so without rate
//! limits. `wire` sends requests to the server's listener over a socket, and
//! `hello` to a bare hyper server. Both have the same client in the same thread, so the difference between them is the
//! cost of the whole pipeline.

#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::{convert::Infallible, env, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use engines::{
    Engine, IdGenerator, ResourceId, Role, SystemClock, TenantId, UserId,
    auth::{JwtSettings, RootKey, SigningSecret, TokenIssuer, TokenRequest, control::RateSettings},
    core::testing::context,
    stream::{canvas::NewCanvas, chat::NewThread},
};
use engines_server::{App, listen};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

type Failed = Box<dyn std::error::Error + Send + Sync>;

const CANVAS: &str = "/canvas/c";
const THREAD: &str = "/chat/threads/t";

/// Builds an app with a canvas and a thread, and a token that may read them.
async fn app(has_rate_limits: bool) -> Result<(App, String), Failed> {
    let secret = || SigningSecret::new("a secret for measurements, long enough");
    let root = RootKey::new("a root key for measurements, long enough")?;
    let folder = tempfile::tempdir()?.keep();
    let rates = RateSettings { enabled: has_rate_limits, ..RateSettings::default() };
    let builder = Engine::builder().sqlite(folder.join("bench.db")).signing_secret(secret()?).root_key(root);
    let engine = builder.rates(rates).build().await?;
    let member = context("t_acme", "load", Role::Member)?;
    let (c, t) = (Some(ResourceId::new("c")?), Some(ResourceId::new("t")?));
    engine.canvas().create(&member, NewCanvas { canvas_id: c, ..NewCanvas::default() }).await?;
    engine.chat().create_thread(&member, NewThread { thread_id: t, ..NewThread::default() }).await?;
    let ids = IdGenerator::from_os()?;
    let issuer = TokenIssuer::new(&secret()?, JwtSettings::default(), Arc::new(SystemClock), ids)?;
    let mut request = TokenRequest::new(UserId::new("load")?, Duration::from_secs(3600));
    request.memberships.insert(TenantId::new("t_acme")?, Role::Member);
    Ok((App::new(engine)?, issuer.issue(&request)?.expose().to_owned()))
}

fn request(path: &str, token: &str) -> Result<Request<Empty<Bytes>>, Failed> {
    let request = Request::get(path)
        .header("host", "127.0.0.1:8901")
        .header("authorization", format!("Bearer {token}"))
        .header("x-tenant-id", "t_acme")
        .header("x-env", "dev");
    Ok(request.body(Empty::new())?)
}

async fn ask(app: &App, path: &str, token: &str) -> Result<(), Failed> {
    let response = app.handle(request(path, token)?).await;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status != 200 || body.is_empty() {
        return Err(format!("{status}: {body:?}").into());
    }
    Ok(())
}

/// Sends requests over one connection. The client knows the length of a response from the first one.
async fn over_a_socket(address: SocketAddr, path: &str, token: &str, requests: usize) -> Result<(), Failed> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let text = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8901\r\nAuthorization: Bearer {token}\r\nX-Tenant-Id: t_acme\r\nX-Env: dev\r\n\r\n"
    );
    let mut buffer = vec![0; 64 << 10];
    for _ in 0..requests {
        socket.write_all(text.as_bytes()).await?;
        // A small response arrives in one read.
        let read = socket.read(&mut buffer).await?;
        if !buffer.get(..read).unwrap_or_default().starts_with(b"HTTP/1.1 200") {
            return Err(String::from_utf8_lossy(&buffer[..read]).into());
        }
    }
    Ok(())
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello"))))
}

async fn bare(listener: TcpListener) -> Result<(), Failed> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(hello)));
    }
}

async fn run(case: &str, requests: usize) -> Result<(), Failed> {
    let (kind, has_rate_limits) = match case.strip_suffix("-unlimited") {
        Some(kind) => (kind, false),
        None => (case, true),
    };
    let (app, token) = app(has_rate_limits).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    match kind {
        "canvas" | "thread" => {
            let path = if kind == "canvas" { CANVAS } else { THREAD };
            for _ in 0..requests {
                ask(&app, path, &token).await?;
            }
        }
        "wire" => {
            tokio::spawn(listen::serve(app, listener));
            over_a_socket(address, CANVAS, &token, requests).await?;
        }
        "hello" => {
            tokio::spawn(bare(listener));
            over_a_socket(address, "/", &token, requests).await?;
        }
        "room" => println!("a request's future: {} bytes", size_of_val(&app.handle(request(CANVAS, &token)?))),
        other => return Err(format!("no case {other}").into()),
    }
    Ok(())
}

fn main() -> Result<(), Failed> {
    let args: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let requests = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(1000);
    let case = args.first().map_or("room", String::as_str);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(case, requests))
}
