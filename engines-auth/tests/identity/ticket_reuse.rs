//! Use, renewal and end of reusable tickets.

use std::time::Duration;

use engines_auth::{
    AuthInput, FieldValues,
    identity::{IdentitySettings, RoleRequest},
    ticket::{TicketRequest, TicketResponse, TicketReuse},
};
use engines_core::{
    Action, Actor, ActorType, Clock, Code, Env, Principal, RequestContext, Result, Role, Scope, TenantId, UserId,
};

use crate::{
    fixture::{Exposed, Node, World, code, settings, world, world_with},
    members::add,
};

const PATH: &str = "/sse/chat/t1";

async fn reusable(node: &Node, context: &RequestContext, ttl_s: u64) -> TicketResponse {
    let request = TicketRequest { ttl_s: Some(ttl_s), ..TicketRequest::reusable(PATH) };
    node.identity.tickets().create(context, request).await.unwrap()
}

async fn enter(node: &Node, ticket: &TicketResponse) -> Result<RequestContext> {
    node.enter_by_ticket(ticket.ticket.expose(), PATH, None).await
}

/// Returns an owner's context in her tenant.
async fn owner(world: &World) -> RequestContext {
    let (owner, acme) = world.a.owner("ada@example.org").await;
    world.a.enter(owner.access(), &acme).await.unwrap()
}

/// Returns the context of a user who is known only from a token, which expires after `ttl`.
fn foreign_context(world: &World, tenant: &TenantId, ttl: Duration) -> RequestContext {
    let actor = Actor { id: UserId::new("foreign").unwrap(), kind: ActorType::Human };
    let mut principal = Principal::assume_verified(actor, "engines");
    principal.memberships.insert(tenant.clone(), Role::Member);
    principal.expires_at = Some(world.a.clock.now().plus(ttl));
    // A session that the store does not have extends nothing.
    principal.session = Some("01ARZ3NDEKTSV4RRFFQ69G5FAV".into());
    RequestContext::admit_verified(&principal, Scope::new(tenant.clone(), Env::Dev), world.a.trace()).unwrap()
}

#[tokio::test]
async fn a_reusable_ticket_is_accepted_on_any_node_until_idle_for_its_ttl() {
    let world = world();
    let context = owner(&world).await;
    let ticket = reusable(&world.a, &context, 60).await;
    assert_eq!((ticket.expires_in, ticket.reuse), (60, Some(TicketReuse::Stream)));
    for _ in 0..5 {
        world.a.clock.advance(Duration::from_secs(50));
        for node in [&world.a, &world.b] {
            let inside = enter(node, &ticket).await.unwrap();
            assert_eq!((inside.scope(), inside.actor()), (context.scope(), context.actor()));
            assert_eq!(inside.ticket(), Some(ticket.ticket_id.as_str()));
        }
    }
    world.a.clock.advance(Duration::from_secs(60));
    assert_eq!(code(&enter(&world.b, &ticket).await), Some(Code::TokenExpired));
    // The ticket is removed once, when its time in the index has come, and nothing else is removed.
    let other = reusable(&world.a, &context, 3600).await;
    world.a.clock.advance(Duration::from_secs(11));
    assert_eq!(world.a.identity.expire_tickets().await.unwrap(), 1);
    assert_eq!(world.b.identity.expire_tickets().await.unwrap(), 0);
    assert_eq!(code(&enter(&world.a, &ticket).await), Some(Code::TokenInvalid));
    assert_eq!(code(&enter(&world.a, &other).await), None);
}

#[tokio::test]
async fn a_request_for_the_head_uses_and_renews_nothing() {
    let world = world();
    let context = owner(&world).await;
    let once = world.a.identity.tickets().create(&context, TicketRequest::once(PATH)).await.unwrap();
    let again = reusable(&world.a, &context, 60).await;
    for _ in 0..2 {
        for ticket in [&once, &again] {
            let given = AuthInput {
                ticket: FieldValues::one(ticket.ticket.expose()),
                path: PATH,
                head: true,
                ..AuthInput::default()
            };
            assert_eq!(code(&world.b.enter_as(given).await), None);
        }
        world.a.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(code(&enter(&world.a, &once).await), None);
    assert_eq!(code(&enter(&world.a, &once).await), Some(Code::TokenInvalid));
    world.a.clock.advance(Duration::from_secs(40));
    assert_eq!(code(&enter(&world.a, &again).await), Some(Code::TokenExpired));
}

#[tokio::test]
async fn a_reusable_ticket_is_bound_to_path_streams_tenant_and_environment() {
    let world = world();
    let context = owner(&world).await;
    let ticket = reusable(&world.a, &context, 600).await;
    let text = ticket.ticket.expose();
    for other in ["/sse/chat/t2", "/sse/chat/t1/", "/ws/chat/t1", "/sse"] {
        assert_eq!(code(&world.a.enter_by_ticket(text, other, None).await), Some(Code::TokenInvalid), "{other}");
    }
    assert_eq!(code(&world.a.enter_by_ticket(text, PATH, Some("prod")).await), Some(Code::TenantForbidden));
    let elsewhere = AuthInput {
        ticket: FieldValues::one(text),
        path: PATH,
        tenant_queries: FieldValues::one("t_other"),
        ..AuthInput::default()
    };
    assert_eq!(code(&world.a.enter_as(elsewhere).await), Some(Code::TenantForbidden));
    // The secret is checked, not only the id.
    let forged = format!("{}{}", &text[..text.len() - 4], "AAAA");
    assert_eq!(code(&world.a.enter_by_ticket(&forged, PATH, None).await), Some(Code::TokenInvalid));

    let many = TicketRequest::reusable("/sse?streams=chat/a,canvas%2Fb");
    let many = world.a.identity.tickets().create(&context, many).await.unwrap();
    let with = |streams: &'static [&'static str]| {
        let streams = streams.iter().copied().collect();
        AuthInput { ticket: FieldValues::one(many.ticket.expose()), path: "/sse", streams, ..AuthInput::default() }
    };
    for same in [&["chat/a,canvas/b"][..], &["canvas/b,chat/a"], &["chat/a,canvas/b,chat/a"]] {
        assert_eq!(code(&world.b.enter_as(with(same)).await), None, "{same:?}");
    }
    for other in [&[][..], &[""], &["chat/a"], &["chat/a,canvas/b,chat/c"], &["chat/a", "canvas/b"]] {
        assert_eq!(code(&world.b.enter_as(with(other)).await), Some(Code::TokenInvalid), "{other:?}");
    }
}

#[tokio::test]
async fn a_reusable_ticket_ends_with_its_session_or_token() {
    let world = world();
    let (tokens, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(tokens.access(), &acme).await.unwrap();
    let ticket = reusable(&world.a, &context, 600).await;
    // Long after the access token has expired.
    for _ in 0..4 {
        world.a.clock.advance(Duration::from_secs(590));
        let inside = enter(&world.b, &ticket).await.unwrap();
        assert_eq!(inside.expires_at(), None);
    }
    let key = crate::api_keys::make(&world.a, &context, Role::Viewer).await.unwrap();
    let as_key = world.a.enter(key.key.expose(), &acme).await.unwrap();
    assert_eq!(as_key.expires_at(), None);
    let foreign = foreign_context(&world, &acme, Duration::from_secs(100));
    let short = reusable(&world.a, &foreign, 600).await;
    assert_eq!(Some(short.expires_at), foreign.expires_at());
    world.a.clock.advance(Duration::from_secs(90));
    assert_eq!(enter(&world.a, &short).await.unwrap().expires_at(), foreign.expires_at());
    world.a.clock.advance(Duration::from_secs(10));
    assert_eq!(code(&enter(&world.a, &short).await), Some(Code::TokenExpired));
}

/// Events that end a ticket.
#[derive(Debug, Clone, Copy)]
enum End {
    Logout,
    Membership,
    Role,
    User,
    Ticket,
    Key,
}

#[tokio::test(start_paused = true)]
async fn a_reusable_ticket_and_its_streams_end_with_their_credential() {
    let world = world();
    let (operator, system) = crate::bootstrap::operator(&world.a).await;
    let control = world.a.enter(operator.access(), &system).await.unwrap();
    let (tokens, acme) = world.a.owner("ada@example.org").await;
    let ada = world.a.enter(tokens.access(), &acme).await.unwrap();
    for (number, end) in
        [End::Logout, End::Membership, End::Role, End::User, End::Ticket, End::Key].into_iter().enumerate()
    {
        let bob = world.a.signup(&format!("bob{number}@example.org"), None).await.unwrap();
        let id = &bob.user.user_id;
        add(&world.a, &ada, &acme, id, Role::Member).await.unwrap();
        let key = crate::api_keys::make(&world.a, &ada, Role::Viewer).await.unwrap();
        let bearer = if matches!(end, End::Key) { key.key.expose() } else { bob.access() };
        let context = world.a.enter(bearer, &acme).await.unwrap();
        let (ticket, other) = (reusable(&world.a, &context, 600).await, reusable(&world.a, &context, 600).await);
        let open = |node: Node, context: RequestContext| {
            tokio::spawn(async move { node.admission.monitor(&context).await.code() })
        };
        let here = open(world.a.clone(), enter(&world.a, &ticket).await.unwrap());
        let there = open(world.b.clone(), enter(&world.b, &ticket).await.unwrap());
        let others = open(world.a.clone(), enter(&world.a, &other).await.unwrap());
        tokio::time::sleep(Duration::from_millis(10)).await;
        let a = &world.a.identity;
        match end {
            End::Logout => a.logout(&world.a.principal(bob.access()).await.unwrap()).await.unwrap(),
            End::Membership => a.remove_member(&ada, &acme, id).await.unwrap(),
            End::Role => a.change_role(&ada, &acme, id, RoleRequest { role: Role::Viewer }).await.map(|_| ()).unwrap(),
            End::User => a.set_user_disabled(&control, id, true).await.unwrap(),
            End::Ticket => a.tickets().end(&context, &ticket.ticket_id).await.unwrap(),
            End::Key => a.api_keys().revoke(&ada, &key.view.key_id).await.unwrap(),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(here.is_finished(), "{end:?}");
        let mut waited = 0;
        while !there.is_finished() {
            assert!(waited <= 5000, "{end:?}");
            world.a.clock.advance(Duration::from_millis(100));
            tokio::time::sleep(Duration::from_millis(100)).await;
            waited += 100;
        }
        assert!(matches!(end, End::Ticket) != others.is_finished(), "{end:?}");
        // Later uses are refused on both nodes, except after a change of the role.
        for node in [&world.a, &world.b] {
            assert_eq!(enter(node, &ticket).await.is_ok(), matches!(end, End::Role), "{end:?}");
            assert_eq!(enter(node, &other).await.is_ok(), matches!(end, End::Role | End::Ticket), "{end:?}");
        }
        others.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_reusable_ticket_is_renewed_while_its_stream_is_open() {
    let world = world();
    let context = owner(&world).await;
    for ttl in [1, 60] {
        let ticket = reusable(&world.a, &context, ttl).await;
        let inside = enter(&world.b, &ticket).await.unwrap();
        let admission = world.b.admission.clone();
        let open = tokio::spawn(async move { admission.monitor(&inside).await.code() });
        for step in 0..(ttl * 4).max(40) {
            world.a.clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_secs(1)).await;
            world.a.identity.expire_tickets().await.unwrap();
            assert!(!open.is_finished(), "{ttl}: {step}");
        }
        assert_eq!(code(&enter(&world.a, &ticket).await), None, "{ttl}");
        open.abort();
        assert!(open.await.is_err());
        for _ in 0..ttl + 3 {
            world.a.clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(code(&enter(&world.a, &ticket).await), Some(Code::TokenExpired), "{ttl}");
    }
}

#[tokio::test]
async fn only_its_creator_can_end_a_reusable_ticket() {
    let world = world();
    let (tokens, acme) = world.a.owner("ada@example.org").await;
    let ada = world.a.enter(tokens.access(), &acme).await.unwrap();
    let bob = world.a.signup("bob@example.org", None).await.unwrap();
    add(&world.a, &ada, &acme, &bob.user.user_id, Role::Viewer).await.unwrap();
    let as_bob = world.a.enter(bob.access(), &acme).await.unwrap();
    let tickets = world.a.identity.tickets();
    let ticket = reusable(&world.a, &as_bob, 600).await;
    let once = tickets.create(&as_bob, TicketRequest::once(PATH)).await.unwrap();
    let in_prod = world.a.enter_env(bob.access(), &acme, "prod").await.unwrap();
    for (context, id) in [
        (&ada, ticket.ticket_id.as_str()),
        (&in_prod, &ticket.ticket_id),
        (&as_bob, "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        (&as_bob, "rubbish"),
    ] {
        assert_eq!(code(&tickets.end(context, id).await), Some(Code::NotFound), "{id}");
    }
    assert_eq!(Action::TicketsEnd.spec().min_role, Role::Viewer);
    for ticket in [&ticket, &once] {
        assert_eq!(code(&tickets.end(&as_bob, &ticket.ticket_id).await), None);
        assert_eq!(code(&enter(&world.b, ticket).await), Some(Code::TokenInvalid));
        assert_eq!(code(&tickets.end(&as_bob, &ticket.ticket_id).await), Some(Code::NotFound));
    }
}

#[tokio::test]
async fn reusable_tickets_per_actor_are_limited() {
    let world = world_with(IdentitySettings { tickets_per_user: 3, ..settings() });
    let context = owner(&world).await;
    let tickets = world.a.identity.tickets();
    let once = tickets.create(&context, TicketRequest::once(PATH)).await.unwrap();
    let more = [reusable(&world.a, &context, 600).await, reusable(&world.a, &context, 600).await];
    let refused = tickets.create(&context, TicketRequest::once(PATH)).await.unwrap_err();
    assert_eq!((refused.code(), refused.member("limit")), (Code::RateLimited, Some(&3.into())));
    // The wait lasts until the first of them expires.
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(30)));
    assert!(refused.member("decision_id").is_some());
    // A used, an ended and an expired ticket each make room.
    assert_eq!(code(&enter(&world.b, &once).await), None);
    tickets.create(&context, TicketRequest::once(PATH)).await.unwrap();
    tickets.end(&context, &more[0].ticket_id).await.unwrap();
    tickets.create(&context, TicketRequest::once(PATH)).await.unwrap();
    assert_eq!(code(&tickets.create(&context, TicketRequest::once(PATH)).await), Some(Code::RateLimited));
    world.a.clock.advance(Duration::from_secs(31));
    assert_eq!(code(&tickets.create(&context, TicketRequest::once(PATH)).await), None);
}

#[tokio::test]
async fn times_and_paths_out_of_their_limits_are_refused() {
    let world = world();
    let context = owner(&world).await;
    for (path, ttl_s) in
        [(PATH, Some(0)), (PATH, Some(3601)), (PATH, Some(u64::MAX)), ("/a?b=c", None), ("/a?streams=", None)]
    {
        let request = TicketRequest { ttl_s, ..TicketRequest::reusable(path) };
        let refused = world.a.identity.tickets().create(&context, request).await;
        assert_eq!(code(&refused), Some(Code::BodyInvalid), "{path} {ttl_s:?}");
    }
    assert_eq!(reusable(&world.a, &context, 3600).await.expires_in, 3600);
    let default = world.a.identity.tickets().create(&context, TicketRequest::reusable(PATH)).await.unwrap();
    assert_eq!(default.expires_in, 600);
    for bad in ["ts_", "ts_01ARZ3NDEKTSV4RRFFQ69G5FAV_x"] {
        assert_eq!(code(&world.a.enter_by_ticket(bad, PATH, None).await), Some(Code::TokenInvalid));
    }
}
