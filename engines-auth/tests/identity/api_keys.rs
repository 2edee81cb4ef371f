//! Creation, rotation and revocation of API keys.

use std::time::Duration;

use engines_auth::api_key::{ApiKeyCreated, ApiKeyRequest, RotateRequest};
use engines_core::{ActorType, Code, RequestContext, Result, Role, nexus::PageRequest};

use crate::{
    fixture::{Exposed, Node, code, world},
    members::add,
};

fn request(role: Role) -> ApiKeyRequest {
    ApiKeyRequest { name: "robot".into(), role, actor_type: None, expires_at: None, expires_in: None }
}

pub(crate) async fn make(node: &Node, context: &RequestContext, role: Role) -> Result<ApiKeyCreated> {
    node.identity.api_keys().create(context, request(role)).await
}

#[tokio::test]
async fn a_key_is_good_in_its_tenant_alone_and_is_shown_once() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let principal = world.a.principal(owner.access()).await.unwrap();
    let trace = world.a.trace();
    let name = engines_auth::identity::TenantRequest { name: "Beta".into() };
    let beta = world.a.identity.create_tenant(&principal, name, &trace).await.unwrap().tenant_id;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let made = make(&world.a, &context, Role::Member).await.unwrap();
    let key = made.key.expose();
    assert!(key.starts_with("ek_"));
    for (node, env) in [(&world.a, "dev"), (&world.b, "prod")] {
        let inside = node.enter_env(key, &acme, env).await.unwrap();
        assert_eq!((inside.role(), inside.actor().kind), (Role::Member, ActorType::Agent));
        assert_eq!(inside.credential_id(), Some(made.view.key_id.as_str()));
    }
    // The key's creator also owns the other tenant, which does not matter for the key.
    assert!(world.a.enter(owner.access(), &beta).await.is_ok());
    assert_eq!(code(&world.a.enter(key, &beta).await), Some(Code::TenantForbidden));
    assert_eq!(
        code(
            &world
                .a
                .identity
                .create_tenant(
                    &world.a.principal(key).await.unwrap(),
                    engines_auth::identity::TenantRequest { name: "X".into() },
                    &trace
                )
                .await
        ),
        Some(Code::TokenInvalid)
    );

    let listed = world.a.identity.api_keys().list(&context, PageRequest::first(9)).await.unwrap().items;
    assert_eq!(listed.len(), 1);
    assert!(listed[0].last_used_at.is_some());
    assert!(!serde_json::to_string(&listed).unwrap().contains(&key[30..]));
    // Another tenant neither sees nor revokes the key.
    let elsewhere = world.a.enter(owner.access(), &beta).await.unwrap();
    assert!(world.a.identity.api_keys().list(&elsewhere, PageRequest::first(9)).await.unwrap().items.is_empty());
    assert_eq!(code(&world.a.identity.api_keys().revoke(&elsewhere, &made.view.key_id).await), Some(Code::NotFound));
    let rotated = world.a.identity.api_keys().rotate(&elsewhere, &made.view.key_id, RotateRequest::default()).await;
    assert_eq!(code(&rotated), Some(Code::NotFound));

    world.a.identity.api_keys().revoke(&context, &made.view.key_id).await.unwrap();
    assert_eq!(code(&world.a.enter(key, &acme).await), Some(Code::TokenInvalid));
    world.a.clock.advance(Duration::from_secs(2));
    assert_eq!(code(&world.b.enter(key, &acme).await), Some(Code::TokenInvalid));
}

#[tokio::test]
async fn keys_expire_rotate_and_never_exceed_their_creators_role() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let as_owner = world.a.enter(owner.access(), &acme).await.unwrap();
    let bob = world.a.signup("bob@example.org", None).await.unwrap();
    add(&world.a, &as_owner, &acme, &bob.user.user_id, Role::Admin).await.unwrap();
    let as_admin = world.a.enter(bob.access(), &acme).await.unwrap();
    let keys = world.a.identity.api_keys();
    assert_eq!(code(&make(&world.a, &as_admin, Role::Owner).await), Some(Code::RoleInsufficient));
    let owners = make(&world.a, &as_owner, Role::Owner).await.unwrap();
    assert_eq!(
        code(&keys.rotate(&as_admin, &owners.view.key_id, RotateRequest::default()).await),
        Some(Code::RoleInsufficient)
    );
    let viewer = make(&world.a, &as_admin, Role::Viewer).await.unwrap();
    let as_key = world.a.enter(viewer.key.expose(), &acme).await.unwrap();
    assert_eq!(code(&make(&world.a, &as_key, Role::Viewer).await), Some(Code::RoleInsufficient));

    let mut short = request(Role::Member);
    (short.expires_in, short.actor_type) = (Some(10), Some(ActorType::Human));
    let short = keys.create(&as_admin, short).await.unwrap();
    assert_eq!(world.a.enter(short.key.expose(), &acme).await.unwrap().expires_at(), short.view.expires_at);
    world.a.clock.advance(Duration::from_secs(10));
    assert_eq!(code(&world.a.enter(short.key.expose(), &acme).await), Some(Code::TokenExpired));
    let system = ApiKeyRequest { actor_type: Some(ActorType::System), ..request(Role::Viewer) };
    assert_eq!(code(&keys.create(&as_admin, system).await), Some(Code::BodyInvalid));
    let ended = ApiKeyRequest { expires_in: Some(0), ..request(Role::Viewer) };
    assert_eq!(code(&keys.create(&as_admin, ended).await), Some(Code::BodyInvalid));

    let (id, old) = (viewer.view.key_id.as_str(), viewer.key.expose());
    let new = keys.rotate(&as_admin, id, RotateRequest { grace: 60 }).await.unwrap();
    assert!(world.a.enter(old, &acme).await.is_ok());
    assert!(world.a.enter(new.key.expose(), &acme).await.is_ok());
    world.a.clock.advance(Duration::from_secs(60));
    assert_eq!(code(&world.a.enter(old, &acme).await), Some(Code::TokenInvalid));
    let newer = keys.rotate(&as_admin, id, RotateRequest::default()).await.unwrap();
    assert_eq!(code(&world.a.enter(new.key.expose(), &acme).await), Some(Code::TokenInvalid));
    assert!(world.a.enter(newer.key.expose(), &acme).await.is_ok());
    let long = RotateRequest { grace: u64::MAX };
    assert_eq!(code(&keys.rotate(&as_admin, id, long).await), Some(Code::BodyInvalid));

    let huge = format!("ek_{}", "x".repeat(8000));
    for bad in [
        "ek_",
        "ek_01ARZ3NDEKTSV4RRFFQ69G5FAV_",
        &old.replace("ek_", "tk_"),
        &old.to_uppercase(),
        &huge,
        &new.key.expose()[..73],
    ] {
        if bad != new.key.expose() {
            assert_eq!(code(&world.a.enter(bad, &acme).await), Some(Code::TokenInvalid), "{bad:.80}");
        }
    }
}

#[tokio::test]
async fn streams_opened_with_a_key_end_when_it_is_revoked() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let made = make(&world.a, &context, Role::Member).await.unwrap();
    let opened = world.a.enter(made.key.expose(), &acme).await.unwrap();
    let ticket = engines_auth::ticket::TicketRequest::once("/sse/chat/c");
    let ticket = world.a.identity.tickets().create(&opened, ticket).await.unwrap();
    let rotate = async |grace| {
        let request = RotateRequest { grace };
        world.a.identity.api_keys().rotate(&context, &made.view.key_id, request).await.unwrap()
    };
    // Streams end after the grace, or at once without one. Streams opened with the new secret stay.
    let second = rotate(10).await;
    assert!(world.a.admission.check_still_valid(&opened).await.is_ok());
    let by_second = world.a.enter(second.key.expose(), &acme).await.unwrap();
    world.a.clock.advance(Duration::from_secs(10));
    assert_eq!(code(&world.a.admission.check_still_valid(&opened).await), Some(Code::TokenInvalid));
    assert_eq!(
        code(&world.a.enter_by_ticket(ticket.ticket.expose(), "/sse/chat/c", None).await),
        Some(Code::TokenInvalid)
    );
    assert!(world.a.admission.check_still_valid(&by_second).await.is_ok());
    let third = rotate(0).await;
    let by_third = world.a.enter(third.key.expose(), &acme).await.unwrap();
    assert_eq!(code(&world.a.admission.check_still_valid(&by_second).await), Some(Code::TokenInvalid));
    // After two rotations within one grace, only the last old secret is valid.
    rotate(10).await;
    rotate(10).await;
    assert_eq!(code(&world.a.admission.check_still_valid(&by_third).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.a.principal(third.key.expose()).await), Some(Code::TokenInvalid));
}

#[tokio::test]
async fn a_delegated_key_never_outranks_or_outlives_its_parent() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let keys = world.a.identity.api_keys();
    let hour = ApiKeyRequest { expires_in: Some(3600), ..request(Role::Admin) };
    let parent = keys.create(&context, hour).await.unwrap();
    let by_key = world.a.enter(parent.key.expose(), &acme).await.unwrap();
    // A key without an expiry expires with its parent. A later expiry and a higher role are refused.
    let child = make(&world.a, &by_key, Role::Member).await.unwrap();
    assert_eq!(child.view.expires_at, parent.view.expires_at);
    assert_eq!(child.view.parent_key_id.as_deref(), Some(parent.view.key_id.as_str()));
    let longer = ApiKeyRequest { expires_in: Some(3601), ..request(Role::Member) };
    assert_eq!(code(&keys.create(&by_key, longer).await), Some(Code::BodyInvalid));
    assert_eq!(code(&make(&world.a, &by_key, Role::Owner).await), Some(Code::RoleInsufficient));
    let shorter = ApiKeyRequest { expires_in: Some(60), ..request(Role::Admin) };
    let grandchild_of = world.a.enter(keys.create(&by_key, shorter).await.unwrap().key.expose(), &acme).await.unwrap();
    let grandchild = make(&world.a, &grandchild_of, Role::Viewer).await.unwrap();
    // The length of a chain is limited.
    let mut last = grandchild_of;
    let mut made = 0;
    while made < 9 {
        match make(&world.a, &last, Role::Admin).await {
            Ok(next) => last = world.a.enter(next.key.expose(), &acme).await.unwrap(),
            Err(error) => {
                assert_eq!(error.code(), Code::OpInvalid);
                break;
            }
        }
        made += 1;
    }
    assert_eq!(made, 3, "a key has at most four ancestors");
    // When the middle key expires, its descendants end and its ancestors stay.
    world.a.clock.advance(Duration::from_secs(61));
    assert!(world.b.enter(grandchild.key.expose(), &acme).await.is_err());
    assert!(world.b.enter(child.key.expose(), &acme).await.is_ok());
    // Revocation of the parent ends all of its descendants at once and removes them from the list.
    keys.revoke(&context, &parent.view.key_id).await.unwrap();
    assert_eq!(code(&world.a.enter(child.key.expose(), &acme).await), Some(Code::TokenInvalid));
    world.a.clock.advance(Duration::from_secs(3));
    assert_eq!(code(&world.b.enter(child.key.expose(), &acme).await), Some(Code::TokenInvalid));
    assert!(keys.list(&context, PageRequest::first(99)).await.unwrap().items.is_empty());
}
