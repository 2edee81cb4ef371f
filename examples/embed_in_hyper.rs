//! Our routes inside somebody's own HTTP service: `/api/…` is ours, the rest is theirs.
//!
//!     AUTH_JWT_SIGNING=$(openssl rand -hex 32) cargo run --example embed_in_hyper -- 127.0.0.1:7878
#![expect(clippy::print_stdout, reason = "an example speaks to people")]

use std::{convert::Infallible, env, error::Error};

use bytes::Bytes;
use engines::{Engine, auth::SigningSecret};
use engines_server::{App, Body};
use http::{Request, Response, Uri};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7878".into());
    let secret = SigningSecret::new(env::var("AUTH_JWT_SIGNING")?)?;
    let engine = Engine::builder().memory().signing_secret(secret).build().await?;
    let app = App::new(engine)?;

    let listener = TcpListener::bind(&address).await?;
    println!("try http://{address}/api/healthz and http://{address}/");
    loop {
        let (stream, _) = listener.accept().await?;
        let app = app.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| route(app.clone(), request));
            // With upgrades, so that WebSockets work.
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
            if let Err(error) = served {
                println!("connection: {error}");
            }
        });
    }
}

/// Theirs, except below `/api`.
async fn route(app: App, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let below = request.uri().path_and_query().and_then(|path| path.as_str().strip_prefix("/api")).map(str::to_owned);
    match below.and_then(|path| path.parse::<Uri>().ok()) {
        Some(uri) => {
            *request.uri_mut() = uri;
            Ok(app.handle(request).await)
        }
        None => Ok(Response::new(Body::from(Bytes::from_static(b"This page is the host's own.\n")))),
    }
}
