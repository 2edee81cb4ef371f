//! Threads and messages.

use engines::{
    RequestContext, Result,
    stream::chat::{NewMessage, NewThread},
};
use http::Response;

use crate::{body::Body, request::RequestParts, response};

/// `POST /chat/threads`
pub(crate) async fn create(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let new: NewThread = parts.decode()?;
    response::created(&parts.engine().chat().create_thread(&context, new).await?)
}

/// `GET /chat/threads`
pub(crate) async fn list(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.engine().chat().threads(&context, parts.page()?).await?)
}

/// `GET /chat/threads/{id}`
pub(crate) async fn read(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.engine().chat().thread(&context, &parts.resource_id("id")?).await?)
}

/// `POST /chat/threads/{id}/messages`, `POST /sse/chat/{id}`
pub(crate) async fn post(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let id = parts.resource_id("id")?;
    let mut new: NewMessage = parts.decode()?;
    new.idempotency_key = parts.idempotency_key(new.idempotency_key)?;
    response::created(&parts.engine().chat().post(&context, &id, new).await?)
}

/// `GET /chat/threads/{id}/events`
pub(crate) async fn events(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let (id, limit) = (parts.resource_id("id")?, parts.page_limit()?);
    response::ok(&parts.engine().chat().events(&context, &id, parts.query.single("after")?, limit).await?)
}
