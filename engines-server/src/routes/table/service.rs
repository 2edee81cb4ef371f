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
    public("/", |parts| Box::pin(service::root(parts)), "Name, version and links", Some("Root")),
    public("/healthz", |parts| Box::pin(service::healthz(parts)), "The process runs", Some("Status")),
    public("/readyz", |parts| Box::pin(service::readyz(parts)), "The backends respond", Some("Status")),
    public("/openapi.json", |parts| Box::pin(service::openapi(parts)), "This description", None),
    route(
        Method::GET,
        "/metrics",
        Endpoint::Operator(|parts, _| Box::pin(service::metrics(parts))),
        "Metrics in the OpenMetrics text format",
        &[],
        (BodyKind::None, None),
        (200, None),
    )
    .with_media_type(media_types::OPENMETRICS),
];
