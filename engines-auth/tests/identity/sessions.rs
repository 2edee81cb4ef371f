//! Refresh tokens and sessions.

use std::time::Duration;

use engines_auth::identity::IdentitySettings;
use engines_core::{
    Code, Scope, Store,
    nexus::{DocumentKind, DocumentQuery, PageRequest},
};
use engines_storage::{Operation, fault_injection::Fault};

use crate::fixture::{Exposed, PASSWORD, code, settings, world, world_with};

#[tokio::test]
async fn tokens_rotate_and_an_old_one_ends_the_session() {
    let world = world();
    let first = world.a.signup("ada@example.org", None).await.unwrap();
    let other = world.a.login("ada@example.org", PASSWORD).await.unwrap();
    let second = world.b.refresh(first.next()).await.unwrap();
    assert_ne!(first.next(), second.next());
    assert_eq!(first.user.user_id, second.user.user_id);
    let third = world.a.refresh(second.next()).await.unwrap();
    assert!(world.a.principal(third.access()).await.is_ok());
    // The first token is used again after two rotations, which indicates theft.
    assert_eq!(code(&world.b.refresh(first.next()).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.a.refresh(third.next()).await), Some(Code::TokenInvalid));
    // Its access tokens end with it: at once on this node, soon on others.
    assert_eq!(code(&world.b.principal(third.access()).await), Some(Code::TokenInvalid));
    world.a.clock.advance(Duration::from_secs(2));
    assert_eq!(code(&world.a.principal(third.access()).await), Some(Code::TokenInvalid));
    // Another session of the same user stays.
    assert!(world.a.principal(other.access()).await.is_ok());
    assert!(world.a.refresh(other.next()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tabs_that_refresh_at_the_same_time_keep_their_session() {
    let world = world();
    for round in 0..10 {
        let tokens = world.a.signup(&format!("r{round}@example.org"), None).await.unwrap();
        let answers = tokio::join!(world.a.refresh(tokens.next()), world.b.refresh(tokens.next()));
        let (one, two) = (answers.0.unwrap(), answers.1.unwrap());
        assert_eq!(one.next(), two.next(), "both tabs go on with one token");
        assert!(world.a.principal(one.access()).await.is_ok() && world.b.principal(two.access()).await.is_ok());
        // The same holds some seconds later and on another node, but not after the interval.
        world.a.clock.advance(Duration::from_secs(9));
        assert_eq!(world.b.refresh(tokens.next()).await.unwrap().next(), one.next());
        world.a.clock.advance(Duration::from_secs(1));
        assert_eq!(code(&world.a.refresh(tokens.next()).await), Some(Code::TokenInvalid));
        assert_eq!(code(&world.a.refresh(one.next()).await), Some(Code::TokenInvalid), "it was repeated too late");
    }
}

#[tokio::test]
async fn a_token_from_two_uses_ago_ends_its_session_however_recent_it_is() {
    let world = world();
    let first = world.a.signup("ada@example.org", None).await.unwrap();
    let second = world.a.refresh(first.next()).await.unwrap();
    let third = world.a.refresh(second.next()).await.unwrap();
    assert_eq!(code(&world.a.refresh(first.next()).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.a.refresh(third.next()).await), Some(Code::TokenInvalid));
}

#[tokio::test]
async fn a_session_begun_while_the_clock_was_ahead_lives_no_longer_than_others() {
    let world = world_with(IdentitySettings { session_max_s: 3600, session_idle_s: 3600, ..settings() });
    let right = engines_core::Clock::now(&world.a.clock);
    world.a.clock.advance(Duration::from_secs(86_400));
    let tokens = world.a.signup("ada@example.org", None).await.unwrap();
    world.a.clock.set(right);
    // The access token is from the future and is refused. The session yields another one, and ends at its time.
    assert_eq!(code(&world.a.principal(tokens.access()).await), Some(Code::TokenInvalid));
    let next = world.a.refresh(tokens.next()).await.unwrap();
    assert!(world.a.principal(next.access()).await.is_ok());
    world.a.clock.advance(Duration::from_secs(3601));
    assert_eq!(code(&world.a.refresh(next.next()).await), Some(Code::TokenExpired));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_reuse_interval_at_most_one_of_two_uses_succeeds_and_the_session_ends() {
    let world = world_with(IdentitySettings { refresh_reuse_s: 0, ..settings() });
    for round in 0..10 {
        let tokens = world.a.signup(&format!("r{round}@example.org"), None).await.unwrap();
        let answers = tokio::join!(world.a.refresh(tokens.next()), world.b.refresh(tokens.next()));
        let answers = <[_; 2]>::from(answers);
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        let won = answers.into_iter().flatten().next().unwrap();
        assert_eq!(code(&world.a.refresh(won.next()).await), Some(Code::TokenInvalid));
    }
}

#[tokio::test]
async fn an_invalid_refresh_token_ends_no_session() {
    let world = world();
    let tokens = world.a.signup("ada@example.org", None).await.unwrap();
    let good = tokens.next();
    let (family, secret) = good.split_once('.').unwrap();
    // The id of a session, which its user sees, does not reveal the shared part of its tokens.
    let id = &family[3..29];
    let guess = format!("rt_{id}_{}.{secret}", "A".repeat(43));
    let huge = "x".repeat(8 << 20);
    for bad in ["", ".", "rt_", family, secret, &guess, &family.to_lowercase(), &format!("{good}\0"), &huge] {
        if bad.starts_with(family) && bad.contains('.') {
            continue;
        }
        assert_eq!(code(&world.a.refresh(bad).await), Some(Code::TokenInvalid), "{:.60}", bad);
    }
    assert!(world.a.refresh(good).await.is_ok());
}

#[tokio::test]
async fn a_failed_refresh_does_not_consume_the_token() {
    let world = world();
    let tokens = world.a.signup("ada@example.org", Some("Acme")).await.unwrap();
    let faults = world.store.faults();
    faults.set_for_all(Operation::Commit, Some(Fault::BeforeEffect));
    assert_eq!(code(&world.a.refresh(tokens.next()).await), Some(Code::BackendUnavailable));
    faults.set_for_all(Operation::Commit, None);
    faults.set_for_all(Operation::Query, Some(Fault::BeforeEffect));
    assert_eq!(code(&world.a.refresh(tokens.next()).await), Some(Code::BackendUnavailable));
    faults.set_for_all(Operation::Query, None);
    assert!(world.a.refresh(tokens.next()).await.is_ok());
}

#[tokio::test]
async fn sessions_are_listed_ended_and_bounded() {
    let world = world_with(IdentitySettings { sessions_per_user: 3, ..settings() });
    let first = world.a.signup("ada@example.org", None).await.unwrap();
    let eve = world.a.signup("eve@example.org", None).await.unwrap();
    world.a.clock.advance(Duration::from_secs(1));
    let second = world.a.login("ada@example.org", PASSWORD).await.unwrap();
    let principal = world.a.principal(second.access()).await.unwrap();
    let listed = world.a.identity.sessions(&principal, PageRequest::first(50)).await.unwrap().items;
    assert_eq!(listed.len(), 2);
    assert!(listed[0].current && !listed[1].current);
    assert_eq!(listed[1].user_agent.as_deref(), Some("browser"));
    // Users cannot end sessions of others.
    let stranger = world.a.principal(eve.access()).await.unwrap();
    for id in [listed[1].session_id.as_str(), "nonsense", ""] {
        assert_eq!(code(&world.a.identity.revoke_session(&stranger, id).await), Some(Code::NotFound));
    }
    world.a.identity.revoke_session(&principal, &listed[1].session_id).await.unwrap();
    assert_eq!(code(&world.a.principal(first.access()).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.a.refresh(first.next()).await), Some(Code::TokenInvalid));

    world.a.identity.logout(&principal).await.unwrap();
    world.a.identity.logout(&principal).await.unwrap();
    assert_eq!(code(&world.a.principal(second.access()).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.a.refresh(second.next()).await), Some(Code::TokenInvalid));

    let mut logins = Vec::new();
    for _ in 0..5 {
        world.a.clock.advance(Duration::from_secs(1));
        logins.push(world.a.login("ada@example.org", PASSWORD).await.unwrap());
    }
    let last = world.a.principal(logins[4].access()).await.unwrap();
    assert_eq!(world.a.identity.sessions(&last, PageRequest::first(50)).await.unwrap().items.len(), 3);
    assert_eq!(code(&world.a.principal(logins[1].access()).await), Some(Code::TokenInvalid));
    assert!(world.a.principal(logins[2].access()).await.is_ok());
}

#[tokio::test]
async fn sessions_end_when_idle_or_too_old_and_are_deleted() {
    let world = world_with(IdentitySettings { session_idle_s: 100, session_max_s: 250, ..settings() });
    let mut tokens = world.a.signup("ada@example.org", None).await.unwrap();
    let idle = world.a.login("ada@example.org", PASSWORD).await.unwrap();
    for _ in 0..2 {
        world.a.clock.advance(Duration::from_secs(90));
        tokens = world.a.refresh(tokens.next()).await.unwrap();
    }
    assert_eq!(code(&world.a.refresh(idle.next()).await), Some(Code::TokenExpired));
    world.a.clock.advance(Duration::from_secs(71));
    assert_eq!(code(&world.a.refresh(tokens.next()).await), Some(Code::TokenExpired));
    assert_eq!(world.a.identity.delete_expired().await.unwrap(), 2);
    assert_eq!(world.a.identity.delete_expired().await.unwrap(), 0);
    let query = DocumentQuery::of_kind(DocumentKind::new("identity_session").unwrap());
    let left = world.store.query(&Scope::system().unwrap(), &query, PageRequest::first(9)).await.unwrap();
    assert!(left.items.is_empty());
}
