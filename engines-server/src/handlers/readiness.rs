//! The readiness of the server and of its components.

use std::time::Duration;

use engines::{Code, Error, Result};
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use crate::{body::Body, response, state::AppState};

/// How long the store may take to respond. Load balancers end a check after a few seconds.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// The state of one component.
#[derive(Debug, Serialize)]
pub(crate) struct ComponentStatus {
    name: String,
    ok: bool,
    /// Whether the server is ready only while this component is.
    required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl ComponentStatus {
    fn new(name: impl Into<String>, required: bool, failure: Option<(Code, String)>) -> Self {
        let (code, reason) = failure.unzip();
        Self { name: name.into(), ok: code.is_none(), required, code, reason }
    }
}

/// Checks every component. A sink that fails does not make the server unready, because its events wait in the store.
pub(crate) async fn component_statuses(state: &AppState) -> Vec<ComponentStatus> {
    let stopping = state.shutdown.has_begun();
    let stopping = stopping.then(|| (Code::ShuttingDown, "the server is shutting down".to_owned()));
    let mut parts = vec![ComponentStatus::new("server", true, stopping)];
    let failed = |error: Error| (error.code(), error.detail().to_owned());
    let store = match timeout(STORE_TIMEOUT, state.engine.store().health()).await {
        Ok(health) => health.err().map(failed),
        Err(_) => Some((Code::BackendUnavailable, "the store does not respond".to_owned())),
    };
    parts.push(ComponentStatus::new("store", true, store));
    parts.extend(state.engine.sinks().into_iter().map(|sink| {
        let failing = (sink.failing > 0).then(|| {
            let code = sink.last_failure.unwrap_or(Code::BackendUnavailable);
            (code, format!("{} consecutive attempts have failed; events wait in the store", sink.failing))
        });
        ComponentStatus::new(format!("sink:{}", sink.sink), false, failing)
    }));
    parts
}

/// Responds with 200 when every required component is ready, and else with 503. Both list all components.
pub(crate) fn to_response(parts: &[ComponentStatus]) -> Result<Response<Body>> {
    let failed: Vec<_> = parts.iter().filter(|part| part.required && !part.ok).map(|part| &part.name).collect();
    if failed.is_empty() {
        return response::ok(&json!({ "status": "ready", "parts": parts }));
    }
    let body = json!({ "status": "not_ready", "failed": failed, "parts": parts });
    let mut response = response::json(StatusCode::SERVICE_UNAVAILABLE, &body)?;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    Ok(response)
}
