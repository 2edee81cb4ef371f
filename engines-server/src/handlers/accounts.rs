//! Addresses, forgotten passwords, one's own invites and memberships.

use std::sync::Arc;

use engines::{Principal, RequestContext, Result};
use http::Response;

use crate::{ask::Ask, body::Body, reply};

/// `POST /auth/verify/request`
pub(crate) async fn request_verification(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    reply::accepted(&ask.identity()?.request_verification(&principal, ask.caller()).await?)
}

/// `POST /auth/verify`
pub(crate) async fn verify(ask: Ask, principal: Option<Arc<Principal>>) -> Result<Response<Body>> {
    ask.identity()?.verify_address(principal.as_deref(), ask.decode()?, ask.caller()).await?;
    Ok(reply::none())
}

/// `POST /auth/password/forgot`
pub(crate) async fn forgot_password(ask: Ask) -> Result<Response<Body>> {
    reply::accepted(&ask.identity()?.forgot_password(ask.decode()?, ask.caller()).await?)
}

/// `POST /auth/password/reset`
pub(crate) async fn reset_password(ask: Ask) -> Result<Response<Body>> {
    ask.identity()?.reset_password(ask.decode()?, ask.caller()).await?;
    Ok(reply::none())
}

/// `POST /auth/email`
pub(crate) async fn change_email(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    reply::accepted(&ask.identity()?.change_email(&principal, ask.decode()?, ask.caller()).await?)
}

/// `PUT /auth/me/default-tenant`
pub(crate) async fn set_default_tenant(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.set_default_tenant(&principal, ask.decode()?, &ask.trace).await?)
}

/// `GET /auth/memberships`
pub(crate) async fn memberships(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.list_memberships(&principal, ask.page()?).await?)
}

/// `GET /auth/invites`
pub(crate) async fn own_invites(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.own_invites(&principal, ask.page()?).await?)
}

/// `POST /auth/invites/decline`
pub(crate) async fn decline_invite(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    ask.identity()?.decline_invite(&principal, ask.decode()?, &ask.trace).await?;
    Ok(reply::none())
}

/// `POST /users/{user_id}/verify-email`
pub(crate) async fn mark_verified(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    ask.identity()?.mark_verified(&context, &ask.user()?).await?;
    Ok(reply::none())
}
