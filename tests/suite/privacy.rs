//! Policies on several nodes, and policies that cannot be read.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use engines::{
    Code, DatasetEvent, Engine, IdGenerator, RequestContext, Role,
    core::DocId,
    core::{
        nexus::{Batch, DocumentKind, Expect, NewDocument, PageRequest, Store},
        pii::{Operator, PiiKey, Policy, Scrubber},
        testing::{self, ManualClock},
    },
    storage::{
        MemoryStore, Operation,
        event_log::privacy::{NewPolicy, PrivacyPolicies, RedactRequest},
        fault_injection::{Fault, Faults, Faulty},
    },
};
use serde_json::json;

struct Nodes {
    store: Arc<MemoryStore>,
    faults: Faults,
    clock: ManualClock,
    first: Engine,
    second: Engine,
}

async fn nodes() -> Nodes {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::new(&IdGenerator::seeded(7)));
    let scrubber = || Scrubber::default().with_key(PiiKey::new(*b"0123456789abcdef"));
    let here = Engine::builder().store(store.clone()).clock(clock.clone()).scrubber(scrubber()).build().await.unwrap();
    let faulty = Arc::new(Faulty::new(store.clone()));
    let faults = faulty.faults().clone();
    let there = Engine::builder().store(faulty).clock(clock.clone()).scrubber(scrubber()).build().await.unwrap();
    Nodes { store, faults, clock, first: here, second: there }
}

fn admin() -> RequestContext {
    testing::context("t_acme", "root", Role::Admin).unwrap()
}

fn policy_denying(term: &str) -> NewPolicy {
    NewPolicy { version: None, policy: Policy { deny: vec![term.into()], ..Policy::default() } }
}

async fn redacted_text(engine: &Engine, text: &str) -> engines::Result<String> {
    let request = RedactRequest { text: Some(text.into()), ..RedactRequest::default() };
    Ok(engine.privacy().redact(&admin(), request).await?.text.unwrap())
}

fn event() -> DatasetEvent {
    let event = json!({ "surface": "s", "agent_id": "a", "input": { "t": "Nightfall" }, "output": {} });
    serde_json::from_value(event).unwrap()
}

#[tokio::test]
async fn a_policy_change_reaches_other_nodes_within_seconds() {
    let nodes = nodes().await;
    assert_eq!(redacted_text(&nodes.second, "Nightfall").await.unwrap(), "Nightfall");
    nodes.first.privacy().set_policy(&admin(), policy_denying("Nightfall")).await.unwrap();
    assert_eq!(redacted_text(&nodes.first, "Nightfall").await.unwrap(), "[DENY_LIST]");
    assert_eq!(redacted_text(&nodes.second, "Nightfall").await.unwrap(), "Nightfall");
    assert!(PrivacyPolicies::TTL <= Duration::from_secs(5));
    nodes.clock.advance(PrivacyPolicies::TTL);
    assert_eq!(redacted_text(&nodes.second, "Nightfall").await.unwrap(), "[DENY_LIST]");
    // While the cached policy is fresh, the store is not read.
    let asked = nodes.faults.calls(Operation::Get);
    redacted_text(&nodes.second, "Nightfall").await.unwrap();
    assert_eq!(nodes.faults.calls(Operation::Get), asked);
}

#[tokio::test]
async fn of_concurrent_versioned_policy_changes_one_wins() {
    let nodes = nodes().await;
    nodes.first.privacy().set_policy(&admin(), policy_denying("a")).await.unwrap();
    let change = |engine: &Engine| {
        let (engine, new) = (engine.clone(), NewPolicy { version: Some(1), ..policy_denying("b") });
        async move { engine.privacy().set_policy(&admin(), new).await }
    };
    let (first, second) = tokio::join!(change(&nodes.first), change(&nodes.second));
    let refused = [first, second].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].code(), refused[0].member("version")), (Code::VersionMismatch, Some(&json!(2))));
}

/// A change without a version replaces any policy, including one that was set a moment before.
#[tokio::test]
async fn concurrent_policy_changes_without_a_version_all_succeed() {
    let nodes = nodes().await;
    let changes = (0..8).map(|n| {
        let engine = if n % 2 == 0 { nodes.first.clone() } else { nodes.second.clone() };
        async move { engine.privacy().set_policy(&admin(), policy_denying("b")).await.map(|set| set.version) }
    });
    let mut versions: Vec<_> = futures_util::future::try_join_all(changes).await.unwrap();
    versions.sort_unstable();
    assert_eq!(versions, (1..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_unreadable_policy_blocks_recording() {
    let nodes = nodes().await;
    nodes.second.events().record(&admin(), event()).await.unwrap();
    nodes.clock.advance(PrivacyPolicies::TTL);
    nodes.faults.set_for_all(Operation::Get, Some(Fault::BeforeEffect));
    let refused = nodes.second.events().record(&admin(), event()).await.unwrap_err();
    assert_eq!(refused.code(), Code::BackendUnavailable);
    assert_eq!(redacted_text(&nodes.second, "x").await.unwrap_err().code(), Code::BackendUnavailable);
    nodes.faults.set_for_all(Operation::Get, None);

    // A policy of a later version of this library, which this version does not understand.
    let scope = admin().scope().clone();
    let strange = NewDocument::new(
        DocumentKind::from_static("privacy_policy"),
        DocId::new("policy").unwrap(),
        &json!({ "default": "mask", "entities": { "LATER_ENTITY": { "operator": "drop" } } }),
    );
    let batch = Batch::new(Default::default()).put(strange.unwrap(), Expect::Any);
    nodes.store.commit(&scope, batch).await.unwrap();
    assert_eq!(nodes.second.events().record(&admin(), event()).await.unwrap_err().code(), Code::Internal);
    let stored = nodes.store.events(&scope, &Default::default(), PageRequest::first(10)).await.unwrap();
    assert_eq!(stored.items.len(), 1);
}

#[tokio::test]
async fn a_tenant_policy_cannot_allow_what_the_deployment_denies() {
    let policy = Policy { deny: vec!["Nightfall".into()], default: Operator::Drop, ..Policy::default() };
    let scrubber = Scrubber::builder().policy(policy).build().unwrap();
    let engine = Engine::builder().memory().scrubber(scrubber).build().await.unwrap();
    engine.privacy().set_policy(&admin(), policy_denying("Daybreak")).await.unwrap();
    assert_eq!(redacted_text(&engine, "Nightfall and Daybreak").await.unwrap(), "[DENY_LIST] and [DENY_LIST]");
    let context = testing::context("t_other", "root", Role::Member).unwrap();
    let recorded = engine.events().record(&context, event()).await.unwrap();
    assert_eq!(recorded.pii_flags.total(), 1);
}
