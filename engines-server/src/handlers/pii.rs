//! Redaction, and the privacy policies of tenants.

use engines::{RequestContext, Result, storage::event_log::privacy::RedactRequest};
use http::Response;

use crate::{body::Body, request::RequestParts, response};

/// `POST /pii/redact`
pub(crate) async fn redact(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let request: RedactRequest = parts.decode()?;
    response::ok(&parts.engine().privacy().redact(&context, request).await?)
}

/// `GET /privacy/policy`
pub(crate) async fn policy(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.engine().privacy().policy(&context).await?)
}

/// `PUT /privacy/policy`
pub(crate) async fn set_policy(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.engine().privacy().set_policy(&context, parts.decode()?).await?)
}
