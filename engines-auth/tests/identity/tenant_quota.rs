//! How many tenants one user may make.

use engines_auth::identity::{IdentitySettings, TenantRequest};
use engines_core::Code;

use crate::kit::{Exposed, code, settings, world_with};

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
    // Somebody else's are their own.
    let (other, _) = world.a.owner("bob@example.org").await;
    let principal = world.a.principal(other.access()).await.unwrap();
    let made = world.a.identity.create_tenant(&principal, TenantRequest { name: "Bob's".into() }, &trace).await;
    assert_eq!(code(&made), None);
}
