//! Canvases.

use engines::{
    RequestContext, Result,
    stream::canvas::{CanvasCommand, NewCanvas, NewGesture},
};
use http::{Response, StatusCode};
use serde_json::json;

use crate::{body::Body, request::RequestParts, response};

/// `POST /canvas`
pub(crate) async fn create(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let new: NewCanvas = parts.decode()?;
    response::created(&parts.engine().canvas().create(&context, new).await?)
}

/// `GET /canvas/{id}`
pub(crate) async fn read(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.engine().canvas().get(&context, &parts.resource_id("id")?).await?)
}

/// `POST /canvas/{id}/commands`
pub(crate) async fn command(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let id = parts.resource_id("id")?;
    let mut command: CanvasCommand = parts.decode()?;
    command.idempotency_key = parts.idempotency_key(command.idempotency_key)?;
    response::ok(&parts.engine().canvas().command(&context, &id, command).await?)
}

/// `GET /canvas/{id}/snapshot`
pub(crate) async fn snapshot(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let (id, rev) = (parts.resource_id("id")?, parts.query.number("rev")?);
    response::ok(&parts.engine().canvas().snapshot(&context, &id, rev).await?)
}

/// `GET /canvas/{id}/commits`
pub(crate) async fn commits(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let id = parts.resource_id("id")?;
    // Lists are paged by `after`. For commits it is a revision, so `after_rev` is accepted as well.
    let after = match parts.query.number("after_rev")? {
        Some(after) => after,
        None => parts.query.number("after")?.unwrap_or(0),
    };
    response::ok(&parts.engine().canvas().commits(&context, &id, after, parts.page_limit()?).await?)
}

/// `GET /canvas/{id}/replay`
pub(crate) async fn replay(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let (from, to) = (parts.query.number("from_rev")?, parts.query.number("to_rev")?);
    response::ok(&parts.engine().canvas().replay(&context, &parts.resource_id("id")?, from, to).await?)
}

/// `POST /canvas/{id}/gestures`
pub(crate) async fn gesture(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let id = parts.resource_id("id")?;
    let gesture: NewGesture = parts.decode()?;
    parts.engine().canvas().gesture(&context, &id, gesture).await?;
    response::json(StatusCode::ACCEPTED, &json!({ "status": "shown" }))
}
