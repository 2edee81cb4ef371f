//! Accounts, sessions, tickets, and the bootstrap.

use std::sync::Arc;

use engines::{
    Principal, RequestContext, Result,
    auth::identity::{AcceptRequest, LoginRequest, RefreshRequest, SignupRequest},
};
use http::{Response, StatusCode};

use crate::{body::Body, request::RequestParts, response};

/// The header with the bootstrap key.
const SYSTEM_KEY: &str = "x-system-key";

/// `POST /auth/signup`
pub(crate) async fn signup(parts: RequestParts) -> Result<Response<Body>> {
    let request: SignupRequest = parts.decode()?;
    response::secret_json(StatusCode::CREATED, &parts.identity()?.signup(request, parts.caller()).await?)
}

/// `POST /auth/login`
pub(crate) async fn login(parts: RequestParts) -> Result<Response<Body>> {
    let request: LoginRequest = parts.decode()?;
    response::secret_json(StatusCode::OK, &parts.identity()?.login(request, parts.caller()).await?)
}

/// `POST /auth/refresh`
pub(crate) async fn refresh(parts: RequestParts) -> Result<Response<Body>> {
    let request: RefreshRequest = parts.decode()?;
    response::secret_json(StatusCode::OK, &parts.identity()?.refresh(request, parts.caller()).await?)
}

/// `POST /auth/logout`
pub(crate) async fn logout(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    parts.identity()?.logout(&principal).await?;
    Ok(response::no_content())
}

/// `GET /auth/me`
pub(crate) async fn me(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.me(&principal).await?)
}

/// `PATCH /auth/me`
pub(crate) async fn update_me(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.update_me(&principal, parts.decode()?, &parts.trace).await?)
}

/// `DELETE /auth/me`
pub(crate) async fn delete_me(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    parts.identity()?.delete_account(&principal, parts.decode()?, parts.caller()).await?;
    Ok(response::no_content())
}

/// `POST /auth/password`
pub(crate) async fn password(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    parts.identity()?.change_password(&principal, parts.decode()?, parts.caller()).await?;
    Ok(response::no_content())
}

/// `GET /auth/bootstrap`
pub(crate) async fn bootstrap(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.bootstrap_state(&principal).await?)
}

/// `POST /auth/bootstrap/tenants`
pub(crate) async fn bootstrap_tenants(parts: RequestParts) -> Result<Response<Body>> {
    let request = parts.decode()?;
    let mut keys = parts.headers.get_all(SYSTEM_KEY).iter().map(|key| key.as_bytes());
    // A request with several keys counts as a request without one, because it is not clear which one is meant.
    let key = keys.next().filter(|_| keys.next().is_none());
    response::ok(&parts.identity()?.bootstrap_tenants(key, request, parts.caller()).await?)
}

/// `GET /auth/sessions`
pub(crate) async fn sessions(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.sessions(&principal, parts.page()?).await?)
}

/// `DELETE /auth/sessions`
pub(crate) async fn end_sessions(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    parts.identity()?.end_sessions(&principal, &parts.trace).await?;
    Ok(response::no_content())
}

/// `DELETE /auth/sessions/{id}`
pub(crate) async fn revoke_session(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    parts.identity()?.revoke_session(&principal, parts.resource_id("id")?.as_str()).await?;
    Ok(response::no_content())
}

/// `POST /auth/invites/accept`
pub(crate) async fn accept_invite(parts: RequestParts, principal: Option<Arc<Principal>>) -> Result<Response<Body>> {
    let request: AcceptRequest = parts.decode()?;
    let accepted = parts.identity()?.accept_invite(principal.as_deref(), request, parts.caller()).await?;
    response::secret_json(StatusCode::OK, &accepted)
}

/// `POST /auth/tickets`
pub(crate) async fn ticket(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::secret_json(StatusCode::CREATED, &parts.identity()?.tickets().create(&context, parts.decode()?).await?)
}

/// `DELETE /auth/tickets/{id}`
pub(crate) async fn end_ticket(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    parts.identity()?.tickets().end(&context, parts.resource_id("id")?.as_str()).await?;
    Ok(response::no_content())
}
