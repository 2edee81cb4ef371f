//! Multiplexed streams, and presence.

use engines::Action;
use http::Method;

use super::builders::{PAGE, read};
use crate::{
    handlers::{presence, ws},
    routes::{BodyKind, Endpoint, ExtraHeaders, Route, RouteDoc, WorkClass},
};

pub(super) static ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/ws",
        endpoint: Endpoint::Action(Action::StreamOpen, |ask, context| Box::pin(ws::multiplexed(ask, context))),
        body: BodyKind::None,
        work: WorkClass::General,
        stream: true,
        doc: RouteDoc {
            summary: "Follow any number of streams over one WebSocket (engines.v1)",
            query: &[],
            request: None,
            status: 101,
            response: None,
            media_type: None,
            headers: ExtraHeaders::NONE,
        },
    },
    read(
        "/presence/{*stream}",
        Action::PresenceRead,
        |ask, context| Box::pin(presence::list(ask, context)),
        "The current followers of a stream",
        PAGE,
        "PresencePage",
    ),
];
