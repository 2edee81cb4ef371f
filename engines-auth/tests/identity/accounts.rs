//! Signup, login and the view of the caller.

use std::time::Duration;

use engines_auth::{
    identity::{Caller, IdentitySettings, Signup, SignupRequest, TenantRequest},
    password::HashSettings,
};
use engines_core::{Code, ErrorKind, Role, Scope, StoreExt, nexus::DocumentKind};

use crate::fixture::{Exposed, PASSWORD, cheap, code, settings, world, world_with};

#[tokio::test]
async fn a_token_response_has_the_contracts_members_and_gets_in() {
    let world = world();
    let (tokens, tenant) = world.a.owner("Ada@Example.org").await;
    let json = serde_json::to_value(&tokens).unwrap();
    let mut names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["access_token", "expires_in", "memberships", "refresh_token", "tenant", "token_type", "user"]);
    assert_eq!(json["token_type"], "bearer");
    assert_eq!(json["expires_in"], 900);
    assert_eq!((&json["user"]["email"], &json["user"]["email_verified"]), (&"ada@example.org".into(), &false.into()));
    assert_eq!(json["tenant"]["name"], "Acme Inc.");
    assert_eq!(json["memberships"][0]["role"], "owner");
    assert!(tenant.as_str().starts_with("t_acme-inc-"), "{tenant}");
    let context = world.a.enter(tokens.access(), &tenant).await.unwrap();
    assert_eq!((context.role(), context.actor().id.clone()), (Role::Owner, tokens.user.user_id.clone()));
    // Without a tenant, the response has `null`.
    let alone = world.a.signup("bob@example.org", None).await.unwrap();
    let json = serde_json::to_value(&alone).unwrap();
    assert!(json["tenant"].is_null() && json["memberships"].as_array().unwrap().is_empty());
    let me = world.a.identity.me(&world.a.principal(alone.access()).await.unwrap()).await.unwrap();
    assert_eq!(me.user.email.as_deref(), Some("bob@example.org"));
}

#[tokio::test]
async fn addresses_are_normalized_and_unique() {
    let world = world();
    world.a.verified("ada@example.org", None).await;
    for same in ["ADA@example.org", "ada@EXAMPLE.ORG", " ada@example.org "] {
        assert_eq!(code(&world.b.signup(same, None).await), Some(Code::AlreadyExists), "{same}");
        assert!(world.b.login(same, PASSWORD).await.is_ok(), "{same}");
    }
    // The same letter in two Unicode forms.
    world.a.verified("zo\u{e9}@example.org", None).await;
    assert_eq!(code(&world.a.signup("zoe\u{301}@example.org", None).await), Some(Code::AlreadyExists));
    let long = format!("{}@example.org", "a".repeat(65));
    let huge = format!("a@{}.org", "x".repeat(8 << 20));
    for bad in [
        "",
        "ada",
        "@example.org",
        "ada@",
        "a b@example.org",
        "a@b@c",
        "ada@exa mple.org",
        "ada@-x.org",
        "ada@ü.org",
        "a..b@x.org",
        &long,
        &huge,
    ] {
        assert_eq!(code(&world.a.signup(bad, None).await), Some(Code::BodyInvalid), "{:.40}", bad);
        assert_eq!(code(&world.a.login(bad, PASSWORD).await), Some(Code::CredentialsInvalid), "{:.40}", bad);
    }
}

#[tokio::test]
async fn login_does_not_reveal_whether_an_account_exists() {
    let world = world();
    let tokens = world.a.signup("ada@example.org", None).await.unwrap();
    let wrong = world.a.login("ada@example.org", "not-The-password-1").await.unwrap_err();
    let unknown = world.a.login("nobody@example.org", "not-The-password-1").await.unwrap_err();
    let none = world.a.login("no address", "not-The-password-1").await.unwrap_err();
    // A disabled account gets the same answer as an unknown one, also with the right password.
    let (operator, system) = crate::bootstrap::operator(&world.a).await;
    let context = world.a.enter(operator.access(), &system).await.unwrap();
    world.a.identity.set_user_disabled(&context, &tokens.user.user_id, true).await.unwrap();
    let disabled = world.a.login("ada@example.org", PASSWORD).await.unwrap_err();
    for error in [&wrong, &unknown, &none, &disabled] {
        assert_eq!(error.code(), Code::CredentialsInvalid);
        assert_eq!((error.detail(), error.members().len()), (wrong.detail(), wrong.members().len()));
    }
}

#[tokio::test]
async fn an_account_and_an_address_are_throttled_before_any_hash() {
    let world = world();
    world.a.signup("ada@example.org", None).await.unwrap();
    for _ in 0..30 {
        assert_eq!(code(&world.a.login("ada@example.org", "wrong wrong wrong").await), Some(Code::CredentialsInvalid));
    }
    let error = world.a.login("ada@example.org", PASSWORD).await.unwrap_err();
    assert_eq!(error.code(), Code::RateLimited);
    assert!(error.member("decision_id").is_some());
    let wait = error.retry_after().unwrap();
    assert!(wait > Duration::ZERO && wait <= Duration::from_secs(2), "{wait:?}");
    // Other accounts are not delayed, an unknown account is limited in the same way, and the limit recovers with time.
    assert_eq!(code(&world.a.login("bob@example.org", PASSWORD).await), Some(Code::CredentialsInvalid));
    world.a.clock.advance(wait);
    assert!(world.a.login("ada@example.org", PASSWORD).await.is_ok());
    // A successful login does not count.
    world.a.clock.advance(Duration::from_secs(60));
    for _ in 0..30 {
        world.a.login("ada@example.org", PASSWORD).await.unwrap();
    }

    let from = |address: &'static str, account: usize| {
        let node = world.b.clone();
        async move { node.login_from(Some(address), &format!("u{account}@x.org"), "wrong wrong wrong").await }
    };
    for account in 0..200 {
        assert_eq!(code(&from("192.0.2.1", account).await), Some(Code::CredentialsInvalid));
    }
    assert_eq!(code(&from("192.0.2.1", 201).await), Some(Code::RateLimited));
    assert_eq!(code(&from("192.0.2.2", 201).await), Some(Code::CredentialsInvalid));
}

#[tokio::test]
async fn a_password_is_rehashed_when_the_cost_settings_rise() {
    let world = world();
    let tokens = world.a.signup("ada@example.org", None).await.unwrap();
    let node = crate::fixture::node_on(
        std::sync::Arc::clone(&world.store) as _,
        &world.a.clock,
        IdentitySettings { password: HashSettings { memory_kib: 16, ..cheap() }, ..settings() },
    );
    let hash = || async {
        let id = engines_core::DocId::new(format!("u.{}", tokens.user.user_id)).unwrap();
        let kind = DocumentKind::new("identity_user").unwrap();
        let body: serde_json::Value = world.store.load(&Scope::system().unwrap(), &kind, &id).await.unwrap().unwrap();
        body["password"].as_str().unwrap().to_owned()
    };
    assert!(hash().await.starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
    assert_eq!(code(&node.login("ada@example.org", "wrong wrong wrong").await), Some(Code::CredentialsInvalid));
    assert!(hash().await.contains("m=8,"), "a wrong password changes nothing");
    node.login("ada@example.org", PASSWORD).await.unwrap();
    let risen = hash().await;
    assert!(risen.contains("m=16,"), "{risen}");
    // A hash is not replaced by a cheaper one, and not replaced at every login.
    world.a.login("ada@example.org", PASSWORD).await.unwrap();
    node.login("ada@example.org", PASSWORD).await.unwrap();
    assert_eq!(hash().await, risen);
}

#[tokio::test]
async fn signing_up_may_need_an_invite() {
    let world = world_with(IdentitySettings { signup: Signup::Invite, ..settings() });
    let error = world.a.signup("ada@example.org", None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.member("decision_id").is_some());
}

#[tokio::test]
async fn names_are_bounded() {
    let world = world();
    for bad in ["", "   ", "a\nb", &"x".repeat(201)] {
        assert_eq!(code(&world.a.signup("ada@example.org", Some(bad)).await), Some(Code::BodyInvalid));
    }
    // The failed attempts created nothing.
    let tokens = world.a.signup("ada@example.org", Some("  Größe & Co. 東京  ")).await.unwrap();
    let tenant = tokens.tenant.as_ref().unwrap();
    assert_eq!(tenant.name, "Größe & Co. 東京");
    assert!(tenant.tenant_id.as_str().starts_with("t_grosse-co-"), "{}", tenant.tenant_id);
    let principal = world.a.principal(tokens.access()).await.unwrap();
    let trace = world.a.trace();
    let second =
        world.a.identity.create_tenant(&principal, TenantRequest { name: "東京".into() }, &trace).await.unwrap();
    assert_eq!(second.tenant_id.as_str().len(), "t_".len() + 8);
    assert!(world.a.enter(tokens.access(), &second.tenant_id).await.is_ok());
}

#[tokio::test]
async fn a_full_hash_queue_rejects_requests() {
    let password =
        HashSettings { threads: 1, queue: 0, memory_kib: 8192, iterations: 3, lanes: 1, wait_ms: 60_000, ..cheap() };
    let world = world_with(IdentitySettings { password, ..settings() });
    let answers = futures_util::future::join_all((0..4).map(|n| {
        let node = world.a.clone();
        async move { node.login(&format!("u{n}@example.org"), "wrong wrong wrong").await }
    }))
    .await;
    let refused = answers.iter().filter(|answer| code(answer) == Some(Code::RateLimited)).count();
    assert_eq!(refused, 3);
    assert!(answers.iter().any(|answer| code(answer) == Some(Code::CredentialsInvalid)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_tenant_creations_all_succeed() {
    let world = world();
    let tokens = world.a.signup("ada@example.org", None).await.unwrap();
    let principal = world.a.principal(tokens.access()).await.unwrap();
    let (trace, principal) = (world.a.trace(), &principal);
    let make = |node: &crate::fixture::Node| {
        let (node, trace) = (node.clone(), &trace);
        async move { node.identity.create_tenant(principal, TenantRequest { name: "Acme".into() }, trace).await }
    };
    let made = tokio::join!(make(&world.a), make(&world.b), make(&world.a), make(&world.b));
    let made = <[_; 4]>::from(made).map(|made| made.unwrap().tenant_id);
    let me = world.a.identity.me(principal).await.unwrap();
    assert_eq!(me.memberships.len(), 4);
    assert!(made.contains(&me.tenant.unwrap().tenant_id));
}

#[tokio::test]
async fn invisible_characters_are_rejected_in_names_and_addresses() {
    let world = world();
    let signup = async |email: &str, name: &str| {
        let trace = world.a.trace();
        let caller = Caller { address: None, user_agent: None, trace: &trace };
        let request = SignupRequest { display_name: Some(name.into()), ..crate::fixture::signup_request(email, None) };
        code(&world.a.identity.signup(request, caller).await)
    };
    for hidden in
        ['\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{ad}', '\u{200f}', '\u{e0041}', '\u{3164}', '\u{7}']
    {
        assert_eq!(signup(&format!("ad{hidden}a@example.org"), "Ada").await, Some(Code::BodyInvalid), "{hidden:?}");
        assert_eq!(signup("ada@example.org", &format!("Ad{hidden}a")).await, Some(Code::BodyInvalid), "{hidden:?}");
    }
    for joiner in ['\u{200c}', '\u{200d}'] {
        assert_eq!(signup(&format!("ad{joiner}a@example.org"), "Ada").await, Some(Code::BodyInvalid));
        assert_eq!(signup("ada@example.org", &format!("Ada{joiner}")).await, Some(Code::BodyInvalid));
    }
    // Persian needs the non-joiner, and emoji the joiner.
    assert_eq!(signup("p@example.org", "علی\u{200c}رضا").await, None);
    assert_eq!(signup("e@example.org", "Ada 👩\u{200d}💻").await, None);
    // The composed and the decomposed form are the same name.
    assert_eq!(signup("n@example.org", "Ame\u{301}lie").await, None);
    let login = world.a.login("n@example.org", PASSWORD).await.unwrap();
    assert_eq!(login.user.display_name.as_deref(), Some("Am\u{e9}lie"));
}
