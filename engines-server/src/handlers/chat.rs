//! Threads and messages.

use engines::{
    RequestContext, Result,
    stream::chat::{NewMessage, NewThread},
};
use http::Response;

use crate::{ask::Ask, body::Body, reply};

/// `POST /chat/threads`
pub(crate) async fn create(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let new: NewThread = ask.decode()?;
    reply::created(&ask.engine().chat().create_thread(&context, new).await?)
}

/// `GET /chat/threads`
pub(crate) async fn list(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.engine().chat().threads(&context, ask.page()?).await?)
}

/// `GET /chat/threads/{id}`
pub(crate) async fn read(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.engine().chat().thread(&context, &ask.id("id")?).await?)
}

/// `POST /chat/threads/{id}/messages`, `POST /sse/chat/{id}`
pub(crate) async fn post(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let id = ask.id("id")?;
    let mut new: NewMessage = ask.decode()?;
    new.idempotency_key = ask.idempotency_key(new.idempotency_key)?;
    reply::created(&ask.engine().chat().post(&context, &id, new).await?)
}

/// `GET /chat/threads/{id}/events`
pub(crate) async fn events(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let (id, limit) = (ask.id("id")?, ask.limit()?);
    reply::ok(&ask.engine().chat().events(&context, &id, ask.query.one("after")?, limit).await?)
}
