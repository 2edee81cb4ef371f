//! The counters of HTTP.

use std::{
    sync::{OnceLock, PoisonError, RwLock},
    time::Duration,
};

use engines::Engine;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::engine::EngineCollector;
use crate::route_info::Route;

/// The upper bounds of the buckets, in seconds: from half a millisecond to ten seconds.
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

/// The counters of one route, which are looked up by their labels only once.
#[derive(Debug)]
struct RouteCounters {
    labels: RouteLabels,
    latency: OnceLock<Histogram>,
    by_status: RwLock<Vec<(u16, Counter)>>,
}

impl RouteCounters {
    fn new(method: &'static str, route: &'static str) -> Self {
        Self { labels: RouteLabels { method, route }, latency: OnceLock::new(), by_status: RwLock::default() }
    }

    fn counter_of(&self, status: u16) -> Option<Counter> {
        let known = self.by_status.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(of, _)| *of == status).map(|(_, counter)| counter.clone())
    }
}

/// The counters of an app.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabels, Histogram, fn() -> Histogram>,
    /// The counters of each route, by its number. The last ones are for requests that match no route.
    routes: Vec<RouteCounters>,
    pub(crate) in_flight: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) streams: Gauge,
}

impl Metrics {
    /// Creates the counters of an app with these routes. Their order gives the numbers of the routes.
    pub(crate) fn new(engine: &Engine, routes: impl Iterator<Item = &'static Route>) -> Self {
        let mut registry = Registry::with_prefix("engines");
        registry.register_collector(Box::new(EngineCollector(engine.clone())));
        let requests = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        let latency =
            Family::<RouteLabels, Histogram, fn() -> Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let help = "Time from the headers of a request to those of its response";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, latency.clone());
        let gauge = |registry: &mut Registry, name, help| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let in_flight = gauge(&mut registry, "http_requests_in_flight", "Requests being answered");
        let connections = gauge(&mut registry, "http_connections", "Connections open");
        let streams = gauge(&mut registry, "streams_open", "Open SSE and WebSocket streams");
        let mut routes: Vec<_> = routes.map(|route| RouteCounters::new(method(route), route.path)).collect();
        routes.push(RouteCounters::new("", "unmatched"));
        Self { registry, requests, latency, routes, in_flight, connections, streams }
    }

    /// Counts a response of the route with this number. Requests that match no route are counted together.
    pub(crate) fn record_response(&self, route: Option<usize>, status: u16, took: Duration) {
        let Some(counts) = route.and_then(|number| self.routes.get(number)).or(self.routes.last()) else { return };
        let latency = counts.latency.get_or_init(|| self.latency.get_or_create(&counts.labels).clone());
        latency.observe(took.as_secs_f64());
        if let Some(counter) = counts.counter_of(status) {
            counter.inc();
            return;
        }
        let RouteLabels { method, route } = counts.labels;
        let counter = self.requests.get_or_create(&RequestLabels { method, route, status }).clone();
        counter.inc();
        counts.by_status.write().unwrap_or_else(PoisonError::into_inner).push((status, counter));
    }

    /// Encodes all metrics as text.
    pub(crate) fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

fn method(route: &'static Route) -> &'static str {
    route.method.as_str()
}
