//! Email addresses, password resets, and the caller's invites and memberships.

use std::sync::Arc;

use engines::{Principal, RequestContext, Result};
use http::Response;

use crate::{body::Body, request::RequestParts, response};

/// `POST /auth/verify/request`
pub(crate) async fn request_verification(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    response::accepted(&parts.identity()?.request_verification(&principal, parts.caller()).await?)
}

/// `POST /auth/verify`
pub(crate) async fn verify(parts: RequestParts, principal: Option<Arc<Principal>>) -> Result<Response<Body>> {
    parts.identity()?.verify_address(principal.as_deref(), parts.decode()?, parts.caller()).await?;
    Ok(response::no_content())
}

/// `POST /auth/password/forgot`
pub(crate) async fn forgot_password(parts: RequestParts) -> Result<Response<Body>> {
    response::accepted(&parts.identity()?.forgot_password(parts.decode()?, parts.caller()).await?)
}

/// `POST /auth/password/reset`
pub(crate) async fn reset_password(parts: RequestParts) -> Result<Response<Body>> {
    parts.identity()?.reset_password(parts.decode()?, parts.caller()).await?;
    Ok(response::no_content())
}

/// `POST /auth/email`
pub(crate) async fn change_email(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    response::accepted(&parts.identity()?.change_email(&principal, parts.decode()?, parts.caller()).await?)
}

/// `PUT /auth/me/default-tenant`
pub(crate) async fn set_default_tenant(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.set_default_tenant(&principal, parts.decode()?, &parts.trace).await?)
}

/// `GET /auth/memberships`
pub(crate) async fn memberships(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.list_memberships(&principal, parts.page()?).await?)
}

/// `GET /auth/invites`
pub(crate) async fn own_invites(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.own_invites(&principal, parts.page()?).await?)
}

/// `POST /auth/invites/decline`
pub(crate) async fn decline_invite(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    parts.identity()?.decline_invite(&principal, parts.decode()?, &parts.trace).await?;
    Ok(response::no_content())
}

/// `POST /users/{user_id}/verify-email`
pub(crate) async fn mark_verified(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    parts.identity()?.mark_verified(&context, &parts.user_id()?).await?;
    Ok(response::no_content())
}
