//! Training preferences.

use engines::{RequestContext, Result, UserId};
use http::Response;
use serde::Deserialize;

use crate::{body::Body, request::RequestParts, response};

#[derive(Deserialize)]
struct TenantPref {
    opt_out: bool,
}

#[derive(Deserialize)]
struct UserPref {
    user_id: UserId,
    opt_out: bool,
}

/// `GET /privacy/train-prefs`
pub(crate) async fn read(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    response::ok(&parts.engine().train_prefs().get(&context).await?)
}

/// `POST /privacy/train-prefs/tenant`
pub(crate) async fn set_tenant(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let TenantPref { opt_out } = parts.decode()?;
    response::ok(&parts.engine().train_prefs().set_tenant(&context, opt_out).await?)
}

/// `DELETE /privacy/train-prefs/tenant`
pub(crate) async fn unset_tenant(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    parts.engine().train_prefs().unset_tenant(&context).await?;
    Ok(response::no_content())
}

/// `DELETE /privacy/train-prefs/user`
pub(crate) async fn unset_user(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    parts.engine().train_prefs().unset_user(&context).await?;
    Ok(response::no_content())
}

/// `POST /privacy/train-prefs/user`
pub(crate) async fn set_user(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let UserPref { user_id, opt_out } = parts.decode()?;
    response::ok(&parts.engine().train_prefs().set_user(&context, &user_id, opt_out).await?)
}
