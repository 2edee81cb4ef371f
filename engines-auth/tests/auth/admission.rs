//! The steps of admission.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use engines_auth::{
    Admission, AuthInput, Authenticator, BodyClaims, Credential, Directory, FieldValues, TokenVerifier,
};
use engines_core::{
    Actor, ActorType, Clock, Code, Env, Error, ErrorKind, IdGenerator, Principal, RequestContext, Result, Role, Scope,
    TenantId, UserId, context::ContextOrigin, testing::ManualClock,
};
use futures_util::FutureExt;

use crate::forge::{HEADER, claims_with, good_claims, sign, verifier_with};

pub(crate) fn admission_with(verifier: TokenVerifier) -> Admission {
    Admission::builder(Arc::new(ManualClock::default()), IdGenerator::seeded(1)).authenticator(verifier).build()
}

fn admission() -> Admission {
    admission_with(verifier_with(Default::default()).0)
}

fn enter(presented: &AuthInput<'_>) -> Result<Arc<Principal>, Code> {
    admission().authenticate(presented).now_or_never().unwrap().map_err(|error| error.code())
}

/// A principal: Ada, a member of `t_acme` and an owner of `t_beta`.
pub(crate) fn ada(default_tenant: Option<&str>) -> Principal {
    let actor = Actor { id: UserId::new("ada").unwrap(), kind: ActorType::Human };
    let mut ada = Principal::assume_verified(actor, "engines");
    ada.memberships = BTreeMap::from([
        (TenantId::new("t_acme").unwrap(), Role::Member),
        (TenantId::new("t_beta").unwrap(), Role::Owner),
    ]);
    ada.default_tenant = default_tenant.map(|tenant| TenantId::new(tenant).unwrap());
    ada.credential_id = Some("01".into());
    ada
}

fn admit(presented: &AuthInput<'_>) -> Result<RequestContext> {
    admission().admit(&ada(None), presented, &BodyClaims::default()).now_or_never().unwrap()
}

/// An input with a valid tenant and environment.
fn in_order<'a>() -> AuthInput<'a> {
    AuthInput {
        tenant_headers: FieldValues::one("t_acme"),
        env_headers: FieldValues::one("dev"),
        ..AuthInput::default()
    }
}

#[test]
fn the_authorization_header_is_parsed_strictly() {
    let token = sign(HEADER, good_claims());
    let other = sign(HEADER, claims_with(r#""x":1"#));
    let ok = |value: String| (vec![value], Ok(()));
    let bad = |value: String| (vec![value], Err(Code::TokenInvalid));
    let none = |value: &str| (vec![value.to_owned()], Err(Code::TokenMissing));
    for (values, expected) in [
        ok(format!("Bearer {token}")),
        ok(format!("bearer {token}")),
        ok(format!("BEARER {token}")),
        ok(format!("Bearer   {token}")),
        ok(format!(" Bearer {token} ")),
        (vec![], Err(Code::TokenMissing)),
        none(""),
        none("   "),
        none("Bearer"),
        none("Bearer "),
        bad(token.clone()),
        bad(format!("Basic {token}")),
        bad("Basic YWRhOnB3".into()),
        bad("Basic".into()),
        bad(format!("Bearer{token}")),
        bad(format!("Bearer: {token}")),
        bad(format!("Bearer {token} {token}")),
        bad(format!("Bearer {token}, Bearer {token}")),
        bad(format!("Bearer \"{token}\"")),
        bad(format!("Bearer {token}\u{0}")),
        bad(format!("Bearer {token}\u{e4}")),
        bad("Bearer ek_0123456789".into()),
        (vec![format!("Bearer {token}"), format!("Bearer {token}")], Err(Code::TokenInvalid)),
        (vec![format!("Bearer {token}"), format!("Bearer {other}")], Err(Code::TokenInvalid)),
        (vec![format!("Bearer {token}"), String::new()], Err(Code::TokenInvalid)),
    ] {
        let presented = AuthInput { authorization: values.iter().collect(), ..AuthInput::default() };
        assert_eq!(enter(&presented).map(|_| ()), expected, "{values:?}");
    }
    let latin1 = [b"Bearer ", token.as_bytes(), b"\xe4"].concat();
    let presented = AuthInput { authorization: FieldValues::one(&latin1), ..AuthInput::default() };
    assert_eq!(enter(&presented).map(|_| ()), Err(Code::TokenInvalid));
}

#[test]
fn every_authentication_error_says_how_to_fix_it() {
    let error = admission().authenticate(&AuthInput::default()).now_or_never().unwrap().unwrap_err();
    assert_eq!((error.code(), error.kind()), (Code::TokenMissing, ErrorKind::Unauthenticated));
    assert!(error.detail().contains("Bearer"));
    let nobody = Admission::builder(Arc::new(ManualClock::default()), IdGenerator::seeded(1)).build();
    let presented = AuthInput { authorization: FieldValues::one("Bearer a.b.c"), ..AuthInput::default() };
    assert_eq!(nobody.authenticate(&presented).now_or_never().unwrap().unwrap_err().code(), Code::TokenInvalid);
}

/// Knows tickets, and counts its calls.
#[derive(Debug, Clone, Default)]
struct Tickets(Arc<AtomicUsize>);

#[async_trait]
impl Authenticator for Tickets {
    async fn authenticate(&self, credential: &Credential<'_>) -> Result<Option<Arc<Principal>>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        match credential {
            Credential::Ticket { ticket: "tk_down", .. } => Err(Error::unavailable("tickets", "down")),
            Credential::Ticket { ticket: "tk_good", path: "/sse/chat/1", .. } => Ok(Some(Arc::new(ada(None)))),
            Credential::Ticket { .. } => Err(Error::new(Code::TokenInvalid, "tickets", "no such ticket")),
            _ => Ok(None),
        }
    }
}

#[test]
fn authenticators_are_tried_in_order_and_fail_closed() {
    let tickets = Tickets::default();
    let (verifier, _) = verifier_with(Default::default());
    let admission = Admission::builder(Arc::new(ManualClock::default()), IdGenerator::seeded(1))
        .authenticator(verifier)
        .authenticator(tickets.clone())
        .build();
    let ask = |authorization: &str, ticket: &[&str], path: &str| {
        let authorization =
            if authorization.is_empty() { FieldValues::default() } else { FieldValues::one(authorization) };
        let presented =
            AuthInput { authorization, ticket: ticket.iter().copied().collect(), path, ..AuthInput::default() };
        admission.authenticate(&presented).now_or_never().unwrap().map(|_| ()).map_err(|error| error.code())
    };
    let bearer = format!("Bearer {}", sign(HEADER, good_claims()));
    assert_eq!(ask("", &["tk_good"], "/sse/chat/1"), Ok(()));
    assert_eq!(ask("", &["tk_good"], "/sse/chat/2"), Err(Code::TokenInvalid));
    assert_eq!(ask("", &["tk_down"], "/"), Err(Code::BackendUnavailable));
    assert_eq!(ask("", &[""], "/"), Err(Code::TokenMissing));
    let asked = tickets.0.load(Ordering::SeqCst);
    assert_eq!(ask(&bearer, &[], "/"), Ok(()));
    // A request has one credential, never two.
    assert_eq!(ask(&bearer, &["tk_good"], "/sse/chat/1"), Err(Code::TokenInvalid));
    assert_eq!(ask("", &["tk_good", "tk_good"], "/sse/chat/1"), Err(Code::TokenInvalid));
    // A credential that is too long is refused before an authenticator sees it.
    assert_eq!(ask("", &[&"t".repeat(8 << 20)], "/"), Err(Code::TokenInvalid));
    assert_eq!(ask(&format!("Bearer {}", "t".repeat(8 << 20)), &[], "/"), Err(Code::TokenInvalid));
    assert_eq!(ask(&format!("Bearer {}", "t".repeat(8193)), &[], "/"), Err(Code::TokenInvalid));
    assert_eq!(ask("", &["t t"], "/"), Err(Code::TokenInvalid));
    assert_eq!(tickets.0.load(Ordering::SeqCst), asked);
    // A credential of the maximum length reaches the authenticators.
    assert_eq!(ask("", &[&"t".repeat(8192)], "/"), Err(Code::TokenInvalid));
    assert_eq!(tickets.0.load(Ordering::SeqCst), asked + 1);
}

#[test]
fn admission_checks_run_in_order() {
    let bad =
        || AuthInput { user_ids: FieldValues::one("eve"), roles: FieldValues::one("owner"), ..AuthInput::default() };
    let code = |presented: &AuthInput<'_>| admit(presented).map(|_| ()).map_err(|error| error.code());
    assert_eq!(code(&bad()), Err(Code::TenantRequired));
    let mut presented =
        AuthInput { tenant_headers: FieldValues::one("ACME"), env_headers: FieldValues::one("moon"), ..bad() };
    assert_eq!(code(&presented), Err(Code::TenantInvalid));
    presented.tenant_headers = FieldValues::one("t_other");
    assert_eq!(code(&presented), Err(Code::EnvInvalid));
    presented.env_headers = FieldValues::default();
    assert_eq!(code(&presented), Err(Code::EnvRequired));
    presented.env_headers = FieldValues::one("dev");
    assert_eq!(code(&presented), Err(Code::TenantForbidden));
    presented.tenant_headers = FieldValues::one("t_acme");
    assert_eq!(code(&presented), Err(Code::UserMismatch));
    presented.user_ids = FieldValues::one("ada");
    assert_eq!(code(&presented), Err(Code::RoleMismatch));
    presented.roles = FieldValues::one("Member");
    assert_eq!(code(&presented), Ok(()));
}

#[test]
fn only_policy_rejections_have_a_decision_id() {
    for (presented, code, decided) in [
        (AuthInput { tenant_headers: FieldValues::one("t_other"), ..in_order() }, Code::TenantForbidden, true),
        (AuthInput { user_ids: FieldValues::one("eve"), ..in_order() }, Code::UserMismatch, true),
        (AuthInput { roles: FieldValues::one("admin"), ..in_order() }, Code::RoleMismatch, true),
        (AuthInput { tenant_queries: FieldValues::one("t_beta"), ..in_order() }, Code::ContextMismatch, false),
        (AuthInput { env_headers: FieldValues::default(), ..in_order() }, Code::EnvRequired, false),
    ] {
        let error = admit(&presented).unwrap_err();
        assert_eq!(error.code(), code);
        assert_eq!(error.member("decision_id").is_some(), decided, "{code}");
    }
}

#[test]
fn self_declared_user_and_role_must_match_and_grant_nothing() {
    let with = |users: &[&str], roles: &[&str]| {
        let presented = AuthInput { user_ids: users.iter().collect(), roles: roles.iter().collect(), ..in_order() };
        admit(&presented).map(|context| context.role()).map_err(|error| error.code())
    };
    assert_eq!(with(&["ada"], &["member"]), Ok(Role::Member));
    assert_eq!(with(&["ada", "ada"], &["MEMBER", "member"]), Ok(Role::Member));
    for users in [&["Ada"][..], &[""], &["ada", "eve"], &["eve", "ada"], &["ada "], &["ada\u{0}"]] {
        assert_eq!(with(users, &[]), Err(Code::UserMismatch), "{users:?}");
    }
    for roles in [&["owner"][..], &["viewer"], &[""], &["member", "owner"], &["member,owner"], &["root"]] {
        assert_eq!(with(&[], roles), Err(Code::RoleMismatch), "{roles:?}");
    }
    let huge = "a".repeat(8 << 20);
    assert_eq!(with(&[&huge], &[]), Err(Code::UserMismatch));
    assert_eq!(with(&[], &[&huge]), Err(Code::RoleMismatch));
}

#[test]
fn the_context_holds_only_verified_claims() {
    let presented = AuthInput { env_headers: FieldValues::one("STAGE"), ..in_order() };
    let context = admit(&presented).unwrap();
    assert_eq!(context.scope().to_string(), "t_acme/staging");
    assert_eq!(context.actor(), &ada(None).actor);
    assert_eq!(context.role(), Role::Member);
    assert_eq!(context.credential_id(), Some("01"));
    assert_eq!(context.origin(), &ContextOrigin::Credential { issuer: "engines".into() });
}

#[test]
fn traces_are_continued_or_started() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let with = |ids: &[&str], parents: &[&str]| {
        let presented =
            AuthInput { request_id: ids.iter().collect(), traceparent: parents.iter().collect(), ..in_order() };
        admit(&presented).unwrap().trace().clone()
    };
    let kept = with(&["r-1"], &[PARENT]);
    assert_eq!((&*kept.request_id, kept.trace_id.to_string().as_str(), kept.sampled), ("r-1", &PARENT[3..35], true));
    let longest = "x".repeat(128);
    assert_eq!(&*with(&[&longest], &[]).request_id, longest);
    let (huge, over) = ("x".repeat(8 << 20), "x".repeat(129));
    for ids in [&[][..], &[""], &["a b"], &["a\u{e4}"], &[&over], &[&huge], &["a", "b"]] {
        let made = with(ids, &[]);
        assert_eq!(made.request_id.len(), 26, "{}", made.request_id);
    }
    for parents in [&[][..], &["nonsense"], &[PARENT, PARENT], &[&huge]] {
        assert_ne!(with(&[], parents).trace_id.to_string(), &PARENT[3..35]);
    }
    // A trace that began before admission takes precedence.
    let mut presented = AuthInput { request_id: FieldValues::one("r-2"), ..in_order() };
    let trace = admission().trace(&presented);
    presented.trace = Some(trace.clone());
    presented.request_id = FieldValues::one("r-3");
    assert_eq!(admit(&presented).unwrap().trace(), &trace);
}

/// A directory in which Ada is a viewer of `t_acme`, an admin of `t_new` and no member of `t_beta`.
#[derive(Debug)]
struct Known;

#[async_trait]
impl Directory for Known {
    async fn role(&self, _principal: &Principal, tenant: &TenantId, claimed: Option<Role>) -> Result<Option<Role>> {
        match tenant.as_str() {
            "t_acme" => Ok(Some(Role::Viewer)),
            "t_new" => Ok(Some(Role::Admin)),
            "t_beta" => Ok(None),
            "t_down" => Err(Error::unavailable("directory", "down")),
            _ => Ok(claimed),
        }
    }
}

#[test]
fn the_directory_overrides_token_claims() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
    let admission = Admission::builder(clock, IdGenerator::seeded(1)).directory(Known).build();
    let role = |tenant: &str, said: &str| {
        let roles = if said.is_empty() { FieldValues::default() } else { FieldValues::one(said) };
        let presented = AuthInput { tenant_headers: FieldValues::one(tenant), roles, ..in_order() };
        let answer = admission.admit(&ada(None), &presented, &BodyClaims::default()).now_or_never().unwrap();
        answer.map(|context| (context.role(), context.scope().env())).map_err(|error| error.code())
    };
    assert_eq!(role("t_acme", ""), Ok((Role::Viewer, Env::Dev)));
    assert_eq!(role("t_acme", "viewer"), Ok((Role::Viewer, Env::Dev)));
    assert_eq!(role("t_acme", "member"), Err(Code::RoleMismatch));
    assert_eq!(role("t_new", ""), Ok((Role::Admin, Env::Dev)));
    assert_eq!(role("t_beta", ""), Err(Code::TenantForbidden));
    assert_eq!(role("t_other", ""), Err(Code::TenantForbidden));
    assert_eq!(role("t_down", ""), Err(Code::BackendUnavailable));
}

#[test]
fn a_plain_token_authenticates_like_a_header_and_is_a_credential_of_its_own() {
    let token = sign(HEADER, good_claims());
    assert!(enter(&AuthInput::from_token(&token)).is_ok());
    assert_eq!(enter(&AuthInput::from_token("")).map(|_| ()), Err(Code::TokenMissing));
    let bearer = format!("Bearer {token}");
    assert_eq!(enter(&AuthInput::from_token(&bearer)).map(|_| ()), Err(Code::TokenInvalid));
    let both = AuthInput { authorization: FieldValues::one(&bearer), ..AuthInput::from_token(&token) };
    assert_eq!(enter(&both).map(|_| ()), Err(Code::TokenInvalid));
}

#[test]
fn only_admins_of_the_control_plane_are_admitted_as_operators() {
    let with_role = |role: Option<Role>| {
        let mut operator = ada(Some("t_acme"));
        operator.memberships.extend(role.map(|role| (TenantId::new("t_system").unwrap(), role)));
        // The tenant and the environment that the request names are ignored.
        let presented = AuthInput { tenant_queries: FieldValues::one("t_beta"), ..in_order() };
        admission().admit_operator(&operator, &presented).now_or_never().unwrap()
    };
    assert_eq!(with_role(Some(Role::Admin)).unwrap().scope(), &Scope::system().unwrap());
    assert_eq!(with_role(Some(Role::Owner)).unwrap().role(), Role::Owner);
    let member = with_role(Some(Role::Member)).unwrap_err();
    assert_eq!((member.code(), member.member("least_role")), (Code::RoleInsufficient, Some(&"admin".into())));
    assert!(member.member("decision_id").is_some());
    assert_eq!(with_role(None).unwrap_err().code(), Code::TenantForbidden);
}

#[test]
fn request_ids_that_the_filter_refuses_are_ignored() {
    let admission = Admission::builder(Arc::new(ManualClock::default()), IdGenerator::seeded(1))
        .request_ids(|id| !id.contains('@'))
        .build();
    let with = |ids: &[&str]| {
        let presented = AuthInput { request_id: ids.iter().collect(), ..in_order() };
        admission.trace(&presented).request_id.to_string()
    };
    assert_eq!(with(&["r-1"]), "r-1");
    assert_ne!(with(&["ada@example.org"]), "ada@example.org");
    assert_eq!(with(&["ada@example.org", "r-1"]), "r-1");
}
