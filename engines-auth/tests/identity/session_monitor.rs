//! Open streams end at a revocation.

use std::time::Duration;

use engines_auth::{
    Revocation,
    identity::{IdentitySettings, RoleRequest},
};
use engines_core::{Code, Role};

use crate::{
    fixture::{Exposed, PASSWORD, code, settings, world, world_with},
    members::add,
};

/// Advances both clocks in steps until the monitor ends. Returns the code and the time in milliseconds.
async fn ends(world: &crate::fixture::World, watch: tokio::task::JoinHandle<Code>) -> (Code, u64) {
    let mut waited = 0;
    while !watch.is_finished() {
        assert!(waited <= 10_000, "the watch does not end");
        world.a.clock.advance(Duration::from_millis(100));
        tokio::time::sleep(Duration::from_millis(100)).await;
        waited += 100;
    }
    (watch.await.unwrap(), waited)
}

#[tokio::test(start_paused = true)]
async fn revocation_ends_streams_at_once_here_and_within_five_seconds_on_other_nodes() {
    let world = world();
    let (operator, system) = crate::bootstrap::operator(&world.a).await;
    let control = world.a.enter(operator.access(), &system).await.unwrap();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    for (number, expected) in
        [Code::TenantForbidden, Code::RoleMismatch, Code::TokenInvalid, Code::TokenInvalid, Code::TenantForbidden]
            .into_iter()
            .enumerate()
    {
        let bob = world.a.signup(&format!("bob{number}@example.org"), None).await.unwrap();
        add(&world.a, &context, &acme, &bob.user.user_id, Role::Member).await.unwrap();
        world.a.clock.advance(Duration::from_secs(2));
        let (here, there) =
            (world.a.enter(bob.access(), &acme).await.unwrap(), world.b.enter(bob.access(), &acme).await.unwrap());
        let watch = |node: crate::fixture::Node, context| {
            tokio::spawn(async move { node.admission.monitor(&context).await.code() })
        };
        let (here, there) = (watch(world.a.clone(), here), watch(world.b.clone(), there));
        tokio::time::sleep(Duration::from_millis(10)).await;
        let (a, id) = (&world.a.identity, &bob.user.user_id);
        match number {
            0 => a.remove_member(&context, &acme, id).await.unwrap(),
            1 => a.change_role(&context, &acme, id, RoleRequest { role: Role::Viewer }).await.map(|_| ()).unwrap(),
            2 => a.set_user_disabled(&control, id, true).await.unwrap(),
            3 => a.logout(&world.a.principal(bob.access()).await.unwrap()).await.unwrap(),
            _ => a.suspend_tenant(&control, &acme).await.map(|_| ()).unwrap(),
        }
        // The clock does not move.
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(here.is_finished(), "{number}");
        assert_eq!(here.await.unwrap(), expected, "{number}");
        let (code, waited) = ends(&world, there).await;
        assert_eq!(code, expected, "{number}");
        assert!(waited <= 5000, "{number}: {waited}");
    }
}

#[tokio::test(start_paused = true)]
async fn unrelated_streams_stay_open_and_expired_credentials_end_theirs() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let key = crate::api_keys::make(&world.a, &context, Role::Viewer).await.unwrap();
    let as_key = world.a.enter(key.key.expose(), &acme).await.unwrap();
    let mut feed = world.a.identity.revocations().subscribe();
    let watch = |context: engines_core::RequestContext| {
        let admission = world.a.admission.clone();
        tokio::spawn(async move { admission.monitor(&context).await.code() })
    };
    let (mine, keys) = (watch(context.clone()), watch(as_key.clone()));
    tokio::time::sleep(Duration::from_millis(10)).await;
    world.a.identity.api_keys().revoke(&context, &key.view.key_id).await.unwrap();
    let told = feed.next().await;
    assert_eq!(told, Revocation::ApiKey(key.view.key_id));
    assert!(told.concerns(&as_key) && !told.concerns(&context));
    assert_eq!(keys.await.unwrap(), Code::TokenInvalid);
    assert!(!mine.is_finished());
    // The stream ends with the access token, the leeway included, because a context admitted within it must not end at
    // once.
    world.a.clock.advance(Duration::from_secs(915));
    let late = watch(world.a.enter(owner.access(), &acme).await.unwrap());
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(!mine.is_finished() && !late.is_finished());
    world.a.clock.advance(Duration::from_secs(16));
    assert_eq!(ends(&world, mine).await.0, Code::TokenExpired);
    assert_eq!(ends(&world, late).await.0, Code::TokenExpired);
}

#[tokio::test(start_paused = true)]
async fn streams_survive_a_short_store_outage() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let admission = world.a.admission.clone();
    let watched = context.clone();
    let watch = tokio::spawn(async move { admission.monitor(&watched).await.code() });
    world.store.faults().set_down(true);
    for _ in 0..30 {
        world.a.clock.advance(Duration::from_millis(100));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!watch.is_finished());
    world.store.faults().set_down(false);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!watch.is_finished());
    assert_eq!(code(&world.a.admission.check_still_valid(&context).await), None);
    world.store.faults().set_down(true);
    let (code, waited) = ends(&world, watch).await;
    assert_eq!(code, Code::BackendUnavailable);
    assert!((2000..=6000).contains(&waited), "{waited}");
}

#[tokio::test]
async fn a_slow_revocation_subscriber_gets_lagged() {
    let world = world_with(IdentitySettings { revocation_queue: 2, ..settings() });
    let mut feed = world.a.identity.revocations().subscribe();
    world.a.signup("ada@example.org", None).await.unwrap();
    for _ in 0..4 {
        let tokens = world.a.login("ada@example.org", PASSWORD).await.unwrap();
        let principal = world.a.principal(tokens.access()).await.unwrap();
        world.a.identity.logout(&principal).await.unwrap();
    }
    assert_eq!(feed.next().await, Revocation::Lagged);
    assert!(matches!(feed.next().await, Revocation::Session(_)));
}
