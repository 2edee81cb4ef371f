//! The server itself: its name, health, description and metrics.

use http::Method;

use super::builders::{public, route};
use crate::{
    handlers::service,
    media_types,
    route_info::BodyKind,
    routes::{Endpoint, RouteEntry},
};

pub(super) static ROUTES: &[RouteEntry] = &[
    public("/", |ask| Box::pin(service::root(ask)), "Name, version and links", Some("Root")),
    public("/healthz", |ask| Box::pin(service::healthz(ask)), "The process runs", Some("Status")),
    public("/readyz", |ask| Box::pin(service::readyz(ask)), "The backends respond", Some("Status")),
    public("/openapi.json", |ask| Box::pin(service::openapi(ask)), "This description", None),
    route(
        Method::GET,
        "/metrics",
        Endpoint::Operator(|ask, _| Box::pin(service::metrics(ask))),
        "Metrics in the OpenMetrics text format",
        &[],
        (BodyKind::None, None),
        (200, None),
    )
    .with_media_type(media_types::OPENMETRICS),
];
