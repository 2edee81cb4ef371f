//! Who is here.

use engines::{RequestContext, Result, StreamKey};
use http::Response;

use crate::{ask::Ask, body::Body, reply};

/// `GET /presence/{stream…}`
pub(crate) async fn list(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let key: StreamKey = ask.param("stream")?.parse()?;
    reply::ok(&ask.engine().presence().list(&context, &key, ask.page()?).await?)
}
