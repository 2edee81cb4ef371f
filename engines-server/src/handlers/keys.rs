//! A tenant's own API keys, and its slots for third-party keys.

use engines::{
    Code, Error, RequestContext, Result,
    auth::key_slot::{KeySlots, SlotSecret},
};
use http::{Response, StatusCode};
use serde::Deserialize;

use crate::{body::Body, request::RequestParts, response};

/// The body of `PUT /identity/keys/{slot}`.
#[derive(Deserialize)]
struct SlotRequest {
    #[serde(alias = "value", alias = "key")]
    secret: SlotSecret,
}

/// `GET /identity/api-keys`
pub(crate) async fn list(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.api_keys().list(&context, parts.page()?).await?)
}

/// `POST /identity/api-keys`
pub(crate) async fn create(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::secret_json(StatusCode::CREATED, &parts.identity()?.api_keys().create(&context, parts.decode()?).await?)
}

/// `POST /identity/api-keys/{id}/rotate`
pub(crate) async fn rotate(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let id = parts.resource_id("id")?;
    let rotated = parts.identity()?.api_keys().rotate(&context, id.as_str(), parts.decode()?).await?;
    response::secret_json(StatusCode::OK, &rotated)
}

/// `DELETE /identity/api-keys/{id}`
pub(crate) async fn revoke(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    parts.identity()?.api_keys().revoke(&context, parts.resource_id("id")?.as_str()).await?;
    Ok(response::no_content())
}

/// `GET /identity/keys`
pub(crate) async fn list_slots(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&key_slots(&parts)?.list(&context, parts.page()?).await?)
}

/// `GET /identity/keys/{slot}`
pub(crate) async fn read_slot(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&key_slots(&parts)?.get(&context, &parts.resource_id("slot")?).await?)
}

/// `PUT /identity/keys/{slot}`
pub(crate) async fn set_slot(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let slot = parts.resource_id("slot")?;
    let request: SlotRequest = parts.decode()?;
    response::ok(&key_slots(&parts)?.put(&context, &slot, &request.secret).await?)
}

/// `DELETE /identity/keys/{slot}`
pub(crate) async fn delete_slot(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    key_slots(&parts)?.delete(&context, &parts.resource_id("slot")?).await?;
    Ok(response::no_content())
}

fn key_slots(parts: &RequestParts) -> Result<&KeySlots> {
    let none = || Error::new(Code::NotFound, "key_slots", "this deployment stores no third-party secrets");
    parts.engine().key_slots().ok_or_else(none)
}
