//! Dataset events.

use engines::Action;

use super::row::{AFTER, LIMIT, read, text, write};
use crate::{
    handlers::events,
    routes::{Param, Route},
};

const EVENTS: &[Param] = &[
    LIMIT,
    AFTER,
    text("surface", "Only of this surface"),
    text("agent_id", "Only of this agent"),
    text("trace_id", "Only of this trace"),
    text("type", "Only of this analytics_event_type"),
    text("from", "Only recorded at or after this time"),
    text("to", "Only recorded before this time"),
];

pub(super) static ROUTES: &[Route] = &[
    write(
        "/events",
        Action::EventRecord,
        |ask, context| Box::pin(events::record(ask, context)),
        "Record a dataset event; it is scrubbed before anything else happens",
        (201, "DatasetEvent", "Recorded"),
    ),
    read(
        "/events",
        Action::EventRead,
        |ask, context| Box::pin(events::list(ask, context)),
        "List recorded events",
        EVENTS,
        "RecordedPage",
    ),
];
