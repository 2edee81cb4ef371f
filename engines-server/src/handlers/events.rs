//! Dataset events.

use engines::{
    Code, DatasetEvent, Error, RequestContext, Result,
    core::{event::EventFilter, nexus::Page},
    storage::event_log::{LineResult, RecordedEvent},
};
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::{body::Body, media_types, request::RequestParts, response};

#[derive(Serialize)]
struct AcceptedEvent {
    status: &'static str,
    #[serde(flatten)]
    recorded: RecordedEvent,
}

/// `POST /events`
pub(crate) async fn record(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let mut event: DatasetEvent = parts.decode()?;
    event.idempotency_key = parts.idempotency_key(event.idempotency_key.take())?;
    let recorded = parts.engine().events().record(&context, event).await?;
    response::created(&AcceptedEvent { status: "accepted", recorded })
}

/// `POST /events/batch`
pub(crate) async fn record_batch(mut parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let key = parts.idempotency_key(None)?;
    let chunks =
        parts.body_stream.take().ok_or_else(|| Error::internal("events.batch", "the route does not accept lines"))?;
    let most = parts.engine().limits().batch_body_bytes;
    let mut results = BatchResults::new(&parts.headers);
    let add = |found: Vec<LineResult>| {
        results.add(found)?;
        if results.text.len() > most {
            let detail =
                "the results are longer than limits.batch_body_bytes; send the remaining lines in another batch";
            return Err(Error::new(Code::BodyTooLarge, "events.batch", detail).with_member("limit", most));
        }
        Ok(())
    };
    let (rest, _) = parts.engine().record_lines(&context, key, chunks, add).await?;
    results.add(rest)?;
    Ok(results.into_response())
}

/// `GET /events`
pub(crate) async fn list(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    let page = parts.engine().events().list(&context, &filter(&parts)?, parts.page()?).await?;
    let items = page.items.iter().map(|event| event.to_flat_json(context.scope())).collect::<Result<Vec<_>>>()?;
    response::ok(&Page { items, next: page.next })
}

/// `GET /events/export`
pub(crate) async fn export(parts: RequestParts, context: RequestContext) -> Result<Response<Body>> {
    if parts.query.single("format")?.is_some_and(|format| format != "jsonl") {
        return Err(Error::invalid_body("event.export", "format", "the format must be jsonl"));
    }
    let mut export = parts.engine().events().export(&context, filter(&parts)?).await?;
    // An error before the first line is returned as a problem document.
    let first = export.next_chunk().await?;
    let rest = stream::try_unfold(export, async |mut export| {
        let lines = export.next_chunk().await.inspect_err(|error| {
            tracing::warn!(code = %error.code(), error = %error, "an export broke off; its connection is cut off");
        })?;
        Ok(lines.map(|lines| (lines.into(), export)))
    });
    let body = match first {
        Some(first) => Body::from_stream(futures_util::StreamExt::chain(stream::iter([Ok(first.into())]), rest)),
        None => Body::empty(),
    };
    let scope = context.scope();
    let name = format!("attachment; filename=\"events-{}-{}.jsonl\"", scope.tenant(), scope.env());
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_types::NDJSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = HeaderValue::try_from(name).map_err(|error| Error::internal("events.export", error))?;
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

/// Returns the filter in the query.
pub(crate) fn filter(parts: &RequestParts) -> Result<EventFilter> {
    Ok(EventFilter {
        surface: parts.query_text("surface")?,
        agent_id: parts.query_text("agent_id")?,
        trace_id: parts.query_text("trace_id")?,
        event_type: parts.query_text("type")?,
        from: parts.parse_query("from")?,
        until: parts.parse_query("to")?,
    })
}

/// The results of a batch, encoded as they become available.
struct BatchResults {
    text: Vec<u8>,
    /// Whether the results are one JSON document instead of JSON lines.
    document: bool,
}

impl BatchResults {
    fn new(headers: &HeaderMap) -> Self {
        let document = media_types::prefers_json(headers);
        Self { text: if document { b"{\"items\":[".to_vec() } else { Vec::new() }, document }
    }

    fn add(&mut self, results: impl IntoIterator<Item = LineResult>) -> Result<()> {
        for result in results {
            if self.document && self.text.last() == Some(&b'}') {
                self.text.push(b',');
            }
            serde_json::to_writer(&mut self.text, &result).map_err(|error| Error::internal("events.batch", error))?;
            if !self.document {
                self.text.push(b'\n');
            }
        }
        Ok(())
    }

    fn into_response(mut self) -> Response<Body> {
        if self.document {
            self.text.extend_from_slice(b"]}");
            return response::with_body(StatusCode::OK, media_types::JSON, self.text);
        }
        response::with_body(StatusCode::OK, media_types::NDJSON, self.text)
    }
}
