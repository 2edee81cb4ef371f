//! Retention, deletion and the audit log.

use engines::{
    RequestContext, Result, TenantId,
    core::{audit::AuditFilter, retention::NewRetention},
};
use http::Response;
use serde_json::json;

use super::events::filter;
use crate::{ask::Ask, body::Body, reply};

/// `DELETE /chat/threads/{id}`
pub(crate) async fn delete_thread(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    ask.engine().chat().delete(&context, &ask.id("id")?).await?;
    Ok(reply::none())
}

/// `DELETE /canvas/{id}`
pub(crate) async fn delete_canvas(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    ask.engine().canvas().delete(&context, &ask.id("id")?).await?;
    Ok(reply::none())
}

/// `DELETE /events`
pub(crate) async fn delete_events(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let deleted = ask.engine().events().delete(&context, &filter(&ask)?).await?;
    reply::ok(&json!({ "deleted": deleted }))
}

/// `GET /retention`
pub(crate) async fn policy(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.engine().retention().policy(&context).await?)
}

/// `PUT /retention`
pub(crate) async fn set_policy(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let new: NewRetention = ask.decode()?;
    reply::ok(&ask.engine().retention().set_policy(&context, new).await?)
}

/// `GET /audit/entries`
pub(crate) async fn audit_entries(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let filter = AuditFilter {
        action: ask.text("action")?,
        actor_id: ask.text("actor")?,
        resource: ask.text("resource")?,
        from: ask.parsed("from")?,
        until: ask.parsed("to")?,
    };
    reply::ok(&ask.engine().audit().entries(&context, &filter, ask.page()?).await?)
}

/// `DELETE /tenants/{t}`
pub(crate) async fn delete_tenant(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let tenant = ask.tenant()?;
    let tenant = match ask.flag("purge")? {
        true => ask.identity()?.purge_tenant(&context, &tenant).await?,
        false => ask.identity()?.disable_tenant(&context, &tenant).await?,
    };
    reply::ok(&tenant)
}

/// `DELETE /auth/purges/{id}`
pub(crate) async fn cancel_purge(ask: Ask, principal: std::sync::Arc<engines::Principal>) -> Result<Response<Body>> {
    let tenant = TenantId::new(ask.param("id")?)?;
    reply::ok(&ask.identity()?.cancel_purge(&principal, &tenant, &ask.trace).await?)
}
