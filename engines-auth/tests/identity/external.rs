//! Users of other issuers.

use std::collections::BTreeMap;

use engines_auth::oidc::{ExternalIdentity, ExternalUser, ExternalUsers};
use engines_core::{
    Actor, ActorType, Code, Principal, Result, Role, Scope, Store, TenantId, UserId,
    nexus::{DocumentKind, DocumentQuery, PageRequest},
};

use crate::fixture::{Exposed, Node, code, tenant, user, world};

const ISSUER: &str = "https://idp.example.com";

async fn meet(
    node: &Node,
    issuer: &str,
    sub: &UserId,
    verified: bool,
    mapped: &BTreeMap<TenantId, Role>,
) -> Result<ExternalUser> {
    let email = Some("Zoe.Smith@example.org");
    let identity = ExternalIdentity { issuer, sub, email, email_verified: verified, mapped };
    ExternalUsers::user(&node.identity, &identity).await
}

/// Builds the principal as the issuer's authenticator does.
fn principal(met: &ExternalUser, mapped: &[(&str, Role)]) -> Principal {
    let mut principal = Principal::assume_verified(Actor { id: met.id.clone(), kind: ActorType::Human }, ISSUER);
    principal.memberships.extend(met.memberships.clone());
    principal.memberships.extend(mapped.iter().map(|(id, role)| (tenant(id), *role)));
    principal
}

async fn role(node: &Node, principal: &Principal, place: &TenantId) -> Result<Option<Role>> {
    let claimed = principal.memberships.get(place).copied();
    engines_auth::Directory::role(&node.identity, principal, place, claimed).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_first_logins_of_an_external_user_create_one_user_and_one_tenant() {
    let world = world();
    let (sub, none) = (user("idp|zoe@example.org"), BTreeMap::new());
    let one = || meet(&world.a, ISSUER, &sub, true, &none);
    let two = || meet(&world.b, ISSUER, &sub, true, &none);
    let met = <[_; 4]>::from(tokio::join!(one(), two(), one(), two())).map(Result::unwrap);
    assert!(met.iter().all(|other| *other == met[0]));
    let own = met[0].default_tenant.clone().unwrap();
    assert!(own.as_str().starts_with("t_zoe-smith-"), "{own}");
    let scope = Scope::system().unwrap();
    for kind in ["identity_user", "identity_tenant", "identity_member"] {
        let found = world
            .store
            .query(&scope, &DocumentQuery::of_kind(DocumentKind::new(kind).unwrap()), PageRequest::first(9))
            .await
            .unwrap();
        assert_eq!(found.items.len(), 1, "{kind}");
        assert!(!found.items[0].id.as_str().contains("zoe@"));
    }
    assert_eq!(role(&world.a, &principal(&met[0], &[]), &own).await.unwrap(), Some(Role::Owner));
    // A login with an unknown address reads an arbitrary user. A user with that id must not be logged in by it.
    meet(&world.a, ISSUER, &user("nobody"), true, &none).await.unwrap();
    assert_eq!(
        code(&world.a.login("unknown@example.org", crate::fixture::PASSWORD).await),
        Some(Code::CredentialsInvalid)
    );
    // No other issuer's token leads to this user, and no address leads to an account.
    assert_eq!(code(&meet(&world.a, "https://other.example.com", &sub, true, &none).await), Some(Code::TokenInvalid));
    let local = world.a.signup("zoe.smith@example.org", None).await.unwrap();
    assert_ne!(local.user.user_id, met[0].id);
    assert_eq!(code(&meet(&world.a, ISSUER, &local.user.user_id, true, &none).await), Some(Code::TokenInvalid));
}

#[tokio::test]
async fn mapped_roles_apply_until_a_stored_role_overrides_them() {
    let world = world();
    let (owner, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(owner.access(), &acme).await.unwrap();
    let mapped = BTreeMap::from([(acme.clone(), Role::Admin)]);
    let met = meet(&world.a, ISSUER, &user("zoe"), false, &mapped).await.unwrap();
    assert!(met.default_tenant.is_none(), "the rules give a tenant");
    let zoe = principal(&met, &[(acme.as_str(), Role::Admin)]);
    assert_eq!(role(&world.a, &zoe, &acme).await.unwrap(), Some(Role::Admin));
    crate::members::add(&world.a, &context, &acme, &met.id, Role::Viewer).await.unwrap();
    assert_eq!(role(&world.a, &zoe, &acme).await.unwrap(), Some(Role::Viewer));
    world.a.identity.remove_member(&context, &acme, &met.id).await.unwrap();
    assert_eq!(role(&world.a, &zoe, &acme).await.unwrap(), None);
    // An address that the issuer does not call verified is not stored.
    assert!(world.a.identity.me(&zoe).await.unwrap().user.email.is_none());
    // Without a rule, the user gets a tenant, and later the same one.
    let own = meet(&world.a, ISSUER, &user("zoe"), true, &BTreeMap::new()).await.unwrap();
    assert!(own.default_tenant.is_some());
    assert_eq!(meet(&world.b, ISSUER, &user("zoe"), true, &BTreeMap::new()).await.unwrap(), own);

    let (operator, system) = crate::bootstrap::operator(&world.a).await;
    let control = world.a.enter(operator.access(), &system).await.unwrap();
    world.a.identity.set_user_disabled(&control, &met.id, true).await.unwrap();
    assert_eq!(code(&meet(&world.a, ISSUER, &user("zoe"), true, &mapped).await), Some(Code::TokenInvalid));
    assert_eq!(code(&engines_auth::Directory::check(&world.a.identity, &zoe).await), Some(Code::TokenInvalid));
}
