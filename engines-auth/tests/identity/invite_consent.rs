//! No user becomes a member without accepting, no inviter learns who has an account, and only users choose their
//! default tenant.

use engines_auth::{
    identity::{
        AcceptRequest, AcceptResponse, Caller, DeclineRequest, DefaultTenantRequest, IdentitySettings, InviteRequest,
        MemberRequest, OwnInviteView, TenantRequest,
    },
    mail::MailPurpose,
    password::Password,
};
use engines_core::{
    Code, Principal, RequestContext, Result, Role, TenantId, UserId,
    nexus::{Page, PageRequest},
};

use crate::fixture::{Exposed, Node, PASSWORD, code, secret, settings, user, world, world_with};

/// Accepts the principal's newest invite to a tenant.
pub(crate) async fn accept_own(node: &Node, principal: &Principal, tenant: &TenantId) -> Result<AcceptResponse> {
    let own = node.identity.own_invites(principal, PageRequest::first(200)).await?.items;
    let invite = own.into_iter().rev().find(|invite| invite.tenant_id == *tenant);
    let invite_id = invite.map_or_else(|| "01ARZ3NDEKTSV4RRFFQ69G5FAV".into(), |invite| invite.invite_id);
    accept_by_id(node, principal, &invite_id).await
}

pub(crate) async fn accept_by_id(node: &Node, principal: &Principal, invite_id: &str) -> Result<AcceptResponse> {
    let trace = node.trace();
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    let request = AcceptRequest { invite_id: Some(invite_id.into()), ..AcceptRequest::default() };
    node.identity.accept_invite(Some(principal), request, caller).await
}

pub(crate) fn by_mail(email: &str, role: Role) -> MemberRequest {
    MemberRequest { user_id: None, email: Some(secret(email)), role }
}

fn by_id(user: &UserId, role: Role) -> MemberRequest {
    MemberRequest { user_id: Some(user.clone()), email: None, role }
}

async fn own(node: &Node, principal: &Principal) -> Vec<OwnInviteView> {
    node.identity.own_invites(principal, PageRequest::first(50)).await.unwrap().items
}

async fn ids(node: &Node, context: &RequestContext, tenant: &TenantId) -> Vec<String> {
    let listed = node.identity.list_invites(context, tenant, PageRequest::first(50)).await.unwrap().items;
    listed.into_iter().map(|invite| invite.invite_id).collect()
}

#[tokio::test]
async fn an_invite_reveals_nothing_and_grants_no_membership_before_acceptance() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let bob = world.a.verified("bob@example.org", None).await;
    let eve = world.a.signup("eve@example.org", None).await.unwrap();
    let mut answers = Vec::new();
    for request in [
        by_mail("bob@example.org", Role::Viewer),
        by_mail("eve@example.org", Role::Viewer),
        by_mail("nobody@example.org", Role::Viewer),
        by_id(&bob.user.user_id, Role::Viewer),
        by_id(&owner.user.user_id, Role::Viewer),
        by_id(&user("nobody-at-all"), Role::Viewer),
    ] {
        let invited = world.a.identity.add_member(&context, &acme, request).await.unwrap();
        answers.push(serde_json::to_string(&invited).unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == r#"{"status":"invited"}"#), "{answers:?}");
    let members = world.a.identity.list_members(&context, &acme, PageRequest::first(9)).await.unwrap().items;
    assert_eq!(members.len(), 1);
    assert_eq!(code(&world.a.enter(bob.access(), &acme).await), Some(Code::TenantForbidden));
    // Every invited address gets a mail, whether it has an account or not. Users invited by id get none.
    for email in ["bob@example.org", "eve@example.org", "nobody@example.org"] {
        world.a.mailed(email, MailPurpose::Invite).await;
    }
    assert!(world.a.mailer.last("ada@example.org", MailPurpose::Invite).is_none());
    // The user with the verified address sees both invites. The user who only claims the address sees none.
    let (bob, eve) = (world.a.principal(bob.access()).await.unwrap(), world.a.principal(eve.access()).await.unwrap());
    assert_eq!(own(&world.a, &bob).await.len(), 2);
    assert!(own(&world.a, &eve).await.is_empty());
    for invite in ids(&world.a, &context, &acme).await {
        let answer = accept_by_id(&world.a, &eve, &invite).await;
        assert_eq!(code(&answer), Some(Code::NotFound));
    }
    // After verification the invite is listed.
    world.a.verify(&world.a.mailed("eve@example.org", MailPurpose::Verify).await).await.unwrap();
    assert_eq!(own(&world.a, &eve).await.len(), 1);
    accept_own(&world.a, &eve, &acme).await.unwrap();
    assert!(own(&world.a, &eve).await.is_empty());
    // A second acceptance is refused, because the user is a member.
    accept_own(&world.a, &bob, &acme).await.unwrap();
    assert_eq!(code(&accept_own(&world.a, &bob, &acme).await), Some(Code::AlreadyExists));
}

#[tokio::test]
async fn pending_invites_are_replaced_declined_and_paged() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let bob = world.a.verified("bob@example.org", None).await;
    let principal = world.a.principal(bob.access()).await.unwrap();
    for role in [Role::Admin, Role::Viewer] {
        world.a.identity.add_member(&context, &acme, by_id(&bob.user.user_id, role)).await.unwrap();
    }
    let waiting = own(&world.a, &principal).await;
    assert_eq!(waiting.iter().map(|invite| invite.role).collect::<Vec<_>>(), [Role::Viewer]);
    assert_eq!(waiting[0].tenant_name.as_deref(), Some("Acme Inc."));
    let trace = world.a.trace();
    let decline = |id: &str| DeclineRequest { invite_id: id.into() };
    let eve = world.a.principal(world.a.signup("eve@example.org", None).await.unwrap().access()).await.unwrap();
    let id = waiting[0].invite_id.clone();
    assert_eq!(code(&world.a.identity.decline_invite(&eve, decline(&id), &trace).await), Some(Code::NotFound));
    world.a.identity.decline_invite(&principal, decline(&id), &trace).await.unwrap();
    assert_eq!(code(&world.a.identity.decline_invite(&principal, decline(&id), &trace).await), Some(Code::NotFound));
    assert!(ids(&world.a, &context, &acme).await.is_empty());

    // Pages cover both lists.
    let mut expected = 0;
    for round in 0..3 {
        let (other, place) = world.a.owner(&format!("o{round}@example.org")).await;
        let inside = world.a.enter(other.access(), &place).await.unwrap();
        for request in [by_id(&bob.user.user_id, Role::Viewer), by_mail("bob@example.org", Role::Viewer)] {
            world.a.identity.add_member(&inside, &place, request).await.unwrap();
            expected += 1;
        }
    }
    for limit in [1, 2, 3, 4, 50] {
        let (mut seen, mut page) = (Vec::new(), PageRequest::first(limit));
        loop {
            let Page { items, next } = world.a.identity.own_invites(&principal, page).await.unwrap();
            assert!(items.len() <= limit);
            seen.extend(items.into_iter().map(|invite| invite.invite_id));
            let Some(next) = next else { break };
            page = PageRequest::after(limit, next);
        }
        let all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((all, seen.len()), (expected, expected), "{limit}");
    }
    let wrong = world.a.identity.own_invites(&principal, PageRequest::after(1, "nonsense")).await;
    assert_eq!(code(&wrong), Some(Code::CursorInvalid));
    let key = crate::api_keys::make(&world.a, &context, Role::Owner).await.unwrap();
    let key = world.a.principal(key.key.expose()).await.unwrap();
    assert_eq!(code(&world.a.identity.own_invites(&key, PageRequest::first(1)).await), Some(Code::TokenInvalid));
}

#[tokio::test]
async fn only_a_mailed_invite_token_verifies_its_address() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let squatter = world.a.signup("bob@example.org", Some("Squat")).await.unwrap();
    world.a.identity.add_member(&context, &acme, by_mail("bob@example.org", Role::Member)).await.unwrap();
    let token = world.a.mailed("bob@example.org", MailPurpose::Invite).await;
    let bob = crate::invites::accept(&world.a, &token, None, Some("Bob@example.org")).await.unwrap();
    assert!(bob.user.email_verified);
    assert_eq!(bob.tenant.as_ref().map(|tenant| &tenant.tenant_id), Some(&acme));
    // The squatter has lost the address and nothing else, and has no access to what Bob has.
    let principal = world.a.principal(squatter.access()).await.unwrap();
    let me = world.a.identity.me(&principal).await.unwrap();
    assert_eq!((me.user.email, me.memberships.len()), (None, 1));
    assert_eq!(world.a.login("bob@example.org", PASSWORD).await.unwrap().user.user_id, bob.user.user_id);

    let request =
        InviteRequest { role: Role::Viewer, email: Some(secret("cy@example.org")), expires_in: None, send: false };
    let made = world.a.identity.create_invite(&context, &acme, request).await.unwrap();
    let cy = crate::invites::accept(&world.a, made.token.expose(), None, Some("cy@example.org")).await.unwrap();
    assert!(!cy.user.email_verified);
    assert!(world.a.mailer.last("cy@example.org", MailPurpose::Invite).is_none());
    // A mailed token also verifies the address of an account that claims it.
    let dee = world.a.signup("dee@example.org", None).await.unwrap();
    world.a.identity.add_member(&context, &acme, by_mail("dee@example.org", Role::Member)).await.unwrap();
    let token = world.a.mailed("dee@example.org", MailPurpose::Invite).await;
    let principal = world.a.principal(dee.access()).await.unwrap();
    let dee = crate::invites::accept(&world.a, &token, Some(&principal), None).await.unwrap();
    assert!(dee.user.email_verified);
    // The invite sets no default tenant for an existing user.
    assert!(dee.tenant.is_none() && dee.memberships.len() == 1);
}

#[tokio::test]
async fn the_default_tenant_is_chosen_by_its_user_alone() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let bob = world.a.verified("bob@example.org", None).await;
    let principal = world.a.principal(bob.access()).await.unwrap();
    crate::members::add(&world.a, &context, &acme, &bob.user.user_id, Role::Member).await.unwrap();
    let again = world.a.login("bob@example.org", PASSWORD).await.unwrap();
    assert!(again.tenant.is_none());
    let unnamed = async |bearer: &str| {
        let bearer = format!("Bearer {bearer}");
        let presented = engines_auth::AuthInput {
            authorization: engines_auth::FieldValues::one(&bearer),
            env_headers: engines_auth::FieldValues::one("dev"),
            ..engines_auth::AuthInput::default()
        };
        let principal = world.a.admission.authenticate(&presented).await?;
        world.a.admission.admit(&principal, &presented, &engines_auth::BodyClaims::default()).await
    };
    assert_eq!(code(&unnamed(again.access()).await), Some(Code::TenantRequired));
    let trace = world.a.trace();
    let choose = |tenant: &TenantId| DefaultTenantRequest { tenant_id: tenant.clone() };
    let elsewhere = crate::fixture::tenant("t_elsewhere");
    let refused = world.a.identity.set_default_tenant(&principal, choose(&elsewhere), &trace).await.unwrap_err();
    assert_eq!(refused.code(), Code::TenantForbidden);
    assert!(refused.member("decision_id").is_some());
    let me = world.a.identity.set_default_tenant(&principal, choose(&acme), &trace).await.unwrap();
    assert_eq!(me.tenant.map(|tenant| tenant.tenant_id), Some(acme.clone()));
    // The change applies to tokens that were issued before.
    assert_eq!(unnamed(again.access()).await.unwrap().scope().tenant(), &acme);
    // A removed member must accept again.
    world.a.identity.remove_member(&context, &acme, &bob.user.user_id).await.unwrap();
    assert_eq!(code(&unnamed(again.access()).await), Some(Code::TenantRequired));
    assert!(world.a.login("bob@example.org", PASSWORD).await.unwrap().tenant.is_none());
}

#[tokio::test]
async fn memberships_are_paged_and_ones_own_tenants_come_first() {
    // Each acceptance starts a session.
    let world = world_with(IdentitySettings { sessions_per_user: 200, ..settings() });
    let bob = world.a.verified("bob@example.org", None).await;
    let principal = world.a.principal(bob.access()).await.unwrap();
    let (owner, _) = world.a.owner("ada@example.org").await;
    let ada = world.a.principal(owner.access()).await.unwrap();
    let trace = world.a.trace();
    for at in 0..52 {
        let name = TenantRequest { name: format!("Aaa {at:02}") };
        let place = world.a.identity.create_tenant(&ada, name, &trace).await.unwrap().tenant_id;
        let context = world.a.enter(owner.access(), &place).await.unwrap();
        crate::members::add(&world.a, &context, &place, &bob.user.user_id, Role::Viewer).await.unwrap();
    }
    let own = world.a.identity.create_tenant(&principal, TenantRequest { name: "Zzz".into() }, &trace).await.unwrap();
    let tokens = world.a.login("bob@example.org", PASSWORD).await.unwrap();
    assert_eq!((tokens.memberships.len(), &tokens.memberships[0].tenant_id), (50, &own.tenant_id));
    assert!(tokens.access().len() < 8 << 10);
    let me = world.a.identity.me(&principal).await.unwrap();
    assert_eq!(me.memberships.len(), 50);
    let rest = PageRequest::after(50, me.memberships_next.unwrap());
    let rest = world.a.identity.list_memberships(&principal, rest).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (3, None));
    let (mut seen, mut page) = (Vec::new(), PageRequest::first(7));
    loop {
        let part = world.a.identity.list_memberships(&principal, page).await.unwrap();
        seen.extend(part.items.into_iter().map(|one| one.tenant_id));
        let Some(next) = part.next else { break };
        page = PageRequest::after(7, next);
    }
    assert_eq!((seen.len(), &seen[0]), (53, &own.tenant_id));
    let wrong = world.a.identity.list_memberships(&principal, PageRequest::after(1, "x")).await;
    assert_eq!(code(&wrong), Some(Code::CursorInvalid));
}

#[tokio::test]
async fn invites_are_throttled_and_an_owners_invite_is_for_owners() {
    let world = world_with(IdentitySettings { invite_burst: 3, ..settings() });
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let bob = world.a.verified("bob@example.org", None).await;
    crate::members::add(&world.a, &context, &acme, &bob.user.user_id, Role::Admin).await.unwrap();
    let as_bob = world.a.enter(bob.access(), &acme).await.unwrap();
    world.a.identity.add_member(&context, &acme, by_mail("boss@example.org", Role::Owner)).await.unwrap();
    let [invite] = <[_; 1]>::try_from(ids(&world.a, &context, &acme).await).unwrap();
    let by_admin = world.a.identity.delete_invite(&as_bob, &acme, &invite).await.unwrap_err();
    assert_eq!(by_admin.code(), Code::RoleInsufficient);
    assert!(by_admin.member("decision_id").is_some());
    // An admin's invite for the same person does not replace it.
    world.a.identity.add_member(&as_bob, &acme, by_mail("boss@example.org", Role::Viewer)).await.unwrap();
    assert_eq!(ids(&world.a, &context, &acme).await.len(), 2);
    world.a.identity.delete_invite(&context, &acme, &invite).await.unwrap();
    // Known and unknown recipients have the same limits.
    for email in ["bob@example.org", "nobody@example.org"] {
        let limited = world.a.identity.add_member(&context, &acme, by_mail(email, Role::Viewer)).await.unwrap_err();
        assert_eq!(limited.code(), Code::RateLimited);
        assert!(limited.member("decision_id").is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_accept_and_revoke_of_an_invite_have_one_outcome() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    for round in 0..20 {
        let bob = world.a.signup(&format!("b{round}@example.org"), None).await.unwrap();
        let principal = world.b.principal(bob.access()).await.unwrap();
        let who = &bob.user.user_id;
        world.a.identity.add_member(&context, &acme, by_id(who, Role::Viewer)).await.unwrap();
        let [invite] = <[_; 1]>::try_from(ids(&world.a, &context, &acme).await).unwrap();
        let (accepted, back) = tokio::join!(
            accept_by_id(&world.b, &principal, &invite),
            world.a.identity.delete_invite(&context, &acme, &invite)
        );
        let member = world.a.identity.remove_member(&context, &acme, who).await.is_ok();
        assert_eq!(accepted.is_ok(), member, "{accepted:?}");
        assert_ne!(accepted.is_ok(), back.is_ok(), "{accepted:?} {back:?}");
    }
}

#[tokio::test]
async fn a_new_user_needs_the_invite_token_and_an_invite_id_works_for_its_invitee_only() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    world.a.identity.add_member(&context, &acme, by_mail("bob@example.org", Role::Viewer)).await.unwrap();
    let [invite] = <[_; 1]>::try_from(ids(&world.a, &context, &acme).await).unwrap();
    let trace = world.a.trace();
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    let request = AcceptRequest {
        invite_id: Some(invite),
        email: Some(secret("bob@example.org")),
        password: Some(Password::new(PASSWORD)),
        ..AcceptRequest::default()
    };
    let answer = world.a.identity.accept_invite(None, request, caller).await;
    assert_eq!(code(&answer), Some(Code::TokenMissing));
    let neither = world.a.identity.accept_invite(None, AcceptRequest::default(), caller).await;
    assert_eq!(code(&neither), Some(Code::BodyInvalid));
    let token = world.a.mailed("bob@example.org", MailPurpose::Invite).await;
    let other = crate::invites::accept(&world.a, &token, None, Some("eve@example.org")).await;
    assert_eq!(code(&other), Some(Code::TokenInvalid));
}
