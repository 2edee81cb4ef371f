//! The tenants that every deployment has, and the rights of the control plane.

use std::time::Duration;

use engines_auth::{
    identity::{
        BootstrapRequest, BootstrapResponse, Caller, FirstOwner, IdentitySettings, Signup, TenantStatus, TokenResponse,
    },
    password::Password,
};
use engines_core::{Code, Result, Role, TenantId, UserId, nexus::PageRequest};

use crate::fixture::{Exposed, Node, PASSWORD, SYSTEM_KEY, code, secret, settings, tenant, user, world, world_with};

async fn bootstrap(node: &Node, key: Option<&[u8]>, owner: Option<UserId>) -> Result<BootstrapResponse> {
    let trace = node.trace();
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    node.identity.bootstrap_tenants(key, BootstrapRequest { owner_user_id: owner, owner: None }, caller).await
}

/// Returns the tokens of an owner of the control plane, and its tenant.
pub(crate) async fn operator(node: &Node) -> (TokenResponse, TenantId) {
    let tokens = node.signup("operator@example.org", None).await.unwrap();
    bootstrap(node, Some(SYSTEM_KEY), Some(tokens.user.user_id.clone())).await.unwrap();
    (tokens, tenant("t_system"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bootstrap_is_idempotent_race_free_and_needs_the_system_key() {
    let world = world();
    assert_eq!(code(&bootstrap(&world.a, None, None).await), Some(Code::TokenMissing));
    for wrong in
        [&b""[..], b"x", b"the key of the bootstrap in these test", b"the key of the bootstrap in these tests "]
    {
        assert!(matches!(
            code(&bootstrap(&world.a, Some(wrong), None).await),
            Some(Code::TokenInvalid | Code::TokenMissing)
        ));
    }
    let one = || bootstrap(&world.a, Some(SYSTEM_KEY), None);
    let two = || bootstrap(&world.b, Some(SYSTEM_KEY), None);
    let answers = <[_; 4]>::from(tokio::join!(one(), two(), one(), two()));
    let first = answers[0].as_ref().unwrap().tenants.clone();
    assert_eq!(first.iter().map(|made| made.tenant_id.as_str()).collect::<Vec<_>>(), ["t_system", "t_northstar"]);
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().tenants == first));
    let nobody = bootstrap(&world.a, Some(SYSTEM_KEY), Some(user("nobody-here"))).await;
    assert_eq!(code(&nobody), Some(Code::NotFound));

    let (tokens, system) = operator(&world.a).await;
    operator_again(&world.b, &tokens).await;
    assert_eq!(world.b.enter(tokens.access(), &system).await.unwrap().role(), Role::Owner);
    let state = world.b.identity.bootstrap_state(&world.b.principal(tokens.access()).await.unwrap()).await.unwrap();
    assert!(state.bootstrapped);
    assert_eq!(state.me.memberships.len(), 2);
}

async fn operator_again(node: &Node, tokens: &TokenResponse) {
    bootstrap(node, Some(SYSTEM_KEY), Some(tokens.user.user_id.clone())).await.unwrap();
}

#[tokio::test]
async fn operators_can_disable_tenants_but_not_read_their_content() {
    let world = world();
    let (operator, system) = operator(&world.a).await;
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let control = world.a.enter(operator.access(), &system).await.unwrap();
    let inside = world.a.enter(owner.access(), &acme).await.unwrap();
    // A membership of the control plane is no membership of another tenant.
    assert_eq!(code(&world.a.enter(operator.access(), &acme).await), Some(Code::TenantForbidden));
    assert_eq!(
        code(&world.a.identity.list_members(&control, &acme, PageRequest::first(9)).await),
        Some(Code::NotFound)
    );
    let listed = world.a.identity.list_tenants(&control, PageRequest::first(9)).await.unwrap();
    assert!(listed.items.iter().any(|listed| listed.tenant_id == acme));
    assert_eq!(code(&world.a.identity.list_tenants(&inside, PageRequest::first(9)).await), Some(Code::TenantForbidden));
    assert_eq!(code(&world.a.identity.suspend_tenant(&inside, &acme).await), Some(Code::TenantForbidden));
    assert_eq!(code(&world.a.identity.suspend_tenant(&control, &system).await), Some(Code::OpInvalid));
    assert_eq!(code(&world.a.identity.resume_tenant(&control, &tenant("t_none")).await), Some(Code::NotFound));

    let closed = world.a.identity.suspend_tenant(&control, &acme).await.unwrap();
    assert_eq!(closed.status, TenantStatus::Suspended);
    assert_eq!(code(&world.a.enter(owner.access(), &acme).await), Some(Code::TenantForbidden));
    let tokens = world.a.login("ada@example.org", crate::fixture::PASSWORD).await.unwrap();
    assert!(tokens.tenant.is_none() && tokens.memberships.is_empty());
    world.a.identity.resume_tenant(&control, &acme).await.unwrap();
    assert!(world.a.enter(owner.access(), &acme).await.is_ok());
    // The tenant's owner may close it, but not open it again.
    world.a.identity.disable_tenant(&inside, &acme).await.unwrap();
    assert_eq!(code(&world.a.enter(owner.access(), &acme).await), Some(Code::TenantForbidden));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_owner_gets_in_where_nobody_may_sign_up() {
    let closed = IdentitySettings { signup: Signup::Invite, tenants_must_exist: true, ..settings() };
    let world = world_with(closed);
    let first = |node: Node, email: &'static str, password: &'static str| async move {
        let trace = node.trace();
        let caller = Caller { address: None, user_agent: None, trace: &trace };
        let owner = FirstOwner { email: secret(email), password: Password::new(password), display_name: None };
        let request = BootstrapRequest { owner_user_id: None, owner: Some(owner) };
        node.identity.bootstrap_tenants(Some(SYSTEM_KEY), request, caller).await
    };
    assert_eq!(code(&first(world.a.clone(), "op@example.org", "short").await), Some(Code::BodyInvalid));
    let (one, two) = tokio::join!(
        first(world.a.clone(), "op@example.org", PASSWORD),
        first(world.b.clone(), "OP@example.org", PASSWORD)
    );
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    // The bootstrap changes no password.
    first(world.a.clone(), "op@example.org", "another 88 Lantern, quiet").await.unwrap();
    let tokens = world.b.login("op@example.org", PASSWORD).await.unwrap();
    assert_eq!(tokens.memberships.len(), 2);
    let control = world.b.enter(tokens.access(), &tenant("t_system")).await.unwrap();
    assert!(world.b.identity.list_tenants(&control, PageRequest::first(9)).await.is_ok());
}

#[tokio::test]
async fn users_known_only_from_tokens_can_be_disabled() {
    let world = world();
    let (operator, system) = operator(&world.a).await;
    let control = world.a.enter(operator.access(), &system).await.unwrap();
    let outside = crate::directory::minted(&world.a, "somebody|else", &[("t_elsewhere", Role::Owner)]);
    let (place, who) = (tenant("t_elsewhere"), user("somebody|else"));
    assert!(world.a.enter(&outside, &place).await.is_ok());
    assert_eq!(code(&world.a.identity.set_user_disabled(&control, &who, false).await), Some(Code::NotFound));
    world.a.identity.set_user_disabled(&control, &who, true).await.unwrap();
    assert_eq!(code(&world.a.enter(&outside, &place).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.b.enter(&outside, &place).await), Some(Code::TokenInvalid));
    world.a.clock.advance(Duration::from_secs(1));
    world.a.identity.set_user_disabled(&control, &who, false).await.unwrap();
    assert_eq!(code(&world.a.identity.set_user_disabled(&control, &who, false).await), Some(Code::NotFound));
    // An older token stays refused on every node. A new one is accepted.
    assert_eq!(code(&world.a.enter(&outside, &place).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.b.enter(&outside, &place).await), Some(Code::TokenInvalid));
    let outside = crate::directory::minted(&world.a, "somebody|else", &[("t_elsewhere", Role::Owner)]);
    assert!(world.a.enter(&outside, &place).await.is_ok());
    world.a.clock.advance(Duration::from_secs(2));
    assert!(world.b.enter(&outside, &place).await.is_ok());
    // Nothing else remains of the block: the claims of the token apply as before, also in a tenant that is kept here.
    let (_, acme) = world.a.owner("ada@example.org").await;
    let claims = crate::directory::minted(&world.a, "somebody|else", &[(acme.as_str(), Role::Viewer)]);
    assert!(world.a.enter(&claims, &acme).await.is_ok());

    let closed = world.a.identity.suspend_tenant(&control, &place).await.unwrap();
    assert_eq!((closed.tenant_id.as_str(), closed.status), ("t_elsewhere", TenantStatus::Suspended));
    assert_eq!(code(&world.a.enter(&outside, &place).await), Some(Code::TenantForbidden));
    world.a.identity.resume_tenant(&control, &place).await.unwrap();
    assert!(world.a.enter(&outside, &place).await.is_ok());
    assert_eq!(code(&world.a.identity.suspend_tenant(&control, &system).await), Some(Code::OpInvalid));
    let oneself = world.a.identity.set_user_disabled(&control, &operator.user.user_id, true).await;
    assert_eq!(code(&oneself), Some(Code::OpInvalid));
    assert!(world.b.enter(operator.access(), &system).await.is_ok());
}
