//! From groups to roles, and through admission into a tenant.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use engines_auth::oidc::{ExternalIdentity, ExternalUser, ExternalUsers, RoleRule, TokenKind};
use engines_core::{Code, Error, Result, Role, TenantId, UserId};

use crate::fixture::{CLIENT, Options, World, rs, world_with};

fn rule(claim: &str, value: &str, tenant: &str, role: Role) -> RoleRule {
    RoleRule { claim: claim.into(), value: value.into(), tenant_id: TenantId::new(tenant).unwrap(), role }
}

fn ruled() -> World {
    let rules = vec![
        rule("cognito:groups", "acme-viewers", "t_acme", Role::Viewer),
        rule("cognito:groups", "acme-admins", "t_acme", Role::Admin),
        rule("cognito:groups", "beta", "t_beta", Role::Member),
        rule("scope", "ingest", "t_ingest", Role::Member),
        rule("custom:tenant", "t_gamma", "t_gamma", Role::Owner),
    ];
    world_with(Options { rules, ..Options::default() })
}

fn roles(world: &World, claims: &str) -> String {
    let principal = world.enter(&rs(claims)).unwrap();
    let roles = principal.memberships.iter().map(|(tenant, role)| format!("{tenant}={}", role.as_str()));
    roles.collect::<Vec<_>>().join(",")
}

#[test]
fn groups_give_roles() {
    let world = ruled();
    for (claims, expected) in [
        (r#""cognito:groups":["acme-viewers"]"#, "t_acme=viewer"),
        (r#""cognito:groups":["acme-admins","acme-viewers"]"#, "t_acme=admin"),
        (r#""cognito:groups":["acme-viewers","acme-admins","beta"]"#, "t_acme=admin,t_beta=member"),
        (r#""cognito:groups":"beta""#, "t_beta=member"),
        (r#""custom:tenant":"t_gamma""#, "t_gamma=owner"),
        (r#""cognito:groups":["Beta","beta ","acme","acme-admins2"]"#, ""),
        (r#""cognito:groups":"beta acme-admins""#, ""),
        (r#""cognito:groups":[["beta"],null,7,{"beta":true}]"#, ""),
        (r#""cognito:groups":null"#, ""),
        (r#""cognito:groups":{"beta":"beta"}"#, ""),
        (r#""Cognito:Groups":["beta"]"#, ""),
        // Claims of our own tokens mean nothing in tokens of other issuers.
        (r#""tenant_ids":["t_acme"],"role_map":{"t_acme":"owner"},"default_tenant_id":"t_acme""#, ""),
    ] {
        assert_eq!(roles(&world, &world.access(claims)), expected, "{claims}");
    }
    let scope = |text: &str| world.access_but(&["scope"], &format!(r#""scope":"{text}""#));
    assert_eq!(roles(&world, &scope("openid ingest")), "t_ingest=member");
    assert_eq!(roles(&world, &scope("ingest:all reingest")), "");
}

#[test]
fn mapped_roles_admit_only_to_their_tenants() {
    let world = ruled();
    let token = rs(world.access(r#""cognito:groups":["acme-admins"]"#));
    let context = world.go(&token, "t_acme").unwrap();
    assert_eq!((context.role(), context.actor().id.as_str()), (Role::Admin, "ada"));
    assert!(context.expires_at().is_some());
    for other in ["t_beta", "t_gamma", "t_system"] {
        assert_eq!(world.go(&token, other).unwrap_err(), Code::TenantForbidden);
    }
    let principal = world.enter(&token).unwrap();
    assert_eq!(principal.default_tenant.as_ref().unwrap().as_str(), "t_acme", "the only one is the one meant");
}

/// Remembers its calls.
#[derive(Debug, Default)]
struct Users(Mutex<Vec<String>>);

#[async_trait]
impl ExternalUsers for Users {
    async fn user(&self, identity: &ExternalIdentity<'_>) -> Result<ExternalUser> {
        let ExternalIdentity { sub, email, email_verified, mapped, .. } = identity;
        self.0.lock().unwrap().push(format!("{sub} {email:?} {email_verified} {}", mapped.len()));
        if sub.as_str() == "disabled" {
            return Err(Error::new(Code::TokenInvalid, "test.users", "the user is disabled"));
        }
        let own = TenantId::new("t_own")?;
        Ok(ExternalUser {
            id: UserId::new(format!("u-{sub}"))?,
            memberships: BTreeMap::from([(own.clone(), Role::Owner), (TenantId::new("t_acme")?, Role::Member)]),
            default_tenant: Some(own),
        })
    }
}

#[test]
fn the_user_store_decides_the_local_user_id() {
    let users = Arc::new(Users::default());
    let rules =
        vec![rule("cognito:groups", "a", "t_acme", Role::Viewer), rule("cognito:groups", "b", "t_beta", Role::Viewer)];
    let kept = Some(Arc::clone(&users) as Arc<dyn ExternalUsers>);
    let world = world_with(Options { kind: Some(TokenKind::CognitoId), rules, users: kept, ..Options::default() });
    let token = rs(world.id_token(r#""email":"ada@example.org","email_verified":false,"cognito:groups":["a","b"]"#));
    let ada = world.enter(&token).unwrap();
    assert_eq!(ada.actor.id.as_str(), "u-ada");
    assert_eq!(ada.default_tenant.as_ref().unwrap().as_str(), "t_own");
    assert_eq!(ada.memberships.values().copied().collect::<Vec<_>>(), [Role::Member, Role::Viewer, Role::Owner]);
    assert_eq!(world.go(&token, "t_own").unwrap().role(), Role::Owner);
    assert_eq!(users.0.lock().unwrap()[0], "ada Some(\"ada@example.org\") false 2");

    let disabled = world.id_token("").replace("\"sub\":\"ada\"", "\"sub\":\"disabled\"");
    assert_eq!(world.code(&rs(disabled)), Err(Code::TokenInvalid));
}

#[test]
fn machine_tokens_create_no_user() {
    let users = Arc::new(Users::default());
    let kept = Some(Arc::clone(&users) as Arc<dyn ExternalUsers>);
    let rules = vec![rule("scope", "ingest", "t_ingest", Role::Member)];
    let world = world_with(Options { rules, users: kept, ..Options::default() });
    let claims = world.access_but(&["sub", "scope"], &format!(r#""sub":"{CLIENT}","scope":"ingest""#));
    assert_eq!(roles(&world, &claims), "t_ingest=member");
    assert!(users.0.lock().unwrap().is_empty());
    // A token that is invalid creates no user.
    assert!(world.enter(&rs(world.access_but(&["client_id"], ""))).is_err());
    assert!(users.0.lock().unwrap().is_empty());
}
