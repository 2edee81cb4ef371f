//! What an API key may do with keys and members: nothing that it grants lasts longer than the key.

use std::time::Duration;

use engines_auth::{
    api_key::{ApiKeyCreated, ApiKeyRequest, RotateRequest},
    identity::{InviteRequest, RoleRequest},
    ticket::TicketRequest,
};
use engines_core::{Code, RequestContext, Role, TenantId, nexus::PageRequest};

use crate::{
    api_keys::make,
    fixture::{Exposed, World, code, world},
    invites::accept,
    members::add,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Creates a key that expires after a minute, and the context of a request with it.
async fn short_key(world: &World, maker: &RequestContext, tenant: &TenantId) -> (ApiKeyCreated, RequestContext) {
    let request = ApiKeyRequest {
        name: "short".into(),
        role: Role::Admin,
        actor_type: None,
        expires_at: None,
        expires_in: Some(60),
    };
    let made = world.a.identity.api_keys().create(maker, request).await.unwrap();
    let context = world.a.enter(made.key.expose(), tenant).await.unwrap();
    (made, context)
}

#[tokio::test]
async fn a_key_rotates_and_revokes_only_itself_and_its_descendants() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let ada = world.a.enter(owner.access(), &acme).await.unwrap();
    let keys = world.a.identity.api_keys();
    let other = make(&world.a, &ada, Role::Viewer).await.unwrap();
    let parent = make(&world.a, &ada, Role::Admin).await.unwrap();
    let by_parent = world.a.enter(parent.key.expose(), &acme).await.unwrap();
    let sibling = make(&world.a, &by_parent, Role::Viewer).await.unwrap();
    let (key, by_key) = short_key(&world, &by_parent, &acme).await;
    let child = make(&world.a, &by_key, Role::Admin).await.unwrap();
    let by_child = world.a.enter(child.key.expose(), &acme).await.unwrap();
    let grandchild = make(&world.a, &by_child, Role::Viewer).await.unwrap();
    for target in [&other, &parent, &sibling] {
        let id = target.view.key_id.as_str();
        assert_eq!(
            code(&keys.rotate(&by_key, id, RotateRequest::default()).await),
            Some(Code::RoleInsufficient),
            "{id}"
        );
        assert_eq!(code(&keys.revoke(&by_key, id).await), Some(Code::RoleInsufficient), "{id}");
        assert!(world.a.enter(target.key.expose(), &acme).await.is_ok());
    }
    assert_eq!(code(&keys.revoke(&by_child, &key.view.key_id).await), Some(Code::RoleInsufficient));
    for target in [&grandchild, &child, &key] {
        let rotated = keys.rotate(&by_key, &target.view.key_id, RotateRequest { grace: 3600 }).await.unwrap();
        assert_eq!(rotated.view.expires_at, key.view.expires_at);
    }
    // A person can manage all keys.
    keys.rotate(&ada, &other.view.key_id, RotateRequest::default()).await.unwrap();
    // A request that was admitted before its key expired cannot rotate.
    world.a.clock.advance(MINUTE);
    for target in [&key, &child] {
        let refused = keys.rotate(&by_key, &target.view.key_id, RotateRequest::default()).await;
        assert_eq!(code(&refused), Some(Code::TokenInvalid));
    }
    assert_eq!(code(&world.a.enter(grandchild.key.expose(), &acme).await), Some(Code::TokenExpired));
    // A key can always revoke itself.
    keys.revoke(&by_key, &key.view.key_id).await.unwrap();
    keys.revoke(&by_parent, &parent.view.key_id).await.unwrap();
    assert_eq!(keys.list(&ada, PageRequest::first(9)).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_replaced_secret_hands_out_nothing() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let ada = world.a.enter(owner.access(), &acme).await.unwrap();
    let keys = world.b.identity.api_keys();
    let invite = || InviteRequest { role: Role::Viewer, email: None, expires_in: None, send: false };
    for grace in [0, 3600] {
        let key = make(&world.a, &ada, Role::Admin).await.unwrap();
        // The other node does not know of the rotation yet.
        let old = world.b.enter(key.key.expose(), &acme).await.unwrap();
        let id = key.view.key_id.as_str();
        world.a.identity.api_keys().rotate(&ada, id, RotateRequest { grace }).await.unwrap();
        let rotated = keys.rotate(&old, id, RotateRequest::default()).await;
        assert_eq!(code(&rotated), Some(Code::TokenInvalid), "{grace}");
        assert_eq!(code(&make(&world.b, &old, Role::Viewer).await), Some(Code::TokenInvalid), "{grace}");
        let invited = world.b.identity.create_invite(&old, &acme, invite()).await;
        assert_eq!(code(&invited), Some(Code::TokenInvalid), "{grace}");
        // The old secret can still revoke its key.
        keys.revoke(&old, id).await.unwrap();
    }
}

#[tokio::test]
async fn a_membership_granted_by_a_key_ends_with_the_key() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let ada = world.a.enter(owner.access(), &acme).await.unwrap();
    let (key, by_key) = short_key(&world, &ada, &acme).await;
    let identity = &world.a.identity;
    let invite = |role| InviteRequest { role, email: None, expires_in: Some(3600), send: false };
    assert_eq!(code(&identity.create_invite(&by_key, &acme, invite(Role::Admin)).await), Some(Code::RoleInsufficient));
    let mut guests = Vec::new();
    for name in ["bob", "cy"] {
        let invite = identity.create_invite(&by_key, &acme, invite(Role::Member)).await.unwrap();
        let tokens = accept(&world.a, invite.token.expose(), None, Some(&format!("{name}@example.org"))).await.unwrap();
        guests.push(tokens);
    }
    let [bob, cy] = &guests[..] else { panic!("two guests") };
    let late = identity.create_invite(&by_key, &acme, invite(Role::Member)).await.unwrap();
    // A key raises no role, neither of users that it invited nor of others. It may lower roles.
    let dee = world.a.signup("dee@example.org", None).await.unwrap();
    add(&world.a, &ada, &acme, &dee.user.user_id, Role::Member).await.unwrap();
    for member in [bob, &dee] {
        let raised =
            identity.change_role(&by_key, &acme, &member.user.user_id, RoleRequest { role: Role::Admin }).await;
        assert_eq!(code(&raised), Some(Code::RoleInsufficient));
        let lowered = RoleRequest { role: Role::Viewer };
        identity.change_role(&by_key, &acme, &member.user.user_id, lowered).await.unwrap();
    }
    // A person makes one of the memberships permanent.
    identity.change_role(&ada, &acme, &cy.user.user_id, RoleRequest { role: Role::Member }).await.unwrap();
    let opened = world.a.enter(bob.access(), &acme).await.unwrap();
    let archived = identity.archive_tenant(&ada).await.unwrap();
    assert!(!archived.members.iter().any(|member| member.user_id == bob.user.user_id));
    assert_eq!(identity.list_members(&ada, &acme, PageRequest::first(9)).await.unwrap().items.len(), 4);

    world.a.clock.advance(MINUTE);
    assert_eq!(code(&world.a.admission.check_still_valid(&opened).await), Some(Code::TenantForbidden));
    for node in [&world.a, &world.b] {
        assert_eq!(code(&node.enter(bob.access(), &acme).await), Some(Code::TenantForbidden));
        for kept in [cy, &dee] {
            assert_eq!(code(&node.enter(kept.access(), &acme).await), None);
        }
        assert_eq!(node.identity.list_members(&ada, &acme, PageRequest::first(9)).await.unwrap().items.len(), 3);
    }
    let accepted = accept(&world.a, late.token.expose(), None, Some("eve@example.org")).await;
    assert_eq!(code(&accepted), Some(Code::TokenInvalid));
    assert!(world.a.login("bob@example.org", crate::fixture::PASSWORD).await.unwrap().memberships.is_empty());
    // A user who was invited by an expired key can be invited again, and stays.
    add(&world.a, &ada, &acme, &bob.user.user_id, Role::Member).await.unwrap();
    identity.api_keys().revoke(&ada, &key.view.key_id).await.unwrap();
    assert_eq!(code(&world.a.enter(bob.access(), &acme).await), None);
}

#[tokio::test]
async fn tickets_of_a_key_end_when_it_expires() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let ada = world.a.enter(owner.access(), &acme).await.unwrap();
    let (_, by_key) = short_key(&world, &ada, &acme).await;
    let path = "/sse/chat/t1";
    world.a.clock.advance(MINUTE - Duration::from_secs(1));
    let tickets = world.a.identity.tickets();
    for request in [TicketRequest::once(path), TicketRequest::reusable(path)] {
        let ticket = tickets.create(&by_key, request).await.unwrap();
        assert_eq!(Some(ticket.expires_at), by_key.expires_at());
    }
    // Sessions belong to persons, so a ticket of a key does not outlive the key.
    let reusable = tickets.create(&by_key, TicketRequest::reusable(path)).await.unwrap();
    world.a.clock.advance(Duration::from_secs(1));
    let entered = world.b.enter_by_ticket(reusable.ticket.expose(), path, None).await;
    assert_eq!(code(&entered), Some(Code::TokenExpired));
}
