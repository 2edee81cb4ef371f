//! Canvases.

use engines::Action;

use super::builders::{AFTER, LIMIT, number_param, read, stream, write};
use crate::{
    handlers::{canvas, sse, ws},
    routes::RouteEntry,
};

pub(super) static ROUTES: &[RouteEntry] = &[
    stream(
        "/sse/canvas/{id}",
        Action::CanvasFollow,
        |parts, context| Box::pin(sse::canvas(parts, context)),
        "Follow a canvas as server-sent events",
        (200, engines::stream::sse::CONTENT_TYPE),
    ),
    stream(
        "/ws/canvas/{id}",
        Action::CanvasFollow,
        |parts, context| Box::pin(ws::canvas(parts, context)),
        "Follow a canvas, and send gestures, over WebSocket (engines.v1)",
        (101, ""),
    ),
    write(
        "/canvas",
        Action::CanvasCreate,
        |parts, context| Box::pin(canvas::create(parts, context)),
        "Make a canvas",
        (201, "NewCanvas", "Canvas"),
    ),
    read(
        "/canvas/{id}",
        Action::CanvasRead,
        |parts, context| Box::pin(canvas::read(parts, context)),
        "Get a canvas",
        &[],
        "Canvas",
    ),
    write(
        "/canvas/{id}/commands",
        Action::CanvasCommand,
        |parts, context| Box::pin(canvas::command(parts, context)),
        "Edit a canvas; all ops are applied or none; responds once the edit is durable",
        (200, "Command", "CommandAnswer"),
    ),
    read(
        "/canvas/{id}/snapshot",
        Action::CanvasRead,
        |parts, context| Box::pin(canvas::snapshot(parts, context)),
        "The state of a canvas and its hash",
        &[number_param("rev", "The revision; the head if absent")],
        "Snapshot",
    ),
    read(
        "/canvas/{id}/commits",
        Action::CanvasRead,
        |parts, context| Box::pin(canvas::commits(parts, context)),
        "The commits of a canvas, in pages",
        &[LIMIT, number_param("after_rev", "Only commits after this revision"), AFTER],
        "CommitPage",
    ),
    read(
        "/canvas/{id}/replay",
        Action::CanvasRead,
        |parts, context| Box::pin(canvas::replay(parts, context)),
        "Keyframes and commits, to replay the history of a canvas",
        &[number_param("from_rev", "From this revision"), number_param("to_rev", "To this revision")],
        "Replay",
    ),
    write(
        "/canvas/{id}/gestures",
        Action::CanvasGesture,
        |parts, context| Box::pin(canvas::gesture(parts, context)),
        "Send a gesture to current followers; it is not stored",
        (202, "Gesture", "Shown"),
    ),
];
