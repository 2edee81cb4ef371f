//! The table.

use engines::Action;
use http::Method;

use super::{Answer, BodyKind, Doc, Endpoint, Param, Route};
use crate::{
    ask::Ask,
    handlers::{canvas, chat, events, presence, service, sse, ws},
    metrics,
};
use engines::RequestContext;

type Handler = fn(Ask, RequestContext) -> Answer;

const LIMIT: Param = Param { name: "limit", number: true, text: "Items at the most, from 1 to 500; 50 if absent" };
const AFTER: Param = Param { name: "after", number: false, text: "The `next` of the page before" };
const PAGE: &[Param] = &[LIMIT, AFTER];

const fn text(name: &'static str, text: &'static str) -> Param {
    Param { name, number: false, text }
}

const fn number(name: &'static str, text: &'static str) -> Param {
    Param { name, number: true, text }
}

const FOLLOW: &[Param] = &[
    text("cursor", "Resume behind this cursor; `Last-Event-ID` does the same and wins"),
    text("from", "`start` for the whole log, `live` (as if absent) for what comes"),
    text("channels", "Of commits, artifacts, gestures; commits,artifacts if absent"),
];

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

/// Every route.
pub static ROUTES: &[Route] = &[
    public("/", |ask| Box::pin(service::root(ask)), "Name, version and links", Some("Root")),
    public("/healthz", |ask| Box::pin(service::healthz(ask)), "The process lives", Some("Status")),
    public("/readyz", |ask| Box::pin(service::readyz(ask)), "The backends answer", Some("Status")),
    public("/openapi.json", |ask| Box::pin(service::openapi(ask)), "This description", None),
    Route {
        method: Method::GET,
        path: "/metrics",
        endpoint: Endpoint::Operator(|ask| Box::pin(service::metrics(ask))),
        body: BodyKind::None,
        stream: false,
        doc: Doc {
            summary: "Counters in the OpenMetrics text form",
            query: &[],
            request: None,
            status: 200,
            response: None,
            media_type: Some(metrics::MEDIA_TYPE),
        },
    },
    write(
        "/chat/threads",
        Action::ChatThreadCreate,
        |ask, context| Box::pin(chat::create(ask, context)),
        "Start a thread",
        (201, "NewThread", "Thread"),
    ),
    read(
        "/chat/threads",
        Action::ChatThreadRead,
        |ask, context| Box::pin(chat::list(ask, context)),
        "List threads",
        PAGE,
        "ThreadPage",
    ),
    read(
        "/chat/threads/{id}",
        Action::ChatThreadRead,
        |ask, context| Box::pin(chat::read(ask, context)),
        "Look at a thread",
        &[],
        "Thread",
    ),
    write(
        "/chat/threads/{id}/messages",
        Action::ChatMessagePost,
        |ask, context| Box::pin(chat::post(ask, context)),
        "Say something; answered when it is durable",
        (201, "NewMessage", "Envelope"),
    ),
    read(
        "/chat/threads/{id}/events",
        Action::ChatFollow,
        |ask, context| Box::pin(chat::events(ask, context)),
        "A thread's log, a page at a time",
        PAGE,
        "EnvelopePage",
    ),
    write(
        "/sse/chat/{id}",
        Action::ChatMessagePost,
        |ask, context| Box::pin(chat::post(ask, context)),
        "Say something; answered when it is durable",
        (201, "NewMessage", "Envelope"),
    ),
    stream(
        "/sse/chat/{id}",
        Action::ChatFollow,
        |ask, context| Box::pin(sse::chat(ask, context)),
        "Follow a thread as server-sent events",
        (200, engines::stream::sse::CONTENT_TYPE),
    ),
    stream(
        "/sse/canvas/{id}",
        Action::CanvasFollow,
        |ask, context| Box::pin(sse::canvas(ask, context)),
        "Follow a canvas as server-sent events",
        (200, engines::stream::sse::CONTENT_TYPE),
    ),
    stream(
        "/ws/chat/{id}",
        Action::ChatFollow,
        |ask, context| Box::pin(ws::chat(ask, context)),
        "Follow a thread, and talk in it, over WebSocket (engines.v1)",
        (101, ""),
    ),
    stream(
        "/ws/canvas/{id}",
        Action::CanvasFollow,
        |ask, context| Box::pin(ws::canvas(ask, context)),
        "Follow a canvas, and gesture on it, over WebSocket (engines.v1)",
        (101, ""),
    ),
    Route {
        method: Method::GET,
        path: "/ws",
        endpoint: Endpoint::Action(Action::StreamOpen, |ask, context| Box::pin(ws::any(ask, context))),
        body: BodyKind::None,
        stream: true,
        doc: Doc {
            summary: "Follow any number of streams over one WebSocket (engines.v1)",
            query: &[],
            request: None,
            status: 101,
            response: None,
            media_type: None,
        },
    },
    write(
        "/canvas",
        Action::CanvasCreate,
        |ask, context| Box::pin(canvas::create(ask, context)),
        "Make a canvas",
        (201, "NewCanvas", "Canvas"),
    ),
    read(
        "/canvas/{id}",
        Action::CanvasRead,
        |ask, context| Box::pin(canvas::read(ask, context)),
        "Look at a canvas",
        &[],
        "Canvas",
    ),
    write(
        "/canvas/{id}/commands",
        Action::CanvasCommand,
        |ask, context| Box::pin(canvas::command(ask, context)),
        "Edit a canvas: all ops or none; answered when it is durable",
        (200, "Command", "CommandAnswer"),
    ),
    read(
        "/canvas/{id}/snapshot",
        Action::CanvasRead,
        |ask, context| Box::pin(canvas::snapshot(ask, context)),
        "A canvas's state and its hash",
        &[number("rev", "At this revision; the head if absent")],
        "Snapshot",
    ),
    read(
        "/canvas/{id}/commits",
        Action::CanvasRead,
        |ask, context| Box::pin(canvas::commits(ask, context)),
        "A canvas's commits, a page at a time",
        &[LIMIT, number("after_rev", "Only after this revision"), AFTER],
        "CommitPage",
    ),
    read(
        "/canvas/{id}/replay",
        Action::CanvasRead,
        |ask, context| Box::pin(canvas::replay(ask, context)),
        "Keyframes and commits, to play a canvas's history",
        &[number("from_rev", "From this revision"), number("to_rev", "To this revision")],
        "Replay",
    ),
    write(
        "/canvas/{id}/gestures",
        Action::CanvasGesture,
        |ask, context| Box::pin(canvas::gesture(ask, context)),
        "Show a gesture to those who are there; it is not kept",
        (202, "Gesture", "Shown"),
    ),
    read(
        "/presence/{*stream}",
        Action::PresenceRead,
        |ask, context| Box::pin(presence::list(ask, context)),
        "Who is here now",
        PAGE,
        "PresencePage",
    ),
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

const fn public(
    path: &'static str,
    handler: fn(Ask) -> Answer,
    summary: &'static str,
    response: Option<&'static str>,
) -> Route {
    let doc = Doc { summary, query: &[], request: None, status: 200, response, media_type: None };
    Route { method: Method::GET, path, endpoint: Endpoint::Public(handler), body: BodyKind::None, stream: false, doc }
}

const fn read(
    path: &'static str,
    action: Action,
    handler: Handler,
    summary: &'static str,
    query: &'static [Param],
    response: &'static str,
) -> Route {
    let doc = Doc { summary, query, request: None, status: 200, response: Some(response), media_type: None };
    let endpoint = Endpoint::Action(action, handler);
    Route { method: Method::GET, path, endpoint, body: BodyKind::None, stream: false, doc }
}

const fn write(
    path: &'static str,
    action: Action,
    handler: Handler,
    summary: &'static str,
    (status, request, response): (u16, &'static str, &'static str),
) -> Route {
    let doc = Doc { summary, query: &[], request: Some(request), status, response: Some(response), media_type: None };
    let endpoint = Endpoint::Action(action, handler);
    Route { method: Method::POST, path, endpoint, body: BodyKind::Json, stream: false, doc }
}

const fn stream(
    path: &'static str,
    action: Action,
    handler: Handler,
    summary: &'static str,
    (status, media_type): (u16, &'static str),
) -> Route {
    let doc = Doc { summary, query: FOLLOW, request: None, status, response: None, media_type: Some(media_type) };
    let endpoint = Endpoint::Action(action, handler);
    Route { method: Method::GET, path, endpoint, body: BodyKind::None, stream: true, doc }
}
