//! Multiplexed streams, and presence.

use engines::Action;
use http::Method;

use super::builders::{PAGE, read, route};
use crate::{
    handlers::{presence, ws},
    route_info::BodyKind,
    routes::{Endpoint, RouteEntry},
};

pub(super) static ROUTES: &[RouteEntry] = &[
    route(
        Method::GET,
        "/ws",
        Endpoint::Action(Action::StreamOpen, |parts, context| Box::pin(ws::multiplexed(parts, context))),
        "Follow any number of streams over one WebSocket (engines.v1)",
        &[],
        (BodyKind::None, None),
        (101, None),
    )
    .with_stream(),
    read(
        "/presence/{*stream}",
        Action::PresenceRead,
        |parts, context| Box::pin(presence::list(parts, context)),
        "The current followers of a stream",
        PAGE,
        "PresencePage",
    ),
];
