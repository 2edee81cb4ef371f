//! Creation and acceptance of invites.

use std::time::Duration;

use engines_auth::{
    identity::{
        AcceptRequest, AcceptResponse, Caller, IdentitySettings, InviteRequest, InviteResponse, Signup, TokenResponse,
    },
    mail::MailPurpose,
    password::Password,
};
use engines_core::{Code, Principal, RequestContext, Result, Role, TenantId, nexus::PageRequest};

use crate::fixture::{Exposed, Node, PASSWORD, code, secret, settings, world, world_with};

async fn invite(
    node: &Node,
    context: &RequestContext,
    tenant: &TenantId,
    role: Role,
    email: Option<&str>,
) -> Result<InviteResponse> {
    let request = InviteRequest { role, email: email.map(secret), expires_in: Some(600), send: true };
    node.identity.create_invite(context, tenant, request).await
}

pub(crate) async fn accept(
    node: &Node,
    token: &str,
    who: Option<&Principal>,
    email: Option<&str>,
) -> Result<TokenResponse> {
    let trace = node.trace();
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    let request = AcceptRequest {
        token: Some(secret(token)),
        invite_id: None,
        email: email.map(secret),
        password: email.map(|_| Password::new(PASSWORD)),
        display_name: None,
    };
    match node.identity.accept_invite(who, request, caller).await? {
        AcceptResponse::Tokens(tokens) => Ok(*tokens),
        AcceptResponse::Me(me) => panic!("no tokens: {me:?}"),
    }
}

#[tokio::test]
async fn members_and_new_people_accept_once() {
    let world = world_with(IdentitySettings { signup: Signup::Invite, ..settings() });
    let boss = crate::directory::minted(&world.a, "boss", &[("t_acme", Role::Owner)]);
    let acme = crate::fixture::tenant("t_acme");
    let context = world.a.enter(&boss, &acme).await.unwrap();

    let made = invite(&world.a, &context, &acme, Role::Owner, None).await.unwrap();
    let token = made.token.expose().to_owned();
    assert_eq!(code(&accept(&world.b, &token, None, None).await), Some(Code::TokenMissing));
    let ada = accept(&world.b, &token, None, Some("ada@example.org")).await.unwrap();
    assert_eq!(ada.tenant.as_ref().unwrap().tenant_id, acme);
    assert_eq!(world.b.enter(ada.access(), &acme).await.unwrap().role(), Role::Owner);
    assert_eq!(code(&accept(&world.a, &token, None, Some("eve@example.org")).await), Some(Code::TokenInvalid));
    // A failed acceptance creates no account.
    assert_eq!(code(&world.a.login("eve@example.org", PASSWORD).await), Some(Code::CredentialsInvalid));

    let second = invite(&world.a, &context, &acme, Role::Member, None).await.unwrap();
    let again = second.token.expose();
    // A claimed address has no account. A verified address has one.
    world.b.verify(&world.b.mailed("ada@example.org", MailPurpose::Verify).await).await.unwrap();
    assert_eq!(code(&accept(&world.a, again, None, Some("ADA@example.org")).await), Some(Code::AlreadyExists));
    let principal = world.b.principal(ada.access()).await.unwrap();
    assert_eq!(code(&accept(&world.a, again, Some(&principal), None).await), Some(Code::AlreadyExists));
    assert_eq!(
        code(&accept(&world.a, again, Some(&principal), Some("ada@example.org")).await),
        Some(Code::BodyInvalid)
    );
    // The failed attempt did not consume the token.
    assert!(accept(&world.a, again, None, Some("bob@example.org")).await.is_ok());
    let bob = world.a.login("bob@example.org", PASSWORD).await.unwrap();
    assert_eq!(bob.memberships[0].role, Role::Member);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_acceptances_at_the_same_time_one_counts() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    for round in 0..10 {
        let made = invite(&world.a, &context, &acme, Role::Viewer, None).await.unwrap();
        let token = made.token.expose();
        let known = world.a.signup(&format!("known{round}@example.org"), None).await.unwrap();
        let principal = world.b.principal(known.access()).await.unwrap();
        let email = format!("new{round}@example.org");
        let answers =
            tokio::join!(accept(&world.a, token, None, Some(&email)), accept(&world.b, token, Some(&principal), None));
        let answers = <[_; 2]>::from(answers);
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert!(answers.iter().any(|answer| code(answer) == Some(Code::TokenInvalid)));
        let members = world.a.identity.list_members(&context, &acme, PageRequest::first(100)).await.unwrap();
        assert_eq!(members.items.len(), round + 2);
    }
}

#[tokio::test]
async fn invites_are_bound_to_an_address_expire_and_can_be_revoked() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let bob = world.a.signup("bob@example.org", None).await.unwrap();
    let bob = world.a.principal(bob.access()).await.unwrap();
    let eve = world.a.signup("eve@example.org", None).await.unwrap();
    let eve = world.a.principal(eve.access()).await.unwrap();

    let made = invite(&world.a, &context, &acme, Role::Viewer, Some("Bob@Example.org")).await.unwrap();
    assert!(made.invite.for_one_address);
    assert_eq!(code(&accept(&world.a, made.token.expose(), Some(&eve), None).await), Some(Code::TokenInvalid));
    assert_eq!(
        code(&accept(&world.a, made.token.expose(), None, Some("x@example.org")).await),
        Some(Code::TokenInvalid)
    );
    assert!(accept(&world.a, made.token.expose(), Some(&bob), None).await.is_ok());

    let ended = invite(&world.a, &context, &acme, Role::Viewer, None).await.unwrap();
    world.a.clock.advance(Duration::from_secs(600));
    assert_eq!(code(&accept(&world.a, ended.token.expose(), Some(&eve), None).await), Some(Code::TokenExpired));

    let back = invite(&world.a, &context, &acme, Role::Viewer, None).await.unwrap();
    assert_eq!(world.a.identity.list_invites(&context, &acme, PageRequest::first(9)).await.unwrap().items.len(), 2);
    world.a.identity.delete_invite(&context, &acme, &back.invite.invite_id).await.unwrap();
    assert_eq!(code(&accept(&world.a, back.token.expose(), Some(&eve), None).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.a.identity.delete_invite(&context, &acme, "nonsense").await), Some(Code::NotFound));

    let huge = "x".repeat(8 << 20);
    for bad in ["", "iv_", "iv_01ARZ3NDEKTSV4RRFFQ69G5FAV_x", &huge, back.token.expose()] {
        assert_eq!(code(&accept(&world.a, bad, Some(&eve), None).await), Some(Code::TokenInvalid));
    }
    for expires_in in [0, 31 * 24 * 3600, u64::MAX] {
        let request = InviteRequest { role: Role::Viewer, email: None, expires_in: Some(expires_in), send: true };
        assert_eq!(code(&world.a.identity.create_invite(&context, &acme, request).await), Some(Code::BodyInvalid));
    }
    // An admin cannot invite an owner.
    crate::members::add(&world.a, &context, &acme, &eve.actor.id, Role::Admin).await.unwrap();
    let tokens = world.a.login("eve@example.org", PASSWORD).await.unwrap();
    let admin = world.a.enter(tokens.access(), &acme).await.unwrap();
    assert_eq!(code(&invite(&world.a, &admin, &acme, Role::Owner, None).await), Some(Code::RoleInsufficient));
    assert!(invite(&world.a, &admin, &acme, Role::Admin, None).await.is_ok());
}

#[tokio::test]
async fn a_removed_member_cannot_return_by_an_invite_they_created() {
    let world = world();
    let (own, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(own.access(), &acme).await.unwrap();
    let bob = world.a.signup("bob@example.org", None).await.unwrap();
    crate::members::add(&world.a, &context, &acme, &bob.user.user_id, Role::Admin).await.unwrap();
    let as_bob = world.a.enter(bob.access(), &acme).await.unwrap();
    let key = crate::api_keys::make(&world.a, &as_bob, Role::Admin).await.unwrap();
    let by_key = world.a.enter(key.key.expose(), &acme).await.unwrap();
    let kept = invite(&world.a, &as_bob, &acme, Role::Admin, None).await.unwrap();
    let keyed = invite(&world.a, &by_key, &acme, Role::Viewer, None).await.unwrap();
    let viewer = engines_auth::identity::RoleRequest { role: Role::Member };
    world.a.identity.change_role(&context, &acme, &bob.user.user_id, viewer).await.unwrap();
    let accepted = accept(&world.a, kept.token.expose(), None, Some("bob2@example.org")).await;
    assert_eq!(code(&accepted), Some(Code::TokenInvalid));
    world.a.identity.remove_member(&context, &acme, &bob.user.user_id).await.unwrap();
    let principal = world.a.principal(bob.access()).await.unwrap();
    assert_eq!(code(&accept(&world.a, kept.token.expose(), Some(&principal), None).await), Some(Code::TokenInvalid));
    // The invite of a key is valid until the key is revoked.
    assert!(accept(&world.a, keyed.token.expose(), None, Some("cy@example.org")).await.is_ok());
    let keyed = invite(&world.a, &by_key, &acme, Role::Viewer, None).await.unwrap();
    world.a.identity.api_keys().revoke(&context, &key.view.key_id).await.unwrap();
    let accepted = accept(&world.a, keyed.token.expose(), None, Some("dee@example.org")).await;
    assert_eq!(code(&accepted), Some(Code::TokenInvalid));
    // An inviter who gets the role back may invite again.
    crate::members::add(&world.a, &context, &acme, &bob.user.user_id, Role::Owner).await.unwrap();
    assert!(accept(&world.a, kept.token.expose(), None, Some("eve@example.org")).await.is_ok());
}
