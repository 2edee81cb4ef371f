//! Header × query × body × default: every combination, compared with a second implementation of the rule.

use std::collections::BTreeSet;

use engines_auth::{AuthInput, BodyClaims};
use engines_core::{Code, Env};
use futures_util::FutureExt;

use crate::{
    admission::{ada, admission_with},
    forge::verifier_with,
};

/// The values of a place that may be repeated: none, one or two.
fn places<'a>(values: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut all = vec![vec![]];
    for &one in values {
        all.push(vec![one]);
        all.extend(values.iter().map(|two| vec![one, *two]));
    }
    all
}

fn bodies<'a>(values: &[&'a str]) -> Vec<Option<&'a str>> {
    std::iter::once(None).chain(values.iter().copied().map(Some)).collect()
}

#[test]
fn disagreeing_tenant_sources_are_rejected() {
    let admission = admission_with(verifier_with(Default::default()).0);
    let values = ["t_acme", "t_beta", "t_other", "T_ACME", ""];
    let mut cases = 0;
    for default in [None, Some("t_acme"), Some("t_beta"), Some("t_other")] {
        let principal = ada(default);
        for headers in places(&values) {
            for queries in places(&values) {
                for body in bodies(&values) {
                    let presented = AuthInput {
                        tenant_headers: headers.iter().collect(),
                        tenant_queries: queries.iter().collect(),
                        env_headers: engines_auth::FieldValues::one("dev"),
                        ..AuthInput::default()
                    };
                    let claims = BodyClaims { tenant_id: body, env: None };
                    let answer = admission.admit(&principal, &presented, &claims).now_or_never().unwrap();
                    let answer =
                        answer.map(|context| context.scope().tenant().to_string()).map_err(|error| error.code());

                    let named: BTreeSet<&str> = headers.iter().chain(&queries).copied().chain(body).collect();
                    let expected = match (named.len(), named.first().copied().or(default)) {
                        (2.., _) => Err(Code::ContextMismatch),
                        (_, None) => Err(Code::TenantRequired),
                        (_, Some("T_ACME" | "")) => Err(Code::TenantInvalid),
                        (_, Some("t_other")) => Err(Code::TenantForbidden),
                        (_, Some(tenant)) => Ok(tenant.to_owned()),
                    };
                    assert_eq!(answer, expected, "{headers:?} {queries:?} {body:?} {default:?}");
                    cases += 1;
                }
            }
        }
    }
    assert_eq!(cases, 4 * 31 * 31 * 6);
}

#[test]
fn disagreeing_environment_sources_are_rejected_after_normalisation() {
    let admission = admission_with(verifier_with(Default::default()).0);
    let principal = ada(Some("t_acme"));
    let values = ["dev", "DEV", "stage", "Staging", "prod", "moon", ""];
    let normal = |name: &str| match name.to_lowercase().as_str() {
        "stage" => "staging".to_owned(),
        known @ ("dev" | "staging" | "prod") => known.to_owned(),
        _ => format!("no environment: {name}"),
    };
    for headers in places(&values) {
        for queries in places(&values) {
            for body in bodies(&values) {
                let presented = AuthInput {
                    env_headers: headers.iter().collect(),
                    env_queries: queries.iter().collect(),
                    ..AuthInput::default()
                };
                let claims = BodyClaims { tenant_id: None, env: body };
                let answer = admission.admit(&principal, &presented, &claims).now_or_never().unwrap();
                let answer = answer.map(|context| context.scope().env()).map_err(|error| error.code());

                let named: BTreeSet<String> = headers.iter().chain(&queries).copied().chain(body).map(normal).collect();
                let expected = match (named.len(), named.first().map(String::as_str)) {
                    (2.., _) => Err(Code::ContextMismatch),
                    (_, None) => Err(Code::EnvRequired),
                    (_, Some("dev")) => Ok(Env::Dev),
                    (_, Some("staging")) => Ok(Env::Staging),
                    (_, Some("prod")) => Ok(Env::Prod),
                    (_, Some(_)) => Err(Code::EnvInvalid),
                };
                assert_eq!(answer, expected, "{headers:?} {queries:?} {body:?}");
            }
        }
    }
}

#[test]
fn non_utf8_field_values_are_rejected() {
    let admission = admission_with(verifier_with(Default::default()).0);
    let presented = |tenant: &'static [u8], env: &'static [u8]| AuthInput {
        tenant_headers: engines_auth::FieldValues::one(tenant),
        env_headers: engines_auth::FieldValues::one(env),
        ..AuthInput::default()
    };
    let code = |presented: &AuthInput<'_>| {
        let answer = admission.admit(&ada(Some("t_acme")), presented, &BodyClaims::default()).now_or_never().unwrap();
        answer.map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(code(&presented(b"t_acme\xff", b"dev")), Err(Code::TenantInvalid));
    assert_eq!(code(&presented(b"t_acme", b"\xff")), Err(Code::EnvInvalid));
    let mut two = presented(b"t_acme", b"\xff");
    two.env_queries = engines_auth::FieldValues::one(b"\xfe");
    assert_eq!(code(&two), Err(Code::ContextMismatch));
}
