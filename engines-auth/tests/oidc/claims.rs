//! The claims of a token of another issuer.

use engines_auth::oidc::TokenKind;
use engines_core::{ActorType, Code, Timestamp};

use crate::{
    fixture::{CLIENT, NOW, Options, World, rs, world, world_with},
    stand_in_issuer::RSA,
};

const REFUSED: Result<(), Code> = Err(Code::TokenInvalid);

fn of(kind: TokenKind) -> World {
    world_with(Options { kind: Some(kind), ..Options::default() })
}

fn typed(typ: &str, claims: &str) -> String {
    RSA[0].sign(format!(r#"{{"alg":"RS256","kid":"rsa","typ":{typ}}}"#), claims)
}

#[test]
fn an_id_token_is_no_access_token_nor_the_other_way_round() {
    let access = world();
    assert_eq!(access.code(&rs(access.access(""))), Ok(()));
    assert_eq!(access.code(&rs(access.id_token(""))), REFUSED);
    assert_eq!(access.code(&rs(access.id_token(&format!(r#""client_id":"{CLIENT}""#)))), REFUSED);
    for said in ["\"id\"", "\"Access\"", "\"\"", "null", "[\"access\"]", "7"] {
        assert_eq!(
            access.code(&rs(access.access_but(&["token_use"], &format!(r#""token_use":{said}"#)))),
            REFUSED,
            "{said}"
        );
    }
    assert_eq!(access.code(&rs(access.access_but(&["token_use"], ""))), REFUSED);

    let id = of(TokenKind::CognitoId);
    assert_eq!(id.code(&rs(id.id_token(""))), Ok(()));
    assert_eq!(id.code(&rs(id.access(""))), REFUSED);
    assert_eq!(id.code(&rs(id.access(&format!(r#""aud":"{CLIENT}""#)))), REFUSED);
    assert_eq!(id.code(&typed("\"at+jwt\"", &id.id_token(""))), REFUSED);
    assert_eq!(id.code(&typed("\"JWT\"", &id.id_token(""))), Ok(()));

    let plain = of(TokenKind::Access);
    let claims = plain.access_but(&["token_use", "client_id"], &format!(r#""aud":["x","{CLIENT}"]"#));
    assert_eq!(plain.code(&typed("\"at+jwt\"", &claims)), Ok(()));
    assert_eq!(plain.code(&typed("\"application/AT+JWT\"", &claims)), Ok(()));
    assert_eq!(plain.code(&typed("\"JWT\"", &claims)), REFUSED);
    assert_eq!(plain.code(&rs(&claims)), REFUSED);
    assert_eq!(plain.code(&typed("\"at+jwt\"", &plain.id_token(""))), REFUSED);
}

#[test]
fn only_token_types_of_the_issuer_kind_are_accepted() {
    let world = world();
    for typ in ["\"JWT\"", "\"jwt\"", "\"at+jwt\"", "\"application/at+jwt\""] {
        assert_eq!(world.code(&typed(typ, &world.access(""))), Ok(()), "{typ}");
    }
    for typ in [
        "\"\"",
        "\"JOSE\"",
        "\"dpop+jwt\"",
        "\"logout+jwt\"",
        "\"secevent+jwt\"",
        "\"id+jwt\"",
        "null",
        "7",
        "[\"JWT\"]",
    ] {
        assert_eq!(world.code(&typed(typ, &world.access(""))), REFUSED, "{typ}");
    }
}

#[test]
fn the_issuer_is_exactly_the_one_set() {
    let world = world();
    let name = world.issuer.issuer();
    let slash = format!("\"{name}/\"");
    let upper = format!("\"{}\"", name.to_uppercase());
    let listed = format!("[\"{name}\"]");
    for iss in ["null", "7", "\"\"", "\"engines\"", "\"https://evil.example/pool\"", &slash, &upper, &listed, "{}"] {
        assert_eq!(world.code(&rs(world.access_but(&["iss"], &format!(r#""iss":{iss}"#)))), REFUSED, "{iss}");
    }
    assert_eq!(world.code(&rs(world.access_but(&["iss"], ""))), REFUSED);
    assert_eq!(world.issuer.fetches(), 0, "for somebody else's token nobody is asked for keys");
}

#[test]
fn only_configured_client_ids_are_accepted() {
    let access = world();
    for client in ["\"other\"", "\"\"", "null", "7", &format!("[\"{CLIENT}\"]"), &format!("\"{CLIENT} \""), "{}"] {
        let claims = access.access_but(&["client_id"], &format!(r#""client_id":{client},"aud":"{CLIENT}""#));
        assert_eq!(access.code(&rs(claims)), REFUSED, "{client}");
    }
    assert_eq!(access.code(&rs(access.access_but(&["client_id"], ""))), REFUSED);

    let id = of(TokenKind::CognitoId);
    let listed = format!("[\"{CLIENT}\"]");
    let several = format!("[\"{CLIENT}\",\"other\"]");
    for aud in ["\"other\"", "\"\"", "null", "7", &listed, &several, "[]", "{}"] {
        let claims = id.id_token("").replace(&format!(r#""aud":"{CLIENT}""#), &format!(r#""aud":{aud}"#));
        assert_eq!(id.code(&rs(claims)), REFUSED, "{aud}");
    }
    assert_eq!(id.code(&rs(id.id_token("").replace(&format!(r#""aud":"{CLIENT}","#), ""))), REFUSED);

    // Without a configured client every client is accepted, but there must be one.
    let any = world_with(Options { any_client: true, ..Options::default() });
    assert_eq!(any.code(&rs(any.access_but(&["client_id"], r#""client_id":"other""#))), Ok(()));
    assert_eq!(any.code(&rs(any.access_but(&["client_id"], r#""client_id":"""#))), REFUSED);
    assert_eq!(any.code(&rs(any.access_but(&["client_id"], ""))), REFUSED);
}

#[test]
fn dates_must_be_numbers_within_the_supported_range() {
    let world = world();
    let bad = [
        "null",
        "\"1767226200\"",
        "\"\"",
        "true",
        "[]",
        "{}",
        "-1",
        "-1e300",
        "1e300",
        "253402300800",
        "99999999999999",
        "1767226200000",
        "18446744073709551616",
    ];
    for date in bad {
        assert_eq!(world.code(&rs(world.access_but(&["exp"], &format!(r#""exp":{date}"#)))), REFUSED, "exp {date}");
        assert_eq!(world.code(&rs(world.access_but(&["iat"], &format!(r#""iat":{date}"#)))), REFUSED, "iat {date}");
        assert_eq!(world.code(&rs(world.access(&format!(r#""nbf":{date}"#)))), REFUSED, "nbf {date}");
    }
    assert_eq!(world.code(&rs(world.access_but(&["exp"], ""))), REFUSED);
    for late in [NOW + 31, NOW + 86_400] {
        assert_eq!(world.code(&rs(world.access(&format!(r#""nbf":{late}"#)))), REFUSED);
        assert_eq!(world.code(&rs(world.access_but(&["iat"], &format!(r#""iat":{late}"#)))), REFUSED);
    }
    let near = NOW + 30;
    assert_eq!(world.code(&rs(world.access_but(&["iat"], &format!(r#""iat":{near},"nbf":{near}"#)))), Ok(()));
    assert_eq!(world.code(&rs(world.access_but(&["iat"], ""))), Ok(()));

    let good = rs(world.access(""));
    world.clock.set(Timestamp::from_millis((NOW + 630) * 1000 - 1));
    assert_eq!(world.code(&good), Ok(()));
    world.clock.set(Timestamp::from_secs(NOW + 630));
    assert_eq!(world.code(&good), Err(Code::TokenExpired));
    // Only an otherwise valid token is expired.
    assert_eq!(world.code(&RSA[1].sign(r#"{"alg":"RS256","kid":"rsa"}"#, world.access(""))), REFUSED);
    assert_eq!(world.code(&rs(world.access_but(&["client_id"], ""))), REFUSED);
}

#[test]
fn duplicate_claim_names_are_rejected() {
    let world = world();
    for more in [
        r#""sub":"eve""#,
        r#""\u0073ub":"eve""#,
        r#""iss":"x""#,
        r#""\u0069ss":"x""#,
        r#""exp":99999999999"#,
        r#""e\u0078p":1767226200"#,
        r#""token_use":"access""#,
        r#""client_i\u0064":"client-of-ours""#,
        r#""cognito:groups":["a"],"cognito:groups":["b"]"#,
        r#""cognito:groups":["a"],"cognito\u003agroups":["b"]"#,
    ] {
        assert_eq!(world.code(&rs(world.access(more))), REFUSED, "{more}");
    }
    for payload in ["", "null", "[]", "7", "{", "{}{}", "not json", "\"text\""] {
        assert_eq!(world.code(&rs(payload)), REFUSED, "{payload}");
    }
    let mut bytes = world.access(r#""x":"~""#).into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'~').unwrap();
    bytes[at] = 0xff;
    assert_eq!(world.code(&rs(bytes)), REFUSED);
}

#[test]
fn the_subject_is_a_user_id() {
    let world = world();
    for sub in [
        "null",
        "7",
        "\"\"",
        "[\"ada\"]",
        "\"a b\"",
        "\"ad\\u00e4\"",
        "\"a\\u0000\"",
        &format!("\"{}\"", "a".repeat(256)),
    ] {
        assert_eq!(world.code(&rs(world.access_but(&["sub"], &format!(r#""sub":{sub}"#)))), REFUSED, "{sub}");
    }
    assert_eq!(world.code(&rs(world.access_but(&["sub"], ""))), REFUSED);
    let machine = world.enter(&rs(world.access_but(&["sub"], &format!(r#""sub":"{CLIENT}""#)))).unwrap();
    assert_eq!(machine.actor.kind, ActorType::Agent);
    assert_eq!(world.enter(&rs(world.access(""))).unwrap().actor.kind, ActorType::Human);
}

#[test]
fn an_address_counts_when_the_issuer_says_it_is_verified() {
    let world = of(TokenKind::CognitoId);
    let email = |said: &str| {
        let claims = world.id_token(&format!(r#""email":"ada@example.org"{said}"#));
        world.enter(&rs(claims)).unwrap().email.as_ref().map(|email| email.expose().to_owned())
    };
    for said in [r#","email_verified":true"#, r#","email_verified":"true""#] {
        assert_eq!(email(said).as_deref(), Some("ada@example.org"), "{said}");
    }
    for said in [
        "",
        r#","email_verified":false"#,
        r#","email_verified":"false""#,
        r#","email_verified":1"#,
        r#","email_verified":null"#,
    ] {
        assert_eq!(email(said), None, "{said}");
    }
    for email in ["null", "7", "[\"ada@example.org\"]"] {
        assert_eq!(world.code(&rs(world.id_token(&format!(r#""email":{email}"#)))), REFUSED, "{email}");
    }
}
