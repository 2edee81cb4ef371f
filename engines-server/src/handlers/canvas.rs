//! Canvases.

use engines::{
    RequestContext, Result,
    stream::canvas::{Command, NewCanvas, NewGesture},
};
use http::{Response, StatusCode};
use serde_json::json;

use crate::{ask::Ask, body::Body, reply};

/// `POST /canvas`
pub(crate) async fn create(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let new: NewCanvas = ask.decode()?;
    reply::created(&ask.engine().canvas().create(&context, new).await?)
}

/// `GET /canvas/{id}`
pub(crate) async fn read(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.engine().canvas().get(&context, &ask.id("id")?).await?)
}

/// `POST /canvas/{id}/commands`
pub(crate) async fn command(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let id = ask.id("id")?;
    let mut command: Command = ask.decode()?;
    command.idempotency_key = ask.idempotency_key(command.idempotency_key)?;
    reply::ok(&ask.engine().canvas().command(&context, &id, command).await?)
}

/// `GET /canvas/{id}/snapshot`
pub(crate) async fn snapshot(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let (id, rev) = (ask.id("id")?, ask.query.number("rev")?);
    reply::ok(&ask.engine().canvas().snapshot(&context, &id, rev).await?)
}

/// `GET /canvas/{id}/commits`
pub(crate) async fn commits(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let id = ask.id("id")?;
    // Lists are paged by `after`; here the place is a revision, so both names lead to it.
    let after = match ask.query.number("after_rev")? {
        Some(after) => after,
        None => ask.query.number("after")?.unwrap_or(0),
    };
    reply::ok(&ask.engine().canvas().commits(&context, &id, after, ask.limit()?).await?)
}

/// `GET /canvas/{id}/replay`
pub(crate) async fn replay(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let (from, to) = (ask.query.number("from_rev")?, ask.query.number("to_rev")?);
    reply::ok(&ask.engine().canvas().replay(&context, &ask.id("id")?, from, to).await?)
}

/// `POST /canvas/{id}/gestures`
pub(crate) async fn gesture(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let id = ask.id("id")?;
    let gesture: NewGesture = ask.decode()?;
    ask.engine().canvas().gesture(&context, &id, gesture).await?;
    reply::json(StatusCode::ACCEPTED, &json!({ "status": "shown" }))
}
