//! Sends canaries of every entity to every input. None may appear unchanged in any output. `docs/sinks.md` lists inputs
//! and outputs.
#![expect(clippy::unwrap_used, reason = "tests")]

mod canaries;
mod fixture;
mod inputs;
mod outputs;
mod process;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use engines::core::pii::{EntityRule, Policy};

use crate::{canaries::Canary, fixture::World, outputs::Catcher};

#[tokio::test]
async fn no_canary_reaches_any_output_unscrubbed() {
    let canaries = canaries::all();
    let world = World::open(canaries::policy()).await;
    let mut out = inputs::everything(&world, &canaries).await;
    out.extend(world.ways_out().await);
    let names: BTreeSet<_> = out.iter().map(|(name, _)| name.as_str()).collect();
    for name in outputs::LISTED {
        assert!(names.contains(name), "the way out {name} is listed and was not looked at");
    }
    let caught = Catcher::new(&canaries).caught(&out);
    assert!(caught.is_empty(), "{caught:#?}");
}

/// The same with mailboxes allowed in the policy: every output that shows events must show them. Otherwise the test
/// above could not fail.
#[tokio::test]
async fn the_check_finds_an_unscrubbed_canary_in_every_output() {
    let left = EntityRule { enabled: false, ..EntityRule::default() };
    let entities = [("EMAIL_ADDRESS".to_owned(), left)].into_iter().collect();
    let world = World::open(Policy { entities, ..canaries::policy() }).await;
    let mailbox: Vec<Canary> =
        canaries::all().into_iter().filter(|canary| canary.entity.name() == "EMAIL_ADDRESS").collect();
    let mut out = inputs::everything(&world, &mailbox).await;
    out.extend(world.ways_out().await);
    let caught: BTreeSet<_> = Catcher::new(&mailbox).caught(&out).into_iter().map(|(way, _)| way).collect();
    for name in outputs::WITH_EVENTS {
        assert!(caught.contains(*name), "{name} shows events, and does not show the canary: {caught:?}");
    }
}

/// The check of the logs works: a canary that is logged on purpose is found.
#[tokio::test]
async fn the_check_finds_a_logged_canary() {
    fixture::listen_to_logs();
    tracing::trace!(to = "control.bird@example.org", "on purpose");
    let span = tracing::trace_span!("on purpose", to = "control.span@example.org");
    drop(span.entered());
    let logs = fixture::logs();
    assert!(logs.contains("control.bird@example.org") && logs.contains("control.span@example.org"));
}
