//! The tenants every deployment has, and what the control plane may.

use engines_auth::identity::{BootstrapRequest, BootstrapResponse, Caller, TenantStatus, TokenResponse};
use engines_core::{Code, Result, Role, TenantId, UserId, nexus::Page};

use crate::kit::{Exposed, Node, SYSTEM_KEY, code, tenant, user, world};

async fn bootstrap(node: &Node, key: Option<&[u8]>, owner: Option<UserId>) -> Result<BootstrapResponse> {
    let trace = node.trace();
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    node.identity.bootstrap_tenants(key, BootstrapRequest { owner_user_id: owner }, caller).await
}

/// Somebody who owns the control plane.
pub(crate) async fn operator(node: &Node) -> (TokenResponse, TenantId) {
    let tokens = node.signup("operator@example.org", None).await.unwrap();
    bootstrap(node, Some(SYSTEM_KEY), Some(tokens.user.user_id.clone())).await.unwrap();
    (tokens, tenant("t_system"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_idempotent_race_free_and_behind_its_key() {
    let world = world();
    assert_eq!(code(&bootstrap(&world.a, None, None).await), Some(Code::TokenMissing));
    for wrong in [&b""[..], b"x", b"a system key for test", b"a system key for tests "] {
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
async fn the_control_plane_closes_tenants_and_sees_nobodys_content() {
    let world = world();
    let (operator, system) = operator(&world.a).await;
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let control = world.a.enter(operator.access(), &system).await.unwrap();
    let inside = world.a.enter(owner.access(), &acme).await.unwrap();
    // No membership of the control plane is one of another tenant.
    assert_eq!(code(&world.a.enter(operator.access(), &acme).await), Some(Code::TenantForbidden));
    assert_eq!(code(&world.a.identity.list_members(&control, &acme, Page::first(9)).await), Some(Code::NotFound));
    let listed = world.a.identity.list_tenants(&control, Page::first(9)).await.unwrap();
    assert!(listed.items.iter().any(|listed| listed.tenant_id == acme));
    assert_eq!(code(&world.a.identity.list_tenants(&inside, Page::first(9)).await), Some(Code::TenantForbidden));
    assert_eq!(code(&world.a.identity.suspend_tenant(&inside, &acme).await), Some(Code::TenantForbidden));
    assert_eq!(code(&world.a.identity.suspend_tenant(&control, &system).await), Some(Code::OpInvalid));
    assert_eq!(code(&world.a.identity.suspend_tenant(&control, &tenant("t_none")).await), Some(Code::NotFound));

    let closed = world.a.identity.suspend_tenant(&control, &acme).await.unwrap();
    assert_eq!(closed.status, TenantStatus::Suspended);
    assert_eq!(code(&world.a.enter(owner.access(), &acme).await), Some(Code::TenantForbidden));
    let tokens = world.a.login("ada@example.org", crate::kit::PASSWORD).await.unwrap();
    assert!(tokens.tenant.is_none() && tokens.memberships.is_empty());
    world.a.identity.resume_tenant(&control, &acme).await.unwrap();
    assert!(world.a.enter(owner.access(), &acme).await.is_ok());
    // Its owner may close it as well, and not open it again.
    world.a.identity.disable_tenant(&inside, &acme).await.unwrap();
    assert_eq!(code(&world.a.enter(owner.access(), &acme).await), Some(Code::TenantForbidden));
}
