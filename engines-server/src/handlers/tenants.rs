//! Tenants, their members and invites, and actions of the control plane on them.

use std::sync::Arc;

use engines::{Principal, RequestContext, Result};
use http::{Response, StatusCode};

use crate::{body::Body, request::RequestParts, response};

/// `POST /tenants`
pub(crate) async fn create(parts: RequestParts, principal: Arc<Principal>) -> Result<Response<Body>> {
    response::created(&parts.identity()?.create_tenant(&principal, parts.decode()?, &parts.trace).await?)
}

/// `GET /tenants`
pub(crate) async fn list(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.list_tenants(&context, parts.page()?).await?)
}

/// `GET /tenants/{t}`
pub(crate) async fn read(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.get_tenant(&context, &parts.tenant_id()?).await?)
}

/// `PATCH /tenants/{t}`
pub(crate) async fn rename(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.rename_tenant(&context, &parts.tenant_id()?, parts.decode()?).await?)
}

/// `POST /tenants/{t}/leave`
pub(crate) async fn leave(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    parts.identity()?.leave_tenant(&context, &parts.tenant_id()?).await?;
    Ok(response::no_content())
}

/// `POST /tenants/{t}/suspend`
pub(crate) async fn suspend(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.suspend_tenant(&context, &parts.tenant_id()?).await?)
}

/// `POST /tenants/{t}/resume`
pub(crate) async fn resume(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.resume_tenant(&context, &parts.tenant_id()?).await?)
}

/// `POST /users/{user_id}/disable`
pub(crate) async fn disable_user(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    parts.identity()?.set_user_disabled(&context, &parts.user_id()?, true).await?;
    Ok(response::no_content())
}

/// `POST /users/{user_id}/enable`
pub(crate) async fn enable_user(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    parts.identity()?.set_user_disabled(&context, &parts.user_id()?, false).await?;
    Ok(response::no_content())
}

/// `GET /tenants/{t}/members`
pub(crate) async fn members(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.list_members(&context, &parts.tenant_id()?, parts.page()?).await?)
}

/// `POST /tenants/{t}/members`
pub(crate) async fn add_member(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::accepted(&parts.identity()?.add_member(&context, &parts.tenant_id()?, parts.decode()?).await?)
}

/// `PATCH /tenants/{t}/members/{user_id}`
pub(crate) async fn change_role(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(
        &parts.identity()?.change_role(&context, &parts.tenant_id()?, &parts.user_id()?, parts.decode()?).await?,
    )
}

/// `DELETE /tenants/{t}/members/{user_id}`
pub(crate) async fn remove_member(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    parts.identity()?.remove_member(&context, &parts.tenant_id()?, &parts.user_id()?).await?;
    Ok(response::no_content())
}

/// `GET /tenants/{t}/invites`
pub(crate) async fn invites(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.identity()?.list_invites(&context, &parts.tenant_id()?, parts.page()?).await?)
}

/// `POST /tenants/{t}/invites`
pub(crate) async fn invite(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let made = parts.identity()?.create_invite(&context, &parts.tenant_id()?, parts.decode()?).await?;
    response::secret_json(StatusCode::CREATED, &made)
}

/// `DELETE /tenants/{t}/invites/{id}`
pub(crate) async fn delete_invite(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    parts.identity()?.delete_invite(&context, &parts.tenant_id()?, parts.resource_id("id")?.as_str()).await?;
    Ok(response::no_content())
}
