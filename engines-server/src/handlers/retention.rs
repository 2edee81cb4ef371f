//! Retention, deletion and the audit log.

use engines::{RequestContext, Result, TenantId, core::audit::AuditFilter, storage::retention::NewRetentionPolicy};
use http::Response;
use serde_json::json;

use super::events::filter;
use crate::{body::Body, request::RequestParts, response};

/// `DELETE /chat/threads/{id}`
pub(crate) async fn delete_thread(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    parts.engine().chat().delete(&context, &parts.resource_id("id")?).await?;
    Ok(response::no_content())
}

/// `DELETE /canvas/{id}`
pub(crate) async fn delete_canvas(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    parts.engine().canvas().delete(&context, &parts.resource_id("id")?).await?;
    Ok(response::no_content())
}

/// `DELETE /events`
pub(crate) async fn delete_events(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let deleted = parts.engine().events().delete(&context, &filter(&parts)?).await?;
    response::ok(&json!({ "deleted": deleted }))
}

/// `GET /retention`
pub(crate) async fn policy(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.engine().retention().policy(&context).await?)
}

/// `PUT /retention`
pub(crate) async fn set_policy(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let new: NewRetentionPolicy = parts.decode()?;
    response::ok(&parts.engine().retention().set_policy(&context, new).await?)
}

/// `GET /audit/entries`
pub(crate) async fn audit_entries(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let filter = AuditFilter {
        action: parts.query_text("action")?,
        actor_id: parts.query_text("actor")?,
        resource: parts.query_text("resource")?,
        from: parts.parse_query("from")?,
        until: parts.parse_query("to")?,
    };
    response::ok(&parts.engine().audit().entries(&context, &filter, parts.page()?).await?)
}

/// `DELETE /tenants/{t}`
pub(crate) async fn delete_tenant(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let tenant = parts.tenant_id()?;
    let tenant = match parts.query_flag("purge")? {
        true => parts.identity()?.purge_tenant(&context, &tenant).await?,
        false => parts.identity()?.disable_tenant(&context, &tenant).await?,
    };
    response::ok(&tenant)
}

/// `DELETE /auth/purges/{id}`
pub(crate) async fn cancel_purge(
    parts: RequestParts,
    principal: std::sync::Arc<engines::Principal>,
) -> Result<Response<Body>> {
    let tenant = TenantId::new(parts.param("id")?)?;
    response::ok(&parts.identity()?.cancel_purge(&principal, &tenant, &parts.trace).await?)
}
