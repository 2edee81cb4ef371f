//! The state that all requests of an app share: the engine, and what HTTP needs beside it.

use std::sync::Arc;

use bytes::Bytes;
use engines::Engine;

use crate::{limits::Budgets, metrics::Metrics, settings::HttpSettings, shutdown::Shutdown, throttle::RequestThrottle};

/// The state that all requests of an app share.
pub(crate) struct AppState {
    pub(crate) engine: Engine,
    pub(crate) settings: HttpSettings,
    pub(crate) metrics: Metrics,
    /// The OpenAPI document, serialized once.
    pub(crate) openapi: Bytes,
    /// The rows of the root page's table of routes.
    pub(crate) route_rows: String,
    pub(crate) shutdown: Shutdown,
    pub(crate) throttle: Option<Arc<dyn RequestThrottle>>,
    pub(crate) budgets: Budgets,
}
