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
        "Get a thread",
        &[],
        "Thread",
    ),
    write(
        "/chat/threads/{id}/messages",
        Action::ChatMessagePost,
        |ask, context| Box::pin(chat::post(ask, context)),
        "Post a message; responds once it is durable",
        (201, "NewMessage", "Envelope"),
    ),
    read(
        "/chat/threads/{id}/events",
        Action::ChatFollow,
        |ask, context| Box::pin(chat::events(ask, context)),
        "The log of a thread, in pages",
        PAGE,
        "EnvelopePage",
    ),
    write(
        "/sse/chat/{id}",
        Action::ChatMessagePost,
        |ask, context| Box::pin(chat::post(ask, context)),
        "Post a message; responds once it is durable",
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
        "/ws/chat/{id}",
        Action::ChatFollow,
        |ask, context| Box::pin(ws::chat(ask, context)),
        "Follow a thread, and post messages, over WebSocket (engines.v1)",
        (101, ""),
    ),
];
