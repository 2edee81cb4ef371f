//! The body of a request: received as a whole, or handed to the handler as it arrives.

use std::{borrow::Cow, error::Error as StdError};

use bytes::Bytes;
use engines::{Code, Error, RequestContext, Result, core::json::CheckedJson};
use http::{Response, request::Parts};
use hyper::body::Body as HttpBody;

use super::pending_request::PendingRequest;
use crate::{
    body::{Body, announced_length},
    body_intake,
    body_stream::{self, BodyLimits},
    media_types,
    request::RequestParts,
    response::HandlerFuture,
    route_info::{BodyKind, Route},
};

/// Reads and checks the body of a route that has one.
pub(super) async fn read_json_body<B>(
    pending: &PendingRequest<'_>,
    route: &'static Route,
    parts: &Parts,
    body: B,
) -> Result<Bytes>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    if route.body == BodyKind::None {
        return Ok(Bytes::new());
    }
    let bytes = receive_body(pending, route, parts, body).await?;
    CheckedJson::check(&bytes, pending.state.engine.limits(), route.name()).and_then(CheckedJson::expect_object)?;
    Ok(bytes)
}

/// Receives all bytes of a body within the deadline and the limit. An optional body that is absent is an empty object.
pub(super) async fn receive_body<B>(
    pending: &PendingRequest<'_>,
    route: &'static Route,
    parts: &Parts,
    body: B,
) -> Result<Bytes>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let state = pending.state;
    let limit = state.engine.limits().body_bytes;
    // An absent body needs no media type.
    let optional = route.body == BodyKind::OptionalJson;
    if !optional {
        media_types::check_json(&parts.headers)?;
    }
    let bytes =
        body_intake::collect_body(body, &parts.headers, limit, &pending.budget, (&state.settings, &state.shutdown))
            .await?;
    if optional && bytes.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    if optional {
        media_types::check_json(&parts.headers)?;
    }
    Ok(bytes)
}

/// Returns the tenant that a body names, also under the name that older producers of events use.
pub(super) fn body_tenant<'a>(json: &CheckedJson<'a>, route: &Route) -> Result<Option<Cow<'a, str>>> {
    match (json.string_member("tenant_id")?, json.string_member("tenantId")?) {
        (Some(one), Some(other)) if one != other => {
            let detail = "the body names two tenants, as tenant_id and as tenantId";
            Err(Error::new(Code::ContextMismatch, route.name(), detail).with_member("field", "/tenantId"))
        }
        (one, other) => Ok(one.or(other)),
    }
}

/// Runs a handler that receives its body as it arrives.
pub(super) async fn stream_lines<B>(
    request: RequestParts,
    context: RequestContext,
    body: B,
    handler: fn(RequestParts, RequestContext) -> HandlerFuture,
) -> Result<Response<Body>>
where
    B: HttpBody + Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    media_types::check_ndjson(&request.headers)?;
    let announced = announced_length(&request.headers, &body);
    let settings = &request.state.settings;
    let bounds = BodyLimits {
        bytes: request.engine().limits().batch_body_bytes,
        max_pause: settings.body_timeout(),
        stopping: (request.state.shutdown.clone(), settings.deadlines.stop_stalled()),
    };
    let handle = |pieces| handler(RequestParts { body_stream: Some(pieces), ..request }, context);
    body_stream::stream_body(body, announced, bounds, handle).await
}
