//! The clients that follow a stream.

use engines::{RequestContext, Result, StreamKey};
use http::Response;

use crate::{body::Body, request::RequestParts, response};

/// `GET /presence/{stream…}`
pub(crate) async fn list(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let key: StreamKey = parts.param("stream")?.parse()?;
    response::ok(&parts.engine().presence().list(&context, &key, parts.page()?).await?)
}
