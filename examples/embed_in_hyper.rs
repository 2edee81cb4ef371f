//! The engine's routes inside another HTTP service: requests under `/engines` go to the engine, the rest to the app.
//!
//!     cargo run --example embed_in_hyper
//!     curl -i http://127.0.0.1:7979/
//!     curl -i http://127.0.0.1:7979/engines/healthz
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use engines::{
    Engine, Role, TenantId, UserId,
    auth::{SigningSecret, TokenRequest},
};
use engines_server::{App, Body};
use http::{Request, Response, Uri};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = SigningSecret::new("an example's secret, at least 32 bytes long")?;
    let engine = Engine::builder().memory().signing_secret(secret).build().await?;

    // The app knows its users; it issues tokens that the engine accepts.
    let mut ada = TokenRequest::new(UserId::new("ada")?, Duration::from_secs(3600));
    ada.memberships.insert(TenantId::new("t_acme")?, Role::Member);
    let token = engine.issuer().ok_or("the engine has a secret, so it issues tokens")?.issue(&ada)?;
    println!(
        "curl -i http://127.0.0.1:7979/engines/canvas -X POST -d '{{}}' -H 'X-Tenant-Id: t_acme' -H 'X-Env: dev' \\"
    );
    println!("  -H 'Authorization: Bearer {}'", token.expose());

    let app = App::new(engine)?;
    let listener = TcpListener::bind("127.0.0.1:7979").await?;
    loop {
        let (socket, _) = listener.accept().await?;
        let app = app.clone();
        let service = service_fn(move |request| route(app.clone(), request));
        // `with_upgrades`, because a WebSocket takes over the connection.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service).with_upgrades());
    }
}

async fn route(app: App, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let Some(inner) = path.strip_prefix("/engines").map(str::to_owned) else {
        return Ok(Response::new(Body::from(Bytes::from_static(b"the app's own page\n"))));
    };
    if let Ok(uri) = inner.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    Ok(app.handle(request).await)
}
