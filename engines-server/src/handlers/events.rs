//! Dataset events.

use engines::{
    DatasetEvent, Error, RequestContext, Result,
    core::event::{EventFilter, Recorded, StoredEvent},
};
use http::Response;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{ask::Ask, body::Body, reply};

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

/// `GET /events`
pub(crate) async fn list(ask: Ask, context: RequestContext) -> Result<Response<Body>> {
    let filter = EventFilter {
        surface: ask.text("surface")?,
        agent_id: ask.text("agent_id")?,
        trace_id: ask.text("trace_id")?,
        event_type: ask.text("type")?,
        from: ask.parsed("from")?,
        until: ask.parsed("to")?,
    };
    let page = ask.engine().events().list(&context, &filter, ask.page()?).await?;
    let items = page.items.into_iter().map(|event| flat(event, &context)).collect::<Result<Vec<_>>>()?;
    reply::ok(&engines::core::nexus::Paged { items, next: page.next })
}

/// An event as its producer would know it again: what was sent stands beside what the log says of it.
fn flat(event: StoredEvent, context: &RequestContext) -> Result<Map<String, Value>> {
    let internal = |error| Error::internal("events.encode", error);
    let mut flat: Map<String, Value> = serde_json::from_str(event.body.get()).map_err(internal)?;
    let Value::Object(mut of_log) = serde_json::to_value(&event).map_err(internal)? else {
        return Err(Error::internal("events.encode", "a stored event is no object"));
    };
    of_log.remove("body");
    flat.extend(of_log);
    flat.insert("tenant_id".into(), context.scope().tenant().as_str().into());
    flat.insert("env".into(), context.scope().env().as_str().into());
    Ok(flat)
}
