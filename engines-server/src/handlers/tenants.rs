//! Tenants, their members and invites; and what the control plane does about them.

use std::sync::Arc;

use engines::{Principal, RequestContext, Result};
use http::{Response, StatusCode};

use crate::{ask::Ask, body::Body, reply};

/// `POST /tenants`
pub(crate) async fn create(ask: Ask, principal: Arc<Principal>) -> Result<Response<Body>> {
    reply::created(&ask.identity()?.create_tenant(&principal, ask.decode()?, &ask.trace).await?)
}

/// `GET /tenants`
pub(crate) async fn list(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.list_tenants(&context, ask.page()?).await?)
}

/// `GET /tenants/{t}`
pub(crate) async fn read(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.get_tenant(&context, &ask.tenant()?).await?)
}

/// `PATCH /tenants/{t}`
pub(crate) async fn rename(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.rename_tenant(&context, &ask.tenant()?, ask.decode()?).await?)
}

/// `POST /tenants/{t}/leave`
pub(crate) async fn leave(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    ask.identity()?.leave_tenant(&context, &ask.tenant()?).await?;
    Ok(reply::none())
}

/// `POST /tenants/{t}/suspend`
pub(crate) async fn suspend(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.suspend_tenant(&context, &ask.tenant()?).await?)
}

/// `POST /tenants/{t}/resume`
pub(crate) async fn resume(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.resume_tenant(&context, &ask.tenant()?).await?)
}

/// `POST /users/{user_id}/disable`
pub(crate) async fn disable_user(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    ask.identity()?.set_user_disabled(&context, &ask.user()?, true).await?;
    Ok(reply::none())
}

/// `POST /users/{user_id}/enable`
pub(crate) async fn enable_user(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    ask.identity()?.set_user_disabled(&context, &ask.user()?, false).await?;
    Ok(reply::none())
}

/// `GET /tenants/{t}/members`
pub(crate) async fn members(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.list_members(&context, &ask.tenant()?, ask.page()?).await?)
}

/// `POST /tenants/{t}/members`
pub(crate) async fn add_member(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::accepted(&ask.identity()?.add_member(&context, &ask.tenant()?, ask.decode()?).await?)
}

/// `PATCH /tenants/{t}/members/{user_id}`
pub(crate) async fn change_role(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.change_role(&context, &ask.tenant()?, &ask.user()?, ask.decode()?).await?)
}

/// `DELETE /tenants/{t}/members/{user_id}`
pub(crate) async fn remove_member(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    ask.identity()?.remove_member(&context, &ask.tenant()?, &ask.user()?).await?;
    Ok(reply::none())
}

/// `GET /tenants/{t}/invites`
pub(crate) async fn invites(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.identity()?.list_invites(&context, &ask.tenant()?, ask.page()?).await?)
}

/// `POST /tenants/{t}/invites`
pub(crate) async fn invite(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let made = ask.identity()?.create_invite(&context, &ask.tenant()?, ask.decode()?).await?;
    reply::secret(StatusCode::CREATED, &made)
}

/// `DELETE /tenants/{t}/invites/{id}`
pub(crate) async fn delete_invite(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    ask.identity()?.delete_invite(&context, &ask.tenant()?, ask.id("id")?.as_str()).await?;
    Ok(reply::none())
}
