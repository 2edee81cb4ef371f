//! Tickets for streams.

use std::time::Duration;

use engines_auth::{
    identity::IdentitySettings,
    ticket::{TicketRequest, TicketResponse},
};
use engines_core::{Code, RequestContext, Result, Role};

use crate::{
    fixture::{Exposed, Node, code, settings, slow_commits, world, world_with},
    members::add,
};

const PATH: &str = "/sse/chat/t1";

pub(crate) async fn ticket(
    node: &Node,
    context: &RequestContext,
    path: &str,
    ttl_s: Option<u64>,
) -> Result<TicketResponse> {
    node.identity.tickets().create(context, TicketRequest { ttl_s, ..TicketRequest::once(path) }).await
}

#[tokio::test]
async fn a_ticket_is_accepted_once_on_any_node_for_its_path_and_scope() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let one = ticket(&world.a, &context, PATH, None).await.unwrap();
    assert_eq!(one.expires_in, 30);
    let text = one.ticket.expose();
    assert_eq!(code(&world.b.enter_by_ticket(text, "/sse/chat/t2", None).await), Some(Code::TokenInvalid));
    let inside = world.b.enter_by_ticket(text, PATH, None).await.unwrap();
    assert_eq!(inside.scope(), context.scope());
    assert_eq!((inside.actor(), inside.role()), (context.actor(), Role::Owner));
    assert_eq!((inside.session(), inside.expires_at()), (context.session(), context.expires_at()));
    for node in [&world.a, &world.b] {
        assert_eq!(code(&node.enter_by_ticket(text, PATH, None).await), Some(Code::TokenInvalid));
    }
    let other_env = ticket(&world.a, &context, PATH, None).await.unwrap();
    let answer = world.b.enter_by_ticket(other_env.ticket.expose(), PATH, Some("prod")).await;
    assert_eq!(code(&answer), Some(Code::TenantForbidden));
    // A ticket is no bearer token, and a bearer token is no ticket.
    let third = ticket(&world.a, &context, PATH, None).await.unwrap();
    assert_eq!(code(&world.a.principal(third.ticket.expose()).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.a.enter_by_ticket(owner.access(), PATH, None).await), Some(Code::TokenInvalid));
    world.a.clock.advance(Duration::from_secs(30));
    assert_eq!(code(&world.a.enter_by_ticket(third.ticket.expose(), PATH, None).await), Some(Code::TokenExpired));
    world.a.clock.advance(Duration::from_secs(60));
    assert_eq!(world.a.identity.delete_expired().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_accepted_once_under_concurrency() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    for _ in 0..10 {
        let one = ticket(&world.a, &context, PATH, Some(60)).await.unwrap();
        let tries = (0..8).map(|n| {
            let (node, text) = (if n % 2 == 0 { world.a.clone() } else { world.b.clone() }, one.ticket.clone());
            tokio::spawn(async move { node.enter_by_ticket(text.expose(), PATH, None).await.is_ok() })
        });
        let answers = futures_util::future::join_all(tries.collect::<Vec<_>>()).await;
        assert_eq!(answers.into_iter().filter(|answer| *answer.as_ref().unwrap()).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_made_at_the_same_time_count_each_other() {
    let world = world_with(IdentitySettings { tickets_per_user: 5, ..settings() });
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    slow_commits(&world);
    let tries = (0..40).map(|n| {
        let node = if n % 2 == 0 { world.a.clone() } else { world.b.clone() };
        let request = if n % 4 < 2 { TicketRequest::once(PATH) } else { TicketRequest::reusable(PATH) };
        let context = context.clone();
        tokio::spawn(async move { node.identity.tickets().create(&context, request).await })
    });
    let made = futures_util::future::join_all(tries.collect::<Vec<_>>()).await;
    let codes: Vec<_> = made.iter().map(|made| code(made.as_ref().unwrap())).collect();
    assert_eq!(codes.iter().filter(|code| code.is_none()).count(), 5, "{codes:?}");
    assert!(codes.iter().all(|code| matches!(code, None | Some(Code::RateLimited))), "{codes:?}");
}

#[tokio::test]
async fn a_ticket_has_its_creators_role_at_the_time_of_use() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let bob = world.a.signup("bob@example.org", None).await.unwrap();
    add(&world.a, &context, &acme, &bob.user.user_id, Role::Member).await.unwrap();
    let as_bob = world.a.enter(bob.access(), &acme).await.unwrap();
    let late = ticket(&world.a, &as_bob, PATH, None).await.unwrap();
    let later = ticket(&world.a, &as_bob, PATH, None).await.unwrap();
    world.a.identity.remove_member(&context, &acme, &bob.user.user_id).await.unwrap();
    assert_eq!(code(&world.a.enter_by_ticket(late.ticket.expose(), PATH, None).await), Some(Code::TenantForbidden));
    world.a.identity.logout(&world.a.principal(bob.access()).await.unwrap()).await.unwrap();
    assert_eq!(code(&world.a.enter_by_ticket(later.ticket.expose(), PATH, None).await), Some(Code::TokenInvalid));

    let key = crate::api_keys::make(&world.a, &context, Role::Viewer).await.unwrap();
    let as_key = world.a.enter(key.key.expose(), &acme).await.unwrap();
    let (one, two) =
        (ticket(&world.a, &as_key, PATH, None).await.unwrap(), ticket(&world.a, &as_key, PATH, None).await.unwrap());
    assert_eq!(world.b.enter_by_ticket(one.ticket.expose(), PATH, None).await.unwrap().role(), Role::Viewer);
    world.a.identity.api_keys().revoke(&context, &key.view.key_id).await.unwrap();
    assert_eq!(code(&world.a.enter_by_ticket(two.ticket.expose(), PATH, None).await), Some(Code::TokenInvalid));
}

#[tokio::test]
async fn invalid_or_overlong_ticket_paths_are_rejected() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let huge = format!("/{}", "x".repeat(8 << 20));
    for (path, ttl) in [
        ("", None),
        ("sse", None),
        ("/a b", None),
        ("/ä", None),
        ("/a?b=c", None),
        (&*huge, None),
        (PATH, Some(0)),
        (PATH, Some(61)),
        (PATH, Some(u64::MAX)),
    ] {
        assert_eq!(code(&ticket(&world.a, &context, path, ttl).await), Some(Code::BodyInvalid), "{path:.20} {ttl:?}");
    }
    assert!(ticket(&world.a, &context, PATH, Some(60)).await.is_ok());
    for bad in ["tk_", "tk_01ARZ3NDEKTSV4RRFFQ69G5FAV_x", "x", &"x".repeat(8000)] {
        assert_eq!(code(&world.a.enter_by_ticket(bad, PATH, None).await), Some(Code::TokenInvalid));
    }
}
