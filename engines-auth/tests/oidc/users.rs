//! A new user gets one tenant.

use std::sync::{Arc, Barrier};

use engines_auth::{
    Authenticator, Credential, Identity,
    oidc::{ExternalIdentity, ExternalUsers, IssuerSettings, Oidc, RoleRule, TokenKind},
};
use engines_core::{
    Code, Guard, IdGenerator, Role, Scope, Store, TenantId, UserId, audit::AuditFilter, gate::AllowAll,
    nexus::PageRequest, testing::ManualClock,
};
use engines_storage::MemoryStore;
use futures_util::FutureExt;

use crate::{
    fixture::{Options, PlainFetch, World, rs, settings_of, world_with},
    stand_in_issuer::{RSA, Standin},
};

fn kept() -> (Arc<MemoryStore>, Arc<dyn ExternalUsers>) {
    let ids = IdGenerator::seeded(7);
    let store = Arc::new(MemoryStore::new(&ids));
    let shared = Arc::clone(&store) as Arc<dyn Store>;
    let guard = Guard::new(Arc::new(AllowAll), Arc::new(ManualClock::default()), ids);
    (store, Arc::new(Identity::without_accounts(shared, guard).build().unwrap()))
}

fn world_of(users: &Arc<dyn ExternalUsers>) -> World {
    let rules = vec![RoleRule {
        claim: "cognito:groups".into(),
        value: "acme".into(),
        tenant_id: TenantId::new("t_acme").unwrap(),
        role: Role::Member,
    }];
    world_with(Options {
        kind: Some(TokenKind::CognitoId),
        rules,
        users: Some(Arc::clone(users)),
        ..Options::default()
    })
}

fn token(world: &World, sub: &str, more: &str) -> String {
    rs(world.id_token(more).replace("\"sub\":\"ada\"", &format!("\"sub\":\"{sub}\"")))
}

#[test]
fn a_new_external_user_owns_a_new_tenant() {
    let (store, users) = kept();
    let world = world_of(&users);
    let ada = token(&world, "ada", r#""email":"Ada.Lovelace+x@Example.org","email_verified":true"#);
    let first = world.enter(&ada).unwrap();
    let tenant = first.default_tenant.clone().unwrap();
    assert!(tenant.as_str().starts_with("t_ada-lovelace-x-"), "{tenant}");
    assert_eq!(first.memberships.iter().collect::<Vec<_>>(), [(&tenant, &Role::Owner)]);
    assert_eq!(world.go(&ada, tenant.as_str()).unwrap().role(), Role::Owner);
    let changed = token(&world, "ada", r#""email":"other@example.org""#);
    assert_eq!(world.enter(&changed).unwrap().default_tenant.as_ref(), Some(&tenant));
    assert_eq!(world_of(&users).code(&ada), Err(Code::TokenInvalid), "that world's issuer is another");

    // The same address does not make the same user.
    let eve = token(&world, "eve", r#""email":"Ada.Lovelace+x@Example.org","email_verified":true"#);
    let other = world.enter(&eve).unwrap().default_tenant.clone().unwrap();
    assert_ne!(other, tenant);
    assert_eq!(world.go(&eve, tenant.as_str()).unwrap_err(), Code::TenantForbidden);
    for email in ["", r#""email":"""#, r#""email":"no-address""#, r#""email":"@x""#, r#""email":"\u00e4\u0000/../@x""#]
    {
        let nobody = token(&world, &format!("n{}", email.len()), email);
        assert!(world.enter(&nobody).unwrap().default_tenant.is_some(), "{email}");
    }
    let long = token(&world, "long", &format!(r#""email":"{}@x""#, "a".repeat(500)));
    assert!(world.enter(&long).unwrap().default_tenant.is_some());

    let (system, filter) = (Scope::system().unwrap(), AuditFilter::default());
    let records = store.audit(&system, &filter, PageRequest::first(50)).now_or_never().unwrap().unwrap().items;
    assert_eq!(records.len(), 8, "one for each who was met");
    assert!(records.iter().all(|entry| entry.action == "external_users.meet"));
}

#[test]
fn a_user_with_a_mapped_tenant_gets_no_tenant_of_their_own() {
    let (_, users) = kept();
    let world = world_of(&users);
    let mapped = world.enter(&token(&world, "ada", r#""cognito:groups":["acme"]"#)).unwrap();
    assert_eq!(mapped.default_tenant.as_ref().unwrap().as_str(), "t_acme");
    assert_eq!(mapped.memberships.len(), 1);
    // The user leaves the group and joins it again.
    let own = world.enter(&token(&world, "ada", "")).unwrap().default_tenant.clone().unwrap();
    assert!(own.as_str().starts_with("t_") && own.as_str() != "t_acme");
    let both = world.enter(&token(&world, "ada", r#""cognito:groups":["acme"]"#)).unwrap();
    assert_eq!(both.memberships.len(), 2);
    assert_eq!(both.default_tenant.as_ref(), Some(&own));
}

#[test]
fn the_same_subject_at_two_issuers_is_two_users() {
    let (_, users) = kept();
    let (first, second) = (world_of(&users), world_of(&users));
    assert_eq!(first.code(&token(&first, "ada", "")), Ok(()));
    assert_eq!(second.code(&token(&second, "ada", "")), Err(Code::TokenInvalid));
    assert_eq!(second.code(&token(&second, "bob", "")), Ok(()));

    // Both issuers in one authenticator: each token is verified with its own issuer's keys.
    let other = Standin::new();
    other.serve(&[RSA[1].jwk("rsa")]);
    let set = |standin: &Standin| IssuerSettings { kind: TokenKind::CognitoId, ..settings_of(standin) };
    let oidc = Oidc::builder(Arc::new(ManualClock::default()), Arc::new(PlainFetch)).users(users);
    let oidc = oidc.issuer(set(&first.issuer)).issuer(set(&other)).build().unwrap();
    let ask = |token: &str| {
        let answer = oidc.authenticate(&Credential::Bearer(token)).now_or_never().unwrap();
        answer.map(|principal| principal.is_some()).map_err(|error| error.code())
    };
    assert_eq!(ask(&token(&first, "ada", "")), Ok(true));
    let claims = first.id_token("").replace(&first.issuer.issuer(), &other.issuer());
    assert_eq!(ask(&rs(&claims)), Err(Code::TokenInvalid), "signed with the first one's key");
    let carol = claims.replace("\"sub\":\"ada\"", "\"sub\":\"carol\"");
    let signed = RSA[1].sign(r#"{"alg":"RS256","kid":"rsa"}"#, carol);
    assert_eq!(ask(&signed), Ok(true));
    assert_eq!(ask(&token(&second, "bob", "")), Ok(false), "of an issuer that is not set");
}

#[test]
fn concurrent_first_logins_create_one_tenant() {
    let (_, users) = kept();
    for round in 0..20 {
        let sub = UserId::new(format!("s{round}")).unwrap();
        let gate = Barrier::new(8);
        let tenants: std::collections::BTreeSet<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let mapped = Default::default();
                        let identity = ExternalIdentity {
                            issuer: "https://id.example.org",
                            sub: &sub,
                            email: Some("ada@example.org"),
                            email_verified: true,
                            mapped: &mapped,
                        };
                        gate.wait();
                        users.user(&identity).now_or_never().unwrap().unwrap().default_tenant.unwrap()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(tenants.len(), 1, "{tenants:?}");
    }
}
