//! The directory: how soon changes take effect, and that it fails closed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use engines_auth::{
    JwtSettings, SigningSecret, TokenIssuer, TokenRequest,
    identity::{IdentitySettings, RoleRequest},
};
use engines_core::{Code, Role};

use crate::{
    fixture::{Exposed, Node, SECRET, code, settings, tenant, user, world, world_with},
    members::add,
};

/// Returns a token minted elsewhere with the same secret.
pub(crate) fn minted(node: &Node, sub: &str, memberships: &[(&str, Role)]) -> String {
    let secret = SigningSecret::new(SECRET).unwrap();
    let issuer = TokenIssuer::new(&secret, JwtSettings::default(), Arc::new(node.clock.clone()), node.ids.clone());
    let mut request = TokenRequest::new(user(sub), Duration::from_secs(3600));
    request.memberships = memberships.iter().map(|(id, role)| (tenant(id), *role)).collect::<BTreeMap<_, _>>();
    issuer.unwrap().issue(&request).unwrap().expose().to_owned()
}

#[tokio::test]
async fn a_change_applies_at_once_on_this_node_and_within_the_ttl_on_others() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let bob = world.a.signup("bob@example.org", None).await.unwrap();
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    // Both nodes have cached that there is no membership.
    assert_eq!(code(&world.a.enter(bob.access(), &acme).await), Some(Code::TenantForbidden));
    assert_eq!(code(&world.b.enter(bob.access(), &acme).await), Some(Code::TenantForbidden));
    add(&world.a, &context, &acme, &bob.user.user_id, Role::Admin).await.unwrap();
    let role = |node: &Node| {
        let (node, bob, acme) = (node.clone(), bob.access().to_owned(), acme.clone());
        async move { node.enter(&bob, &acme).await.map(|context| context.role()).map_err(|error| error.code()) }
    };
    assert_eq!(role(&world.a).await, Ok(Role::Admin));
    world.a.clock.advance(Duration::from_secs(2));
    assert_eq!(role(&world.b).await, Ok(Role::Admin));
    let id = &bob.user.user_id;
    world.a.identity.change_role(&context, &acme, id, RoleRequest { role: Role::Viewer }).await.unwrap();
    assert_eq!(role(&world.a).await, Ok(Role::Viewer));
    assert_eq!(role(&world.b).await, Ok(Role::Admin), "this is what the time is for");
    world.a.clock.advance(Duration::from_secs(2));
    assert_eq!(role(&world.b).await, Ok(Role::Viewer));
    world.a.identity.remove_member(&context, &acme, id).await.unwrap();
    assert_eq!(role(&world.a).await, Err(Code::TenantForbidden));
    world.a.clock.advance(Duration::from_secs(2));
    assert_eq!(role(&world.b).await, Err(Code::TenantForbidden));
    // Setting the clock back makes no cached entry valid again.
    world
        .a
        .clock
        .set(engines_core::Timestamp::from_millis(engines_core::Clock::now(&world.a.clock).as_millis() - 3000));
    assert_eq!(role(&world.b).await, Err(Code::TenantForbidden));
}

#[tokio::test]
async fn a_disabled_user_is_rejected_in_every_tenant() {
    let world = world();
    let (operator, system) = crate::bootstrap::operator(&world.a).await;
    let (ada, acme) = world.a.owner("ada@example.org").await;
    let control = world.a.enter(operator.access(), &system).await.unwrap();
    assert!(world.b.enter(ada.access(), &acme).await.is_ok());
    world.a.identity.set_user_disabled(&control, &ada.user.user_id, true).await.unwrap();
    assert_eq!(code(&world.a.principal(ada.access()).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.a.refresh(ada.next()).await), Some(Code::TokenInvalid));
    world.a.clock.advance(Duration::from_secs(2));
    assert_eq!(code(&world.b.enter(ada.access(), &acme).await), Some(Code::TokenInvalid));
    world.a.identity.set_user_disabled(&control, &ada.user.user_id, false).await.unwrap();
    // An earlier session may be the reason for the block: it stays closed, and she logs in again.
    assert_eq!(code(&world.a.enter(ada.access(), &acme).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.a.refresh(ada.next()).await), Some(Code::TokenInvalid));
    let again = world.a.login("ada@example.org", crate::fixture::PASSWORD).await.unwrap();
    assert!(world.a.enter(again.access(), &acme).await.is_ok());
    assert!(world.b.refresh(again.next()).await.is_ok());
}

#[tokio::test]
async fn tokens_minted_elsewhere_are_good_by_their_claims_unless_tenants_must_exist() {
    let world = world();
    let (_, acme) = world.a.owner("ada@example.org").await;
    let known = world.a.signup("bob@example.org", None).await.unwrap().user.user_id;
    let claims = [("t_far", Role::Admin), (acme.as_str(), Role::Viewer)];
    let stranger = minted(&world.a, "svc|1", &claims);
    let bob = minted(&world.a, known.as_str(), &claims);
    let far = tenant("t_far");
    assert_eq!(world.a.enter(&stranger, &far).await.unwrap().role(), Role::Admin);
    assert_eq!(world.a.enter(&stranger, &acme).await.unwrap().role(), Role::Viewer);
    assert_eq!(world.a.enter(&bob, &far).await.unwrap().role(), Role::Admin);
    // The store decides for users and tenants that it knows, and it has no such membership.
    assert_eq!(code(&world.a.enter(&bob, &acme).await), Some(Code::TenantForbidden));
    let me = world.a.identity.me(&world.a.principal(&stranger).await.unwrap()).await.unwrap();
    assert_eq!(me.memberships.len(), 2);

    let strict = world_with(IdentitySettings { tenants_must_exist: true, ..settings() });
    let (ada, acme) = strict.a.owner("ada@example.org").await;
    let stranger = minted(&strict.a, "svc|1", &[("t_far", Role::Admin), (acme.as_str(), Role::Owner)]);
    for place in [&far, &acme] {
        assert_eq!(code(&strict.a.enter(&stranger, place).await), Some(Code::TenantForbidden));
    }
    assert!(strict.a.enter(ada.access(), &acme).await.is_ok());
}

#[tokio::test]
async fn admission_fails_closed_when_the_store_is_unavailable() {
    let world = world();
    let (ada, acme) = world.a.owner("ada@example.org").await;
    assert!(world.a.enter(ada.access(), &acme).await.is_ok());
    world.store.faults().set_down(true);
    // A cached entry is used for its lifetime and no longer.
    assert!(world.a.enter(ada.access(), &acme).await.is_ok());
    assert_eq!(code(&world.b.enter(ada.access(), &acme).await), Some(Code::BackendUnavailable));
    world.a.clock.advance(Duration::from_secs(2));
    assert_eq!(code(&world.a.enter(ada.access(), &acme).await), Some(Code::BackendUnavailable));
    let stranger = minted(&world.a, "svc", &[("t_far", Role::Admin)]);
    assert_eq!(code(&world.a.enter(&stranger, &tenant("t_far")).await), Some(Code::BackendUnavailable));
    world.store.faults().set_down(false);
    assert!(world.a.enter(ada.access(), &acme).await.is_ok());
}

#[test]
fn cache_settings_cannot_exceed_five_seconds() {
    let world = |facts_ttl_ms, watch_every_ms| {
        let settings = IdentitySettings { facts_ttl_ms, watch_every_ms, ..settings() };
        std::panic::catch_unwind(|| world_with(settings)).is_ok()
    };
    assert!(world(4000, 1000));
    assert!(!world(4001, 1000));
    assert!(!world(1000, 0));
}
