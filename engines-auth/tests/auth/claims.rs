//! The claims of a token, and when they are valid.

use std::time::Duration;

use engines_auth::JwtSettings;
use engines_core::{ActorType, Code, Role, Timestamp};

use crate::forge::{HEADER, NOW, claims_with, good_claims, sign, verifier_with, verify, verify_claims};

fn refused(claims: &str) {
    assert_eq!(verify_claims(claims).map(|_| ()), Err(Code::TokenInvalid), "{claims}");
}

#[test]
fn good_claims_make_a_principal() {
    let ada = verify_claims(good_claims()).unwrap();
    assert_eq!(ada.actor.id.as_str(), "ada");
    assert_eq!(ada.actor.kind, ActorType::Human);
    assert_eq!(ada.email.as_ref().unwrap().expose(), "ada@example.org");
    assert_eq!(ada.memberships.len(), 2);
    assert_eq!(ada.memberships["t_beta"], Role::Owner);
    assert_eq!(ada.default_tenant.as_ref().unwrap().as_str(), "t_acme");
    // The context lasts until the end of the leeway, as long as the token is admitted.
    assert_eq!(ada.expires_at, Some(Timestamp::from_secs(NOW + 630)));
    assert_eq!(ada.credential_id.as_deref(), Some("01"));
    assert_eq!(&*ada.issuer, "engines");
}

#[test]
fn sub_iss_and_exp_are_required() {
    let exp = NOW + 600;
    for claims in [
        format!(r#"{{"iss":"engines","exp":{exp}}}"#),
        format!(r#"{{"sub":"ada","exp":{exp}}}"#),
        r#"{"sub":"ada","iss":"engines"}"#.into(),
        "{}".into(),
    ] {
        refused(&claims);
    }
    for sub in [
        "null",
        "7",
        r#""""#,
        r#"["ada"]"#,
        r#""a b""#,
        r#""ad\u00e4""#,
        r#""a\u0000""#,
        &format!("\"{}\"", "a".repeat(256)),
    ] {
        refused(&format!(r#"{{"sub":{sub},"iss":"engines","exp":{exp}}}"#));
    }
    for iss in
        ["null", "7", r#""""#, r#""Engines""#, r#""engines ""#, r#""other""#, r#"["engines"]"#, r#"{"engines":1}"#]
    {
        refused(&format!(r#"{{"sub":"ada","iss":{iss},"exp":{exp}}}"#));
    }
}

#[test]
fn dates_must_be_numbers_within_the_supported_range() {
    let last = Timestamp::MAX.as_secs();
    let (last, after) = (last.to_string(), (last + 1).to_string());
    let bad = [
        "null",
        "\"1767226200\"",
        "\"\"",
        "true",
        "[]",
        "{}",
        "-1",
        "-0.5",
        "-1e300",
        "1e300",
        "1e999",
        &after,
        "253402300800",
        "99999999999999",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775808",
        "1767226200000",
        "NaN",
        "Infinity",
        "0x10",
    ];
    for date in bad {
        refused(&format!(r#"{{"sub":"ada","iss":"engines","exp":{date}}}"#));
        refused(&claims_with(&format!(r#""nbf":{date}"#)));
        refused(&claims_with(&format!(r#""iat":{date}"#)));
    }
    for date in ["1767226200", "1767226200.75", "1.7672262e9", &last] {
        assert!(verify_claims(format!(r#"{{"sub":"ada","iss":"engines","exp":{date}}}"#)).is_ok(), "{date}");
    }
    for date in ["0", "0.0", "-0.0", "1", "1767225599"] {
        assert!(verify_claims(claims_with(&format!(r#""nbf":{date},"iat":{date}"#))).is_ok(), "{date}");
    }
    for date in ["0", "1", "1767225500"] {
        let code = verify_claims(format!(r#"{{"sub":"ada","iss":"engines","exp":{date}}}"#)).map(|_| ());
        assert_eq!(code, Err(Code::TokenExpired), "{date}");
    }
}

#[test]
fn leeway_is_thirty_seconds_to_the_millisecond() {
    let (verifier, clock) = verifier_with(JwtSettings::default());
    let exp = sign(HEADER, claims_with(r#""x":0"#));
    let at = |millis: i64| clock.set(Timestamp::from_millis(millis));
    let code = |token: &str| verifier.verify(token).map(|_| ()).map_err(|error| error.code());

    at((NOW + 630) * 1000 - 1);
    assert_eq!(code(&exp), Ok(()));
    at((NOW + 630) * 1000);
    assert_eq!(code(&exp), Err(Code::TokenExpired));

    for name in ["nbf", "iat"] {
        let begins = sign(HEADER, claims_with(&format!(r#""{name}":{}"#, NOW + 100)));
        at((NOW + 70) * 1000 - 1);
        assert_eq!(code(&begins), Err(Code::TokenInvalid), "{name}");
        at((NOW + 70) * 1000);
        assert_eq!(code(&begins), Ok(()), "{name}");
    }

    let (strict, clock) = verifier_with(JwtSettings { leeway: Duration::ZERO, ..JwtSettings::default() });
    clock.set(Timestamp::from_secs(NOW + 600));
    assert_eq!(strict.verify(&exp).unwrap_err().code(), Code::TokenExpired);
}

#[test]
fn only_an_otherwise_valid_token_is_reported_as_expired() {
    let late = NOW + 900;
    for claims in [
        format!(r#"{{"sub":"ada","iss":"other","exp":{NOW}}}"#),
        format!(r#"{{"sub":"a b","iss":"engines","exp":{NOW}}}"#),
        format!(r#"{{"sub":"ada","iss":"engines","exp":{NOW},"nbf":{late}}}"#),
    ] {
        let (verifier, clock) = verifier_with(JwtSettings::default());
        clock.set(Timestamp::from_secs(NOW + 60));
        assert_eq!(verifier.verify(&sign(HEADER, &claims)).unwrap_err().code(), Code::TokenInvalid, "{claims}");
    }
    let (verifier, clock) = verifier_with(JwtSettings::default());
    clock.set(Timestamp::from_secs(NOW + 6000));
    let mut forged = sign(HEADER, good_claims());
    assert_eq!(verifier.verify(&forged).unwrap_err().code(), Code::TokenExpired);
    forged.truncate(forged.len() - 4);
    assert_eq!(verifier.verify(&forged).unwrap_err().code(), Code::TokenInvalid);
}

#[test]
fn invalid_jwt_settings_are_rejected() {
    use engines_auth::{SigningSecret, TokenVerifier};
    let make = |settings| {
        let secret = SigningSecret::new(crate::forge::SECRET).unwrap();
        TokenVerifier::new(&secret, settings, std::sync::Arc::new(engines_core::SystemClock)).is_ok()
    };
    assert!(make(JwtSettings::default()));
    assert!(!make(JwtSettings { leeway: Duration::from_millis(30_001), ..JwtSettings::default() }));
    assert!(!make(JwtSettings { issuer: "".into(), ..JwtSettings::default() }));
    assert!(!make(JwtSettings { audience: vec!["".into()], ..JwtSettings::default() }));
}

#[test]
fn the_audience_is_checked_where_one_is_set() {
    let (verifier, _) =
        verifier_with(JwtSettings { audience: vec!["api".into(), "edge".into()], ..JwtSettings::default() });
    let strict = |aud: &str| verifier.verify(&sign(HEADER, claims_with(aud))).map(|_| ()).map_err(|error| error.code());
    for aud in [r#""aud":"api""#, r#""aud":["x","edge"]"#, r#""aud":["api"]"#, r#""aud":"\u0061pi""#] {
        assert_eq!(strict(aud), Ok(()), "{aud}");
    }
    for aud in [
        r#""x":1"#,
        r#""aud":"API""#,
        r#""aud":"api ""#,
        r#""aud":[]"#,
        r#""aud":["x"]"#,
        r#""aud":"ap""#,
        r#""aud":"""#,
    ] {
        assert_eq!(strict(aud), Err(Code::TokenInvalid), "{aud}");
    }
    // Without a configured audience, `aud` may have any value of the right type.
    for aud in [r#""aud":"whoever""#, r#""aud":[]"#, r#""aud":["a","b"]"#] {
        assert!(verify_claims(claims_with(aud)).is_ok(), "{aud}");
    }
    for aud in [
        r#""aud":null"#,
        r#""aud":7"#,
        r#""aud":{"a":1}"#,
        r#""aud":["api",7]"#,
        r#""aud":[["api"]]"#,
        r#""aud":["api",null]"#,
    ] {
        refused(&claims_with(aud));
        assert_eq!(strict(aud), Err(Code::TokenInvalid), "{aud}");
    }
}

#[test]
fn wrong_types_are_refused_and_null_is_absent() {
    for name in ["email", "default_tenant_id", "actor_type"] {
        for value in ["7", "true", "[]", "{}", "\"\\ud800\""] {
            refused(&claims_with(&format!(r#""{name}":{value}"#)));
        }
    }
    for value in ["null", "7", "[]", "{}"] {
        refused(&claims_with(&format!(r#""jti":{value}"#)));
    }
    for value in ["7", "\"t_acme\"", "{}", "[7]", "[null]", "[[\"t_acme\"]]"] {
        refused(&claims_with(&format!(r#""tenant_ids":{value}"#)));
    }
    for value in ["7", "\"owner\"", "[]", r#"{"t_acme":7}"#, r#"{"t_acme":null}"#, r#"{"t_acme":["owner"]}"#] {
        refused(&claims_with(&format!(r#""role_map":{value}"#)));
    }
    let nulls = r#""email":null,"tenant_ids":null,"default_tenant_id":null,"role_map":null,"actor_type":null"#;
    let nobody = verify_claims(claims_with(nulls)).unwrap();
    assert!(nobody.memberships.is_empty() && nobody.email.is_none() && nobody.default_tenant.is_none());
}

#[test]
fn duplicate_claim_names_are_rejected() {
    for claims in [
        claims_with(r#""sub":"eve""#),
        claims_with(r#""\u0073ub":"eve""#),
        claims_with(r#""s\u0075\u0062":"ada""#),
        claims_with(r#""e\u0078p":99999999999"#),
        claims_with(r#""email":null,"email":"eve@example.org""#),
        claims_with(r#""email":"a","\u0065mail":null"#),
        claims_with(r#""unknown":1,"unknow\u006e":1"#),
        claims_with(r#""tenant_ids":["t_acme"],"role_map":{"t_acme":"viewer","t_acme":"owner"}"#),
        claims_with(r#""tenant_ids":["t_acme"],"role_map":{"t_acme":"viewer","t_\u0061cme":"owner"}"#),
        claims_with(r#""role_map":{"t_acme":"viewer"},"role_map":{"t_acme":"owner"}"#),
    ] {
        refused(&claims);
    }
    assert_eq!(
        verify_claims(claims_with(r#""\u0065mail":"a@example.org""#)).unwrap().email.unwrap().expose(),
        "a@example.org"
    );
}

#[test]
fn a_membership_needs_both_the_tenant_and_the_role() {
    let memberships = |tenants: &str, roles: &str| {
        let claims = claims_with(&format!(r#""tenant_ids":{tenants},"role_map":{roles}"#));
        let memberships = verify_claims(&claims).unwrap().memberships;
        memberships.iter().map(|(tenant, role)| format!("{tenant}={}", role.as_str())).collect::<Vec<_>>().join(",")
    };
    assert_eq!(memberships(r#"["t_acme"]"#, r#"{"t_acme":"admin"}"#), "t_acme=admin");
    assert_eq!(memberships(r#"["t_acme","t_acme"]"#, r#"{"t_acme":"viewer"}"#), "t_acme=viewer");
    assert_eq!(memberships(r#"["t_acme"]"#, r#"{"t_beta":"admin"}"#), "");
    assert_eq!(memberships("[]", r#"{"t_acme":"admin"}"#), "");
    assert_eq!(memberships(r#"["t_acme"]"#, "{}"), "");
    for unknown in ["root", "Owner", "owner ", "", "system"] {
        let roles = format!(r#"{{"t_acme":"{unknown}","t_beta":"owner"}}"#);
        assert_eq!(memberships(r#"["t_acme","t_beta"]"#, &roles), "t_beta=owner", "{unknown}");
    }
    let roles = r#"{"T_ACME":"owner","../t":"owner","":"owner","t_":"owner","t_beta":"viewer"}"#;
    assert_eq!(memberships(r#"["T_ACME","../t","","t_","t_beta"]"#, roles), "t_beta=viewer");
    assert!(verify_claims(claims_with(r#""default_tenant_id":"../t""#)).unwrap().default_tenant.is_none());
}

#[test]
fn agents_are_marked_and_no_token_claims_to_be_the_system() {
    for (said, kind) in [
        ("agent", ActorType::Agent),
        ("human", ActorType::Human),
        ("system", ActorType::Human),
        ("Agent", ActorType::Human),
    ] {
        let claims = claims_with(&format!(r#""actor_type":"{said}""#));
        assert_eq!(verify_claims(claims).unwrap().actor.kind, kind, "{said}");
    }
}

#[test]
fn payloads_that_are_no_object_are_refused() {
    for payload in ["", "null", "7", "[]", "\"text\"", "{", "{}{}", "not json"] {
        refused(payload);
    }
    let mut bytes = claims_with(r#""x":"~""#).into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'~').unwrap();
    bytes[at] = 0xff;
    assert_eq!(verify_claims(bytes).map(|_| ()), Err(Code::TokenInvalid));
}

#[test]
fn long_tokens_are_refused_before_they_are_read() {
    let padded = |bytes: usize| sign(HEADER, claims_with(&format!(r#""x":"{}""#, "x".repeat(bytes))));
    let base = padded(0).len();
    let fits = padded((8192 - base) * 3 / 4 - 4);
    assert!(fits.len() <= 8192 && fits.len() > 8180, "{}", fits.len());
    assert!(verify(&fits).is_ok());
    let long = padded((8192 - base) * 3 / 4 + 4);
    assert!(long.len() > 8192);
    assert_eq!(verify(&long).map(|_| ()), Err(Code::TokenInvalid));
    assert_eq!(verify(&padded(8 << 20)).map(|_| ()), Err(Code::TokenInvalid));
    assert_eq!(verify(&".".repeat(8 << 20)).map(|_| ()), Err(Code::TokenInvalid));
}
