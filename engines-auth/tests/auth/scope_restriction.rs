//! Credentials that are restricted to one scope, and the record of refusals.

use std::sync::{Arc, Mutex};

use engines_auth::{Admission, AuthFailure, AuthFailureSink, AuthInput, BodyClaims, FieldValues};
use engines_core::{Code, Env, IdGenerator, ScopeRestriction, TenantId, testing::ManualClock};
use futures_util::FutureExt;

use crate::{
    admission::ada,
    forge::{HEADER, good_claims, sign, verifier_with},
};

#[test]
fn a_scope_restricted_credential_is_accepted_only_in_its_scope() {
    let admission = Admission::builder(Arc::new(ManualClock::default()), IdGenerator::seeded(1)).build();
    let mut principal = ada(Some("t_acme"));
    let admit = |bound: (&str, Option<Env>), tenant: &str, env: &str| {
        principal.restriction = Some(ScopeRestriction { tenant: TenantId::new(bound.0).unwrap(), env: bound.1 });
        let given = |value| match value {
            "" => FieldValues::default(),
            value => FieldValues::one(value),
        };
        let presented = AuthInput { tenant_headers: given(tenant), env_headers: given(env), ..AuthInput::default() };
        let answer = admission.admit(&principal, &presented, &BodyClaims::default()).now_or_never().unwrap();
        answer.map(|context| context.scope().to_string()).map_err(|error| error.code())
    };
    let mut admit = admit;
    let here = ("t_acme", Some(Env::Dev));
    assert_eq!(admit(here, "t_acme", "dev").as_deref(), Ok("t_acme/dev"));
    // The scope of a restricted credential need not be repeated.
    assert_eq!(admit(here, "", "").as_deref(), Ok("t_acme/dev"));
    assert_eq!(admit(here, "t_acme", "prod"), Err(Code::TenantForbidden));
    // A membership in another tenant does not help.
    assert_eq!(admit(here, "t_beta", "dev"), Err(Code::TenantForbidden));
    assert_eq!(admit(("t_acme", None), "t_acme", "prod").as_deref(), Ok("t_acme/prod"));
    assert_eq!(admit(("t_acme", None), "t_acme", ""), Err(Code::EnvRequired));
    assert_eq!(admit(("t_acme", None), "t_beta", "prod"), Err(Code::TenantForbidden));
}

#[derive(Debug, Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl AuthFailureSink for Notes {
    fn record(&self, attempt: &AuthFailure<'_>) {
        let text =
            format!("{} {} {:?} {} {:?}", attempt.action, attempt.code, attempt.actor, attempt.path, attempt.address);
        self.0.lock().unwrap().push(text);
    }
}

#[test]
fn an_auth_failure_reports_actor_action_reason_and_address() {
    let notes = Notes::default();
    let admission = Admission::builder(Arc::new(ManualClock::default()), IdGenerator::seeded(1))
        .authenticator(verifier_with(Default::default()).0)
        .failure_sink(notes.clone())
        .build();
    let forged = format!("Bearer {}x", sign(HEADER, good_claims()));
    let presented = AuthInput {
        authorization: FieldValues::one(&forged),
        path: "/events",
        address: Some("192.0.2.1"),
        ..AuthInput::default()
    };
    admission.authenticate(&presented).now_or_never().unwrap().unwrap_err();
    let outside = AuthInput {
        tenant_headers: FieldValues::one("t_other"),
        env_headers: FieldValues::one("dev"),
        ..presented.clone()
    };
    admission.admit(&ada(None), &outside, &BodyClaims::default()).now_or_never().unwrap().unwrap_err();
    // A malformed request is not recorded as a refused attempt.
    admission.admit(&ada(None), &presented, &BodyClaims::default()).now_or_never().unwrap().unwrap_err();
    let told = notes.0.lock().unwrap().clone();
    assert_eq!(
        told,
        [
            r#"admission.enter TOKEN_INVALID None /events Some("192.0.2.1")"#,
            r#"admission.enter TENANT_FORBIDDEN Some("ada") /events Some("192.0.2.1")"#,
        ]
    );
    assert!(!told.join("").contains(&forged[7..40]));
}
