//! The readiness of an engine and its components.

use std::time::Duration;

use engines_core::{Code, Error, Store};
use engines_storage::outbox::OutboxStatus;
use tokio::time::timeout;

/// How long the store may take to respond. Load balancers end a check after a few seconds.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// The state of a component of an engine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ComponentStatus {
    /// The name: `store`, or `sink:` with the name of the sink.
    pub name: String,
    /// Whether the engine is ready only while this component is.
    pub is_required: bool,
    /// The code and the reason of the failure. `None` if the component works.
    pub failure: Option<(Code, String)>,
}

/// Checks the store and the sinks. A sink that fails does not make the engine unready, because its events wait in the
/// store.
pub(crate) async fn check(store: &dyn Store, sinks: Vec<OutboxStatus>) -> Vec<ComponentStatus> {
    let failed = |error: Error| (error.code(), error.detail().to_owned());
    let failure = match timeout(STORE_TIMEOUT, store.health()).await {
        Ok(health) => health.err().map(failed),
        Err(_) => Some((Code::BackendUnavailable, "the store does not respond".to_owned())),
    };
    let store = ComponentStatus { name: "store".to_owned(), is_required: true, failure };
    let sinks = sinks.into_iter().map(|sink| {
        let failure = (sink.failing > 0).then(|| {
            let code = sink.last_failure.unwrap_or(Code::BackendUnavailable);
            (code, format!("{} consecutive attempts have failed; events wait in the store", sink.failing))
        });
        ComponentStatus { name: format!("sink:{}", sink.sink), is_required: false, failure }
    });
    std::iter::once(store).chain(sinks).collect()
}
