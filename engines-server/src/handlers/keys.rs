//! A tenant's own API keys, and its slots for those of third parties.

use engines::{
    Code, Error, RequestContext, Result,
    auth::key_slot::{KeySlots, SlotSecret},
};
use http::{Response, StatusCode};
use serde::Deserialize;

use crate::{ask::Ask, body::Body, reply};

/// `PUT /identity/keys/{slot}`
#[derive(Deserialize)]
struct SlotRequest {
    #[serde(alias = "value", alias = "key")]
    secret: SlotSecret,
}

/// `GET /identity/api-keys`
pub(crate) async fn list(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.api_keys().list(&context, ask.page()?).await?)
}

/// `POST /identity/api-keys`
pub(crate) async fn create(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::secret(StatusCode::CREATED, &ask.identity()?.api_keys().create(&context, ask.decode()?).await?)
}

/// `POST /identity/api-keys/{id}/rotate`
pub(crate) async fn rotate(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let id = ask.id("id")?;
    let rotated = ask.identity()?.api_keys().rotate(&context, id.as_str(), ask.decode()?).await?;
    reply::secret(StatusCode::OK, &rotated)
}

/// `DELETE /identity/api-keys/{id}`
pub(crate) async fn revoke(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    ask.identity()?.api_keys().revoke(&context, ask.id("id")?.as_str()).await?;
    Ok(reply::none())
}

/// `GET /identity/keys`
pub(crate) async fn slots(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&kept(&ask)?.list(&context, ask.page()?).await?)
}

/// `GET /identity/keys/{slot}`
pub(crate) async fn slot(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&kept(&ask)?.get(&context, &ask.id("slot")?).await?)
}

/// `PUT /identity/keys/{slot}`
pub(crate) async fn fill(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let slot = ask.id("slot")?;
    let request: SlotRequest = ask.decode()?;
    reply::ok(&kept(&ask)?.put(&context, &slot, &request.secret).await?)
}

/// `DELETE /identity/keys/{slot}`
pub(crate) async fn empty(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    kept(&ask)?.delete(&context, &ask.id("slot")?).await?;
    Ok(reply::none())
}

fn kept(ask: &Ask) -> Result<&KeySlots> {
    let none = || Error::new(Code::NotFound, "key_slots", "no third-party secrets are kept here");
    ask.engine().key_slots().ok_or_else(none)
}
