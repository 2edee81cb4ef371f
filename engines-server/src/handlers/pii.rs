//! The PII engine and the policies it follows.

use engines::{RequestContext, Result, core::privacy::RedactRequest};
use http::Response;

use crate::{ask::Ask, body::Body, reply};

/// `POST /pii/redact`
pub(crate) async fn redact(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let request: RedactRequest = ask.decode()?;
    reply::ok(&ask.engine().privacy().redact(&context, request).await?)
}

/// `GET /privacy/policy`
pub(crate) async fn policy(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.engine().privacy().policy(&context).await?)
}

/// `PUT /privacy/policy`
pub(crate) async fn set_policy(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.engine().privacy().set_policy(&context, ask.decode()?).await?)
}
