//! Builds responses. A value is serialized as JSON once.

use std::pin::Pin;

use bytes::Bytes;
use engines::{Error, Result};
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::{body::Body, media_types};

/// The response of a handler.
pub(crate) type HandlerFuture = Pin<Box<dyn Future<Output = Result<Response<Body>>> + Send>>;

/// Responds with `status`, and with `value` as JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response<Body>> {
    let text = serde_json::to_vec(value).map_err(|error| Error::internal("http.reply", error))?;
    Ok(with_body(status, media_types::JSON, text))
}

/// Responds with 200, and with `value` as JSON.
pub(crate) fn ok(value: &impl Serialize) -> Result<Response<Body>> {
    json(StatusCode::OK, value)
}

/// Responds with 201, and with `value` as JSON.
pub(crate) fn created(value: &impl Serialize) -> Result<Response<Body>> {
    json(StatusCode::CREATED, value)
}

/// Responds with 202, and with `value` as JSON.
pub(crate) fn accepted(value: &impl Serialize) -> Result<Response<Body>> {
    json(StatusCode::ACCEPTED, value)
}

/// Responds with `status`, and with `value` as JSON. The value contains a secret, so no cache may keep it (RFC 6749
/// section 5.1).
pub(crate) fn secret_json(status: StatusCode, value: &impl Serialize) -> Result<Response<Body>> {
    let mut response = json(status, value)?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Responds with 204.
pub(crate) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Responds with bytes of a media type.
pub(crate) fn with_body(status: StatusCode, media_type: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
