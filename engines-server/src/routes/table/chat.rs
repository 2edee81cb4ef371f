//! Threads and messages.

use engines::Action;

use super::builders::{PAGE, read, stream, write};
use crate::{
    handlers::{chat, sse, ws},
    routes::RouteEntry,
};

pub(super) static ROUTES: &[RouteEntry] = &[
    write(
        "/chat/threads",
        Action::ChatThreadCreate,
        |parts, context| Box::pin(chat::create(parts, context)),
        "Start a thread",
        (201, "NewThread", "Thread"),
    ),
    read(
        "/chat/threads",
        Action::ChatThreadRead,
        |parts, context| Box::pin(chat::list(parts, context)),
        "List threads",
        PAGE,
        "ThreadPage",
    ),
    read(
        "/chat/threads/{id}",
        Action::ChatThreadRead,
        |parts, context| Box::pin(chat::read(parts, context)),
        "Get a thread",
        &[],
        "Thread",
    ),
    write(
        "/chat/threads/{id}/messages",
        Action::ChatMessagePost,
        |parts, context| Box::pin(chat::post(parts, context)),
        "Post a message; responds once it is durable",
        (201, "NewMessage", "Envelope"),
    ),
    read(
        "/chat/threads/{id}/events",
        Action::ChatFollow,
        |parts, context| Box::pin(chat::events(parts, context)),
        "The log of a thread, in pages",
        PAGE,
        "EnvelopePage",
    ),
    write(
        "/sse/chat/{id}",
        Action::ChatMessagePost,
        |parts, context| Box::pin(chat::post(parts, context)),
        "Post a message; responds once it is durable",
        (201, "NewMessage", "Envelope"),
    ),
    stream(
        "/sse/chat/{id}",
        Action::ChatFollow,
        |parts, context| Box::pin(sse::chat(parts, context)),
        "Follow a thread as server-sent events",
        (200, engines::stream::sse::CONTENT_TYPE),
    ),
    stream(
        "/ws/chat/{id}",
        Action::ChatFollow,
        |parts, context| Box::pin(ws::chat(parts, context)),
        "Follow a thread, and post messages, over WebSocket (engines.v1)",
        (101, ""),
    ),
];
