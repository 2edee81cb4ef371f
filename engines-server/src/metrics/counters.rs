//! The server's own counters.

use std::time::Duration;

use engines::Engine;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::engine::EngineCollector;
use crate::routes::Route;

/// The media type of the text form.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds, from half a millisecond to ten.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: &'static str,
    status: u16,
}

/// The counters of one app.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabels, Histogram, fn() -> Histogram>,
    pub(crate) in_flight: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) streams: Gauge,
}

impl Metrics {
    pub(crate) fn new(engine: &Engine) -> Self {
        let mut registry = Registry::with_prefix("engines");
        registry.register_collector(Box::new(EngineCollector(engine.clone())));
        let requests = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        let latency =
            Family::<RouteLabels, Histogram, fn() -> Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let help = "From a request's headers to its answer's";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, latency.clone());
        let gauge = |registry: &mut Registry, name, help| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let in_flight = gauge(&mut registry, "http_requests_in_flight", "Requests being answered");
        let connections = gauge(&mut registry, "http_connections", "Connections open");
        let streams = gauge(&mut registry, "streams_open", "SSE and WebSocket streams open");
        Self { registry, requests, latency, in_flight, connections, streams }
    }

    /// Counts an answer; requests that meet no route count under one name.
    pub(crate) fn answered(&self, route: Option<&'static Route>, status: u16, took: Duration) {
        let (method, path) = route.map_or(("", "unmatched"), |route| (method(route), route.path));
        self.requests.get_or_create(&RequestLabels { method, route: path, status }).inc();
        self.latency.get_or_create(&RouteLabels { method, route: path }).observe(took.as_secs_f64());
    }

    /// All of them as text.
    pub(crate) fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

fn method(route: &'static Route) -> &'static str {
    route.method.as_str()
}

/// Raises a gauge as long as it lives.
#[derive(Debug)]
pub(crate) struct Held(Gauge);

impl Held {
    pub(crate) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}
