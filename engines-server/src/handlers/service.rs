//! The server itself: its name, health, description and metrics.

use engines::{Error, Result};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use super::readiness;
use crate::{body::Body, media_types, request::RequestParts, response, root_page};

/// `GET /`: a page for a browser, JSON for everybody else.
pub(crate) async fn root(parts: RequestParts) -> Result<Response<Body>> {
    let mut response = if media_types::prefers_html(&parts.headers) {
        let mut page = response::with_body(
            StatusCode::OK,
            media_types::HTML,
            root_page::page(&parts.headers, &parts.state.route_rows),
        );
        page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, root_page::CONTENT_SECURITY_POLICY);
        page
    } else {
        response::ok(&json!({
            "name": "engines",
            "version": env!("CARGO_PKG_VERSION"),
            "links": { "openapi": "/openapi.json", "health": "/healthz", "ready": "/readyz" },
        }))?
    };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

/// `GET /healthz`
pub(crate) async fn healthz(_: RequestParts) -> Result<Response<Body>> {
    response::ok(&json!({ "status": "ok" }))
}

/// `GET /readyz`
pub(crate) async fn readyz(parts: RequestParts) -> Result<Response<Body>> {
    readiness::to_response(&readiness::component_statuses(&parts.state).await)
}

/// `GET /openapi.json`
pub(crate) async fn openapi(parts: RequestParts) -> Result<Response<Body>> {
    Ok(response::with_body(StatusCode::OK, media_types::JSON, parts.state.openapi.clone()))
}

/// `GET /metrics`
pub(crate) async fn metrics(parts: RequestParts) -> Result<Response<Body>> {
    let text = parts.state.metrics.encode().map_err(|error| Error::internal("http.metrics", error))?;
    Ok(response::with_body(StatusCode::OK, media_types::OPENMETRICS, text))
}
