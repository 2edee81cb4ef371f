//! A bare hyper server that answers with a greeting: the baseline for the cost of the whole stack (see
//! `docs/benchmarks.md`).
//!
//!     cargo run --release --example hello_hyper -- 127.0.0.1:7979 & wrk -t1 -c64 -d5 http://127.0.0.1:7979/
#![expect(clippy::print_stdout, reason = "an example speaks to people")]

use std::{convert::Infallible, env};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7979".into());
    let listener = TcpListener::bind(&addr).await?;
    println!("hello on http://{addr}/");
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(hello)));
    }
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello"))))
}
