//! Quotas: tenants of one user, and API keys and invites of one tenant.

use std::fmt::Debug;

use engines_auth::identity::{IdentitySettings, TenantRequest};
use engines_core::{Code, Result, Role};
use futures_util::future::join_all;

use crate::{
    api_keys,
    fixture::{Exposed, code, settings, slow_commits, world_with},
    invite_consent::by_mail,
};

#[tokio::test]
async fn a_user_owns_so_many_tenants_and_no_more() {
    let world = world_with(IdentitySettings { tenants_per_user: 3, ..settings() });
    let (owner, _) = world.a.owner("ada@example.org").await;
    let principal = world.a.principal(owner.access()).await.unwrap();
    let trace = world.a.trace();
    let make = || world.a.identity.create_tenant(&principal, TenantRequest { name: "One more".into() }, &trace);
    for _ in 0..2 {
        make().await.unwrap();
    }
    let refused = make().await.unwrap_err();
    assert_eq!(refused.code(), Code::QuotaExceeded);
    assert_eq!(refused.member("limit"), Some(&3.into()));
    assert!(refused.member("decision_id").is_some());
    // Tenants of other users do not count.
    let (other, _) = world.a.owner("bob@example.org").await;
    let principal = world.a.principal(other.access()).await.unwrap();
    let made = world.a.identity.create_tenant(&principal, TenantRequest { name: "Bob's".into() }, &trace).await;
    assert_eq!(code(&made), None);
}

#[tokio::test]
async fn tenants_made_at_the_same_time_count_each_other() {
    let world = world_with(IdentitySettings { tenants_per_user: 3, ..settings() });
    let (owner, _) = world.a.owner("ada@example.org").await;
    let principal = world.a.principal(owner.access()).await.unwrap();
    let trace = world.a.trace();
    let make = |name: String| world.a.identity.create_tenant(&principal, TenantRequest { name }, &trace);
    let made = join_all((0..6).map(|at| make(format!("Tenant {at}")))).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 2, "{made:?}");
}

#[tokio::test]
async fn memberships_of_other_roles_do_not_hide_what_one_owns() {
    let world = world_with(IdentitySettings { tenants_per_user: 1, ..settings() });
    let bob = world.a.signup("bob@example.org", Some("zz")).await.unwrap();
    let principal = world.a.principal(bob.access()).await.unwrap();
    let trace = world.a.trace();
    let make = || world.a.identity.create_tenant(&principal, TenantRequest { name: "One more".into() }, &trace);
    assert_eq!(code(&make().await), Some(Code::QuotaExceeded));
    // Their ids sort before that of Bob's own tenant.
    for at in 0..20 {
        let (owner, tenant) = world.a.owner(&format!("owner{at}@example.org")).await;
        let context = world.a.enter(owner.access(), &tenant).await.unwrap();
        crate::members::add(&world.a, &context, &tenant, &bob.user.user_id, Role::Viewer).await.unwrap();
    }
    assert_eq!(code(&make().await), Some(Code::QuotaExceeded));
}

/// Returns the number of successes. All others must be `QUOTA_EXCEEDED`.
fn succeeded<T: Debug>(results: &[Result<T>]) -> usize {
    let refused = results.iter().filter(|result| code(result) == Some(Code::QuotaExceeded)).count();
    let succeeded = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(refused + succeeded, results.len(), "{results:?}");
    succeeded
}

#[tokio::test]
async fn keys_made_at_the_same_time_count_each_other() {
    let world = world_with(IdentitySettings { api_keys_per_tenant: 3, ..settings() });
    let (owner, tenant) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &tenant).await.unwrap();
    let nodes = [&world.a, &world.b];
    slow_commits(&world);
    let made = join_all((0..12).map(|at| api_keys::make(nodes[at % 2], &context, Role::Member))).await;
    assert_eq!(succeeded(&made), 3);
    // A revoked key makes room.
    let first = made.into_iter().find_map(Result::ok).unwrap();
    world.a.identity.api_keys().revoke(&context, &first.view.key_id).await.unwrap();
    api_keys::make(&world.a, &context, Role::Member).await.unwrap();
}

#[tokio::test]
async fn invites_made_at_the_same_time_count_each_other() {
    let world = world_with(IdentitySettings { invites_per_tenant: 3, ..settings() });
    let (owner, tenant) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &tenant).await.unwrap();
    let nodes = [&world.a, &world.b];
    slow_commits(&world);
    let invite = async |at: usize| {
        let request = by_mail(&format!("guest{at}@example.org"), Role::Member);
        nodes[at % 2].identity.add_member(&context, &tenant, request).await
    };
    let made = join_all((0..12).map(invite)).await;
    assert_eq!(succeeded(&made), 3);
}
