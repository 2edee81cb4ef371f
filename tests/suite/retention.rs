//! Retention, deletion, the removal of tenants and the audit log, in process.
#![expect(clippy::unwrap_used, reason = "tests")]

mod deletion;
mod policies;
mod purge;

use std::time::Duration;

use engines::{
    Engine, EngineBuilder, IdGenerator, RequestContext, Role,
    auth::{RootKey, SigningSecret},
    core::testing::{ManualClock, context},
    storage::retention::{NewRetentionPolicy, RetentionPolicy, RetentionSettings},
};
use serde_json::json;

pub(crate) const DAY: u64 = 24 * 3600;

pub(crate) fn settings() -> RetentionSettings {
    // No background worker: the tests run the passes.
    RetentionSettings { every_s: 0, step_items: 3, step_pause_ms: 0, ..RetentionSettings::default() }
}

pub(crate) fn builder(clock: &ManualClock) -> EngineBuilder {
    Engine::builder()
        .clock(clock.clone())
        .root_key(RootKey::random(&IdGenerator::seeded(1)))
        .signing_secret(SigningSecret::new("an even longer secret for tests only").unwrap())
        .retention(settings())
}

/// The same engine with a store in memory and with a file.
pub(crate) async fn engines(clock: &ManualClock) -> Vec<(Engine, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let file = builder(clock).sqlite(folder.path().join("engines.db")).build().await.unwrap();
    vec![(builder(clock).memory().build().await.unwrap(), None), (file, Some(folder))]
}

pub(crate) fn person(name: &str, role: Role) -> RequestContext {
    context("t_acme", name, role).unwrap()
}

pub(crate) fn days(count: u64) -> Duration {
    Duration::from_secs(count * DAY)
}

pub(crate) fn new(policy: RetentionPolicy) -> NewRetentionPolicy {
    NewRetentionPolicy { version: None, policy }
}

pub(crate) fn event(n: u64) -> engines::DatasetEvent {
    serde_json::from_value(json!({ "surface": "desk", "agent_id": "a", "input": { "n": n }, "output": {} })).unwrap()
}
