//! About the server itself.

use engines::{Error, Result};
use http::{Response, StatusCode};
use serde_json::json;

use super::readiness;
use crate::{ask::Ask, body::Body, metrics, reply};

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
    readiness::answer(&readiness::parts(&ask.app).await)
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
