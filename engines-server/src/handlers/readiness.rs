//! The readiness of the server and of its components.

use engines::{Code, Result};
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use crate::{body::Body, response, state::AppState};

/// The state of one component, as the response shows it.
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

impl From<engines::ComponentStatus> for ComponentStatus {
    fn from(component: engines::ComponentStatus) -> Self {
        Self::new(component.name, component.is_required, component.failure)
    }
}

impl ComponentStatus {
    fn new(name: impl Into<String>, required: bool, failure: Option<(Code, String)>) -> Self {
        let (code, reason) = failure.unzip();
        Self { name: name.into(), ok: code.is_none(), required, code, reason }
    }
}

/// Checks the server and every component of the engine.
pub(crate) async fn component_statuses(state: &AppState) -> Vec<ComponentStatus> {
    let stopping = state.shutdown.has_begun();
    let stopping = stopping.then(|| (Code::ShuttingDown, "the server is shutting down".to_owned()));
    let mut parts = vec![ComponentStatus::new("server", true, stopping)];
    parts.extend(state.engine.readiness().await.into_iter().map(ComponentStatus::from));
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
