//! Settings that would admit the wrong users are refused at the start.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use engines_auth::oidc::{IssuerSettings, JwksUrl, Oidc, RoleRule, TokenKind, cognito};
use engines_core::{Result, Role, SystemClock, TenantId};

use crate::fixture::PlainFetch;

fn from(vars: &[(&str, &str)]) -> Result<Option<IssuerSettings>> {
    let vars: BTreeMap<_, _> = vars.iter().copied().collect();
    cognito::from_vars(|name| vars.get(name).map(|value| (*value).to_owned()))
}

const REGION: (&str, &str) = ("COGNITO_REGION", "eu-central-1");
const POOL: (&str, &str) = ("COGNITO_USER_POOL_ID", "eu-central-1_AbC123");
const AWS: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC123";

#[test]
fn a_pool_is_named_by_region_and_id_or_by_its_issuer() {
    let pool = from(&[REGION, POOL]).unwrap().unwrap();
    assert_eq!((&*pool.issuer, pool.jwks.as_str()), (AWS, &*format!("{AWS}/.well-known/jwks.json")));
    assert_eq!(pool.kind, TokenKind::CognitoAccess);
    assert!(pool.audience.is_empty() && pool.rules.is_empty());
    assert_eq!(&*from(&[("COGNITO_ISSUER", AWS)]).unwrap().unwrap().issuer, AWS);
    assert_eq!(&*from(&[("COGNITO_ISSUER", AWS), REGION, POOL]).unwrap().unwrap().issuer, AWS);
    assert_eq!(&*from(&[("COGNITO_ISSUER", AWS), REGION]).unwrap().unwrap().issuer, AWS);
    let china = from(&[("COGNITO_REGION", "cn-north-1"), ("COGNITO_USER_POOL_ID", "cn-north-1_x")]).unwrap().unwrap();
    assert_eq!(&*china.issuer, "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_x");

    let all = from(&[
        REGION,
        POOL,
        ("COGNITO_APP_CLIENT_ID", "web, mobile"),
        ("COGNITO_TOKEN_USE", "id"),
        ("COGNITO_JWKS_URL", "http://127.0.0.1:5000/pool/.well-known/jwks.json"),
        ("COGNITO_ROLE_RULES", r#"[{"claim":"cognito:groups","value":"a","tenant_id":"t_acme","role":"admin"}]"#),
    ]);
    let all = all.unwrap().unwrap();
    assert_eq!(all.audience, ["web".into(), "mobile".into()]);
    assert_eq!(all.kind, TokenKind::CognitoId);
    assert!(all.jwks.is_loopback());
    assert_eq!(all.rules[0].role, Role::Admin);
}

#[test]
fn nothing_set_is_no_pool_and_half_is_a_mistake() {
    assert!(from(&[]).unwrap().is_none());
    assert!(from(&[("COGNITO_ISSUER", ""), ("COGNITO_REGION", " ")]).unwrap().is_none());
    for vars in [
        vec![REGION],
        vec![POOL],
        vec![("COGNITO_ISSUER", "https://elsewhere.example/x"), REGION, POOL],
        vec![("COGNITO_REGION", "eu/central"), POOL],
        vec![REGION, ("COGNITO_USER_POOL_ID", "../x")],
        vec![REGION, ("COGNITO_USER_POOL_ID", "x@evil.example")],
        vec![("COGNITO_REGION", "us-east-1"), POOL],
        vec![("COGNITO_APP_CLIENT_ID", "web")],
        vec![("COGNITO_TOKEN_USE", "id")],
        vec![("COGNITO_JWKS_URL", "https://id.example.org/jwks")],
        vec![("COGNITO_ROLE_RULES", "[]")],
        vec![REGION, POOL, ("COGNITO_TOKEN_USE", "both")],
        vec![REGION, POOL, ("COGNITO_TOKEN_USE", "Access")],
        vec![REGION, POOL, ("COGNITO_JWKS_URL", "http://id.example.org/jwks")],
        vec![("COGNITO_ISSUER", "http://id.example.org/pool")],
        vec![REGION, POOL, ("COGNITO_ROLE_RULES", "admins=owner")],
        vec![REGION, POOL, ("COGNITO_ROLE_RULES", r#"[{"claim":"g","value":"a","tenant_id":"acme","role":"admin"}]"#)],
        vec![REGION, POOL, ("COGNITO_ROLE_RULES", r#"[{"claim":"g","value":"a","tenant_id":"t_a","role":"root"}]"#)],
    ] {
        assert!(from(&vars).is_err(), "{vars:?}");
    }
}

#[test]
fn keys_are_got_over_https_or_on_loopback() {
    for text in [
        "https://id.example.org/jwks",
        "https://id.example.org",
        "https://id.example.org:8443/jwks?v=1",
        "https://192.0.2.1/jwks",
        "https://[2001:db8::1]:8443/jwks",
        "http://localhost/jwks",
        "http://LOCALHOST:5000/jwks",
        "http://127.0.0.1:5000/jwks",
        "http://127.8.8.8/jwks",
        "http://[::1]:5000/jwks",
        "http://[::ffff:127.0.0.1]/jwks",
    ] {
        assert!(JwksUrl::new(text).is_ok(), "{text}");
    }
    for text in [
        "",
        "id.example.org/jwks",
        "ftp://id.example.org/jwks",
        "file:///etc/passwd",
        "HTTPS://id.example.org/jwks",
        "http://id.example.org/jwks",
        "http://localhost.example.org/jwks",
        "http://127.0.0.1.example.org/jwks",
        "http://127.0.0.1@evil.example/jwks",
        "http://evil.example#@127.0.0.1/jwks",
        "http://evil.example\\@127.0.0.1/jwks",
        "http://127.1/jwks",
        "http://2130706433/jwks",
        "http://0.0.0.0/jwks",
        "http://[::]/jwks",
        "https://user@id.example.org/jwks",
        "https://id.example.org/jwks#x",
        "https://id.example.org/j wks",
        "https://id.example.org/j\r\nx: y",
        "https:///jwks",
        "https://:443/jwks",
        "https://-x/jwks",
        "https://id_x/jwks",
        "https://id.example.org:/jwks",
        "https://id.example.org:0/jwks",
        "https://id.example.org:65536/jwks",
        "https://id.example.org:443:443/jwks",
        "https://id.example.org:+443/jwks",
        "https://[::1/jwks",
        "https://[x]/jwks",
        "https://[::1]x/jwks",
        "https://b\u{fc}cher.example/jwks",
        &format!("https://id.example.org/{}", "x".repeat(2048)),
    ] {
        assert!(JwksUrl::new(text).is_err(), "{text}");
    }
}

#[test]
fn issuers_are_checked() {
    let url = || JwksUrl::new("https://id.example.org/jwks").unwrap();
    let build = |issuers: Vec<IssuerSettings>| {
        let oidc = Oidc::builder(Arc::new(SystemClock), Arc::new(PlainFetch));
        issuers.into_iter().fold(oidc, |oidc, issuer| oidc.issuer(issuer)).build().is_ok()
    };
    let good = || IssuerSettings::new("https://id.example.org", url(), "api");
    assert!(build(vec![good()]));
    assert!(build(vec![]), "and lets nobody in");
    assert!(
        !build(vec![good(), IssuerSettings::new("https://other.example", url(), "api")]),
        "nobody tells their users apart"
    );
    assert!(!build(vec![IssuerSettings::new("", url(), "api")]));
    assert!(!build(vec![IssuerSettings::new("https://id.example.org", url(), "")]));
    assert!(!build(vec![IssuerSettings { audience: Vec::new(), ..good() }]));
    assert!(build(vec![IssuerSettings { audience: Vec::new(), kind: TokenKind::CognitoAccess, ..good() }]));
    assert!(!build(vec![IssuerSettings { leeway: Duration::from_secs(31), ..good() }]));
    let rule = |claim: &str| RoleRule {
        claim: claim.into(),
        value: "v".into(),
        tenant_id: TenantId::new("t_a").unwrap(),
        role: Role::Viewer,
    };
    assert!(!build(vec![IssuerSettings { rules: vec![rule("")], ..good() }]));
    assert!(build(vec![IssuerSettings { rules: vec![rule("g"); 1000], ..good() }]));
    assert!(!build(vec![IssuerSettings { rules: vec![rule("g"); 1001], ..good() }]));
}
