//! Training preferences.

use engines::{RequestContext, Result, UserId};
use http::Response;
use serde::Deserialize;

use crate::{ask::Ask, body::Body, reply};

#[derive(Deserialize)]
struct OfTenant {
    opt_out: bool,
}

#[derive(Deserialize)]
struct OfUser {
    user_id: UserId,
    opt_out: bool,
}

/// `GET /privacy/train-prefs`
pub(crate) async fn read(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    reply::ok(&ask.engine().train_prefs().get(&context).await?)
}

/// `POST /privacy/train-prefs/tenant`
pub(crate) async fn set_tenant(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let OfTenant { opt_out } = ask.decode()?;
    reply::ok(&ask.engine().train_prefs().set_tenant(&context, opt_out).await?)
}

/// `DELETE /privacy/train-prefs/tenant`
pub(crate) async fn unset_tenant(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    ask.engine().train_prefs().unset_tenant(&context).await?;
    Ok(reply::none())
}

/// `DELETE /privacy/train-prefs/user`
pub(crate) async fn unset_user(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    ask.engine().train_prefs().unset_user(&context).await?;
    Ok(reply::none())
}

/// `POST /privacy/train-prefs/user`
pub(crate) async fn set_user(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let OfUser { user_id, opt_out } = ask.decode()?;
    reply::ok(&ask.engine().train_prefs().set_user(&context, &user_id, opt_out).await?)
}
