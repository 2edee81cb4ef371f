//! Dataset events.

use std::time::Duration;

use engines::{
    Code, DatasetEvent, Error, RequestContext, Result,
    core::{
        event::{EventFilter, LineResult, Recorded, StoredEvent},
        nexus::Paged,
    },
};
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::timeout;

use crate::{ask::Ask, body::Body, reply};

/// The media type of JSON lines.
pub(crate) const LINES: &str = "application/x-ndjson";
/// How long lines may fail to arrive before what has arrived is written.
const STALL: Duration = Duration::from_millis(5);

#[derive(Serialize)]
struct Accepted {
    status: &'static str,
    #[serde(flatten)]
    recorded: Recorded,
}

/// `POST /events`
pub(crate) async fn record(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let mut event: DatasetEvent = ask.decode()?;
    event.idempotency_key = ask.idempotency_key(event.idempotency_key.take())?;
    let recorded = ask.engine().events().record(&context, event).await?;
    reply::created(&Accepted { status: "accepted", recorded })
}

/// `POST /events/batch`
pub(crate) async fn record_batch(mut ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let key = ask.idempotency_key(None)?;
    let mut pieces =
        ask.pieces.take().ok_or_else(|| Error::internal("events.batch", "the route does not take lines"))?;
    let most = ask.engine().limits().batch_body_bytes;
    let mut batch = ask.engine().events().batch(&context, key).await?;
    let mut results = Results::new(&ask.headers);
    let fault = loop {
        let piece = match timeout(STALL, pieces.next()).await {
            Ok(piece) => piece,
            Err(_) => {
                batch.flush().await?;
                pieces.next().await
            }
        };
        match piece {
            None => break None,
            Some(Err(fault)) => break Some(fault),
            Some(Ok(piece)) => {
                let wants_more = batch.push(&piece).await?;
                results.add(batch.results())?;
                if !wants_more {
                    break None;
                }
            }
        }
        if results.text.len() > most {
            let detail = "the answer is as long as a batch may be; send fewer events at once";
            break Some(Error::new(Code::BodyTooLarge, "events.batch", detail).with_member("limit", most));
        }
    };
    let (rest, _) = batch.finish(fault).await?;
    results.add(rest)?;
    Ok(results.reply())
}

/// `GET /events`
pub(crate) async fn list(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let page = ask.engine().events().list(&context, &filter(&ask)?, ask.page()?).await?;
    let flat = |event: StoredEvent| {
        let internal = |error| Error::internal("events.list", error);
        let mut line = Vec::with_capacity(event.body.get().len() + 512);
        event.write_line(context.scope(), &mut line)?;
        let text = String::from_utf8(line).map_err(|error| Error::internal("events.list", error))?;
        RawValue::from_string(text).map_err(internal)
    };
    let items = page.items.into_iter().map(flat).collect::<Result<Vec<_>>>()?;
    reply::ok(&Paged { items, next: page.next })
}

/// `GET /events/export`
pub(crate) async fn export(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    if ask.query.one("format")?.is_some_and(|format| format != "jsonl") {
        return Err(Error::body("event.export", "format", "the format must be jsonl"));
    }
    let mut export = ask.engine().events().export(&context, filter(&ask)?).await?;
    // What fails before the first line is a problem like any other.
    let first = export.next().await?;
    let rest = stream::try_unfold(export, async |mut export| {
        let lines = export.next().await.inspect_err(|error| {
            tracing::warn!(code = %error.code(), error = %error, "an export broke off; its connection is cut off");
        })?;
        Ok(lines.map(|lines| (lines.into(), export)))
    });
    let body = match first {
        Some(first) => Body::pieces(futures_util::StreamExt::chain(stream::iter([Ok(first.into())]), rest)),
        None => Body::empty(),
    };
    let scope = context.scope();
    let name = format!("attachment; filename=\"events-{}-{}.jsonl\"", scope.tenant(), scope.env());
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(LINES));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = HeaderValue::try_from(name).map_err(|error| Error::internal("events.export", error))?;
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

/// The filter that the query names.
pub(crate) fn filter(ask: &Ask) -> Result<EventFilter> {
    Ok(EventFilter {
        surface: ask.text("surface")?,
        agent_id: ask.text("agent_id")?,
        trace_id: ask.text("trace_id")?,
        event_type: ask.text("type")?,
        from: ask.parsed("from")?,
        until: ask.parsed("to")?,
    })
}

/// The results of a batch, encoded as they come.
struct Results {
    text: Vec<u8>,
    /// One JSON document instead of one on each line.
    document: bool,
}

impl Results {
    fn new(headers: &HeaderMap) -> Self {
        let document = prefers_json(headers);
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

    fn reply(mut self) -> Response<Body> {
        if self.document {
            self.text.extend_from_slice(b"]}");
            return reply::text_of(StatusCode::OK, "application/json", self.text);
        }
        reply::text_of(StatusCode::OK, LINES, self.text)
    }
}

/// Whether a client would rather have one JSON document than lines (RFC 9110 section 12.5.1): it names it, and lines less or not at all.
fn prefers_json(headers: &HeaderMap) -> bool {
    let (mut json, mut lines) = (0.0_f32, 0.0_f32);
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in values.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
        match kind.as_str() {
            "application/json" => json = weight,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => lines = lines.max(weight),
            _ => {}
        }
    }
    json > lines
}
