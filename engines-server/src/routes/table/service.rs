//! The server itself: its name, health, description and metrics.

use http::Method;

use super::builders::public;
use crate::{
    handlers::service,
    metrics,
    routes::{BodyKind, Endpoint, ExtraHeaders, Route, RouteDoc, WorkClass},
};

pub(super) static ROUTES: &[Route] = &[
    public("/", |ask| Box::pin(service::root(ask)), "Name, version and links", Some("Root")),
    public("/healthz", |ask| Box::pin(service::healthz(ask)), "The process lives", Some("Status")),
    public("/readyz", |ask| Box::pin(service::readyz(ask)), "The backends answer", Some("Status")),
    public("/openapi.json", |ask| Box::pin(service::openapi(ask)), "This description", None),
    Route {
        method: Method::GET,
        path: "/metrics",
        endpoint: Endpoint::Operator(|ask, _| Box::pin(service::metrics(ask))),
        body: BodyKind::None,
        work: WorkClass::General,
        stream: false,
        doc: RouteDoc {
            summary: "Metrics in the OpenMetrics text format",
            query: &[],
            request: None,
            status: 200,
            response: None,
            media_type: Some(metrics::MEDIA_TYPE),
            headers: ExtraHeaders::NONE,
        },
    },
];
