//! About the server itself.

use std::time::Duration;

use engines::{Error, Result};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;
use tokio::time::timeout;

use crate::{ask::Ask, body::Body, metrics, reply};

/// How long the store may take to say that it is there.
const PING: Duration = Duration::from_secs(2);

/// `GET /`
pub(crate) async fn root(_: Ask) -> Result<Response<Body>> {
    reply::ok(&json!({
        "name": "engines",
        "version": env!("CARGO_PKG_VERSION"),
        "links": { "openapi": "/openapi.json", "health": "/healthz", "ready": "/readyz" },
    }))
}

/// `GET /healthz`
pub(crate) async fn healthz(_: Ask) -> Result<Response<Body>> {
    reply::ok(&json!({ "status": "ok" }))
}

/// `GET /readyz`
pub(crate) async fn readyz(ask: Ask) -> Result<Response<Body>> {
    let unready = |check: &str| {
        let mut response =
            reply::json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "not_ready", "failed": [check] }))?;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        Ok(response)
    };
    if ask.app.shutdown().has_begun() {
        return unready("shutting_down");
    }
    match timeout(PING, ask.engine().store().ping()).await {
        Ok(Ok(())) => reply::ok(&json!({ "status": "ready" })),
        Ok(Err(_)) | Err(_) => unready("store"),
    }
}

/// `GET /openapi.json`
pub(crate) async fn openapi(ask: Ask) -> Result<Response<Body>> {
    Ok(reply::text_of(StatusCode::OK, "application/json", ask.app.openapi()))
}

/// `GET /metrics`
pub(crate) async fn metrics(ask: Ask) -> Result<Response<Body>> {
    let text = ask.app.metrics().encode().map_err(|error| Error::internal("http.metrics", error))?;
    Ok(reply::text_of(StatusCode::OK, metrics::MEDIA_TYPE, text))
}
