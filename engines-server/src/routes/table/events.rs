//! Dataset events.

use engines::Action;
use http::Method;

use super::builders::{AFTER, LIMIT, read, route, text_param, write};
use crate::{
    handlers::{events, train_prefs},
    media_types,
    route_info::{BodyKind, QueryParam},
    routes::{Endpoint, RouteEntry},
};

const SURFACE: QueryParam = text_param("surface", "Only of this surface");
const AGENT: QueryParam = text_param("agent_id", "Only of this agent");
const TRACE: QueryParam = text_param("trace_id", "Only of this trace");
const TYPE: QueryParam = text_param("type", "Only of this analytics_event_type");
const FROM: QueryParam = text_param("from", "Only recorded at or after this time");
const TO: QueryParam = text_param("to", "Only recorded before this time");
const EVENTS: &[QueryParam] = &[LIMIT, AFTER, SURFACE, AGENT, TRACE, TYPE, FROM, TO];
pub(super) const FILTER: &[QueryParam] = &[SURFACE, AGENT, TRACE, TYPE, FROM, TO];
const EXPORT: &[QueryParam] = &[text_param("format", "`jsonl`, also if absent"), SURFACE, AGENT, TRACE, TYPE, FROM, TO];

pub(super) static ROUTES: &[RouteEntry] = &[
    write(
        "/events",
        Action::EventRecord,
        |parts, context| Box::pin(events::record(parts, context)),
        "Record a dataset event; it is scrubbed before any other step",
        (201, "DatasetEvent", "Recorded"),
    ),
    read(
        "/events",
        Action::EventRead,
        |parts, context| Box::pin(events::list(parts, context)),
        "List recorded events",
        EVENTS,
        "RecordedPage",
    ),
    route(
        Method::POST,
        "/events/batch",
        Endpoint::Action(Action::EventRecordBatch, |parts, context| Box::pin(events::record_batch(parts, context))),
        "Record many dataset events, one on each line; a result for each line, in order, once all of them are durable",
        &[],
        (BodyKind::Lines, Some("DatasetEvent")),
        (200, Some("LineResult")),
    )
    .with_media_type(media_types::NDJSON),
    route(
        Method::GET,
        "/events/export",
        Endpoint::Action(Action::EventExport, |parts, context| Box::pin(events::export(parts, context))),
        "Export the events that may be used for training now, one on each line; if the connection is cut off, events are missing",
        EXPORT,
        (BodyKind::None, None),
        (200, Some("RecordedEvent")),
    )
    .with_media_type(media_types::NDJSON)
    .with_headers(&[], &["Content-Disposition"]),
    read(
        "/privacy/train-prefs",
        Action::TrainPrefsRead,
        |parts, context| Box::pin(train_prefs::read(parts, context)),
        "The training preferences of the tenant and of the caller, and the effective one",
        &[],
        "TrainPrefs",
    ),
    write(
        "/privacy/train-prefs/tenant",
        Action::TrainPrefsManage,
        |parts, context| Box::pin(train_prefs::set_tenant(parts, context)),
        "Set whether the tenant's events may be used for training, for users without a preference",
        (200, "TenantTrainPref", "TrainPref"),
    ),
    write(
        "/privacy/train-prefs/user",
        Action::TrainPrefsSet,
        |parts, context| Box::pin(train_prefs::set_user(parts, context)),
        "Set whether the caller's events may be used for training, whatever the tenant's preference",
        (200, "UserTrainPref", "TrainPref"),
    ),
    route(
        Method::DELETE,
        "/privacy/train-prefs/tenant",
        Endpoint::Action(Action::TrainPrefsManage, |parts, context| Box::pin(train_prefs::unset_tenant(parts, context))),
        "Remove the training preference of the tenant",
        &[],
        (BodyKind::None, None),
        (204, None),
    ),
    route(
        Method::DELETE,
        "/privacy/train-prefs/user",
        Endpoint::Action(Action::TrainPrefsSet, |parts, context| Box::pin(train_prefs::unset_user(parts, context))),
        "Remove the training preference of the caller, so that the tenant's applies",
        &[],
        (BodyKind::None, None),
        (204, None),
    ),
];
