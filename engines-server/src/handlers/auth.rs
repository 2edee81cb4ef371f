//! Accounts, sessions, tickets, and the bootstrap.

use std::sync::Arc;

use engines::{
    Principal, RequestContext, Result,
    auth::identity::{AcceptRequest, LoginRequest, RefreshRequest, SignupRequest},
};
use http::{Response, StatusCode};

use crate::{ask::Ask, body::Body, reply};

/// Whose value opens the bootstrap.
const SYSTEM_KEY: &str = "x-system-key";

/// `POST /auth/signup`
pub(crate) async fn signup(ask: Ask) -> Result<Response<Body>> {
    let request: SignupRequest = ask.decode()?;
    reply::secret(StatusCode::CREATED, &ask.identity()?.signup(request, ask.caller()).await?)
}

/// `POST /auth/login`
pub(crate) async fn login(ask: Ask) -> Result<Response<Body>> {
    let request: LoginRequest = ask.decode()?;
    reply::secret(StatusCode::OK, &ask.identity()?.login(request, ask.caller()).await?)
}

/// `POST /auth/refresh`
pub(crate) async fn refresh(ask: Ask) -> Result<Response<Body>> {
    let request: RefreshRequest = ask.decode()?;
    reply::secret(StatusCode::OK, &ask.identity()?.refresh(request, ask.caller()).await?)
}

/// `POST /auth/logout`
pub(crate) async fn logout(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    ask.identity()?.logout(&principal).await?;
    Ok(reply::none())
}

/// `GET /auth/me`
pub(crate) async fn me(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.me(&principal).await?)
}

/// `PATCH /auth/me`
pub(crate) async fn update_me(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.update_me(&principal, ask.decode()?, &ask.trace).await?)
}

/// `DELETE /auth/me`
pub(crate) async fn delete_me(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    ask.identity()?.delete_account(&principal, ask.decode()?, ask.caller()).await?;
    Ok(reply::none())
}

/// `POST /auth/password`
pub(crate) async fn password(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    ask.identity()?.change_password(&principal, ask.decode()?, ask.caller()).await?;
    Ok(reply::none())
}

/// `GET /auth/bootstrap`
pub(crate) async fn bootstrap(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.bootstrap_state(&principal).await?)
}

/// `POST /auth/bootstrap/tenants`
pub(crate) async fn bootstrap_tenants(ask: Ask) -> Result<Response<Body>> {
    let request = ask.decode()?;
    let mut keys = ask.headers.get_all(SYSTEM_KEY).iter().map(|key| key.as_bytes());
    // Of several, none is meant.
    let key = keys.next().filter(|_| keys.next().is_none());
    reply::ok(&ask.identity()?.bootstrap_tenants(key, request, ask.caller()).await?)
}

/// `GET /auth/sessions`
pub(crate) async fn sessions(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.sessions(&principal, ask.page()?).await?)
}

/// `DELETE /auth/sessions`
pub(crate) async fn end_sessions(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    ask.identity()?.end_sessions(&principal, &ask.trace).await?;
    Ok(reply::none())
}

/// `DELETE /auth/sessions/{id}`
pub(crate) async fn revoke_session(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    ask.identity()?.revoke_session(&principal, ask.id("id")?.as_str()).await?;
    Ok(reply::none())
}

/// `POST /auth/invites/accept`
pub(crate) async fn accept_invite(ask: Ask, principal: Option<Arc<Principal>>) -> Result<Response<Body>> {
    let request: AcceptRequest = ask.decode()?;
    let accepted = ask.identity()?.accept_invite(principal.as_deref(), request, ask.caller()).await?;
    reply::secret(StatusCode::OK, &accepted)
}

/// `POST /auth/tickets`
pub(crate) async fn ticket(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::secret(StatusCode::CREATED, &ask.identity()?.tickets().create(&context, ask.decode()?).await?)
}

/// `DELETE /auth/tickets/{id}`
pub(crate) async fn end_ticket(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    ask.identity()?.tickets().end(&context, ask.id("id")?.as_str()).await?;
    Ok(reply::none())
}
