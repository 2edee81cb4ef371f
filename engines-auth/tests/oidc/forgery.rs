//! Forged tokens are refused.

use aws_lc_rs::hmac;
use engines_auth::SigningSecret;
use engines_core::Code;
use serde_json::{Value, json};

use crate::{
    fixture::{header, rs, world},
    stand_in_issuer::{EC, RSA, Signer, b64},
};

const REFUSED: Result<(), Code> = Err(Code::TokenInvalid);

fn hs256(secret: &[u8], header: &str, claims: &str) -> String {
    let message = format!("{}.{}", b64(header), b64(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", b64(tag))
}

#[test]
fn valid_tokens_are_accepted() {
    let world = world();
    assert_eq!(world.code(&rs(world.access(""))), Ok(()));
    assert_eq!(world.code(&EC.sign(header(&EC, "ec"), world.access(""))), Ok(()));
    let ada = world.enter(&rs(world.access(""))).unwrap();
    assert_eq!((ada.actor.id.as_str(), &*ada.issuer), ("ada", &*world.issuer.issuer()));
    assert_eq!(ada.credential_id.as_deref(), Some("j1"));
    assert!(ada.memberships.is_empty() && ada.email.is_none());
    assert_eq!(world.issuer.fetches(), 1);
}

#[test]
fn other_algorithms_are_rejected() {
    let world = world();
    let claims = world.access("");
    let mac = rs(&claims);
    let signature = mac.rsplit('.').next().unwrap();
    let spellings = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "none ",
        " none",
        "",
        "null",
        "rs256",
        "Rs256",
        "RS256 ",
        "RS256\\u0000",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "ES384",
        "ES512",
        "ES256K",
        "EdDSA",
        "Ed25519",
        "HS256",
        "HS384",
        "A128KW",
        "dir",
        "RSA",
    ];
    for alg in spellings {
        let head = b64(format!(r#"{{"alg":"{alg}","kid":"rsa"}}"#));
        for tail in ["", signature] {
            assert_eq!(world.code(&format!("{head}.{}.{tail}", b64(&claims))), REFUSED, "{alg}");
        }
        assert_eq!(world.code(&RSA[0].sign(format!(r#"{{"alg":"{alg}","kid":"rsa"}}"#), &claims)), REFUSED, "{alg}");
    }
    for head in ["{}", r#"{"kid":"rsa"}"#, r#"{"alg":null,"kid":"rsa"}"#, r#"{"alg":["RS256"],"kid":"rsa"}"#] {
        assert_eq!(world.code(&RSA[0].sign(head, &claims)), REFUSED, "{head}");
    }
    // A token of one algorithm with the key of the other.
    assert_eq!(world.code(&RSA[0].sign(r#"{"alg":"ES256","kid":"rsa"}"#, &claims)), REFUSED);
    assert_eq!(world.code(&RSA[0].sign(r#"{"alg":"RS256","kid":"ec"}"#, &claims)), REFUSED);
    assert_eq!(world.code(&EC.sign(r#"{"alg":"RS256","kid":"ec"}"#, &claims)), REFUSED);
    assert_eq!(world.code(&mac), Ok(()));
}

#[test]
fn a_public_key_is_not_used_as_a_shared_secret() {
    let world = world();
    let claims = world.access("");
    let jwk = RSA[0].jwk("rsa");
    let [der, pem] = RSA[0].spki();
    let secrets = [
        der,
        pem.clone(),
        pem.trim_ascii().to_vec(),
        jwk.to_string().into_bytes(),
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
        Vec::new(),
    ];
    for secret in &secrets {
        for head in [r#"{"alg":"HS256","kid":"rsa"}"#, r#"{"alg":"RS256","kid":"rsa"}"#, r#"{"alg":"HS256"}"#] {
            assert_eq!(world.code(&hs256(secret, head, &claims)), REFUSED, "{head}");
        }
    }
    // The process does not start with a public key as its own secret.
    assert!(SigningSecret::new(&pem).is_err());
    assert!(SigningSecret::new(jwk.to_string()).is_err());
}

#[test]
fn a_shared_key_in_a_public_key_set_is_ignored() {
    let world = world();
    let secret = [42; 64];
    let oct = json!({"kty":"oct","alg":"HS256","use":"sig","kid":"oct","k":b64(secret)});
    let disguised = json!({"kty":"oct","alg":"RS256","use":"sig","kid":"disguised","k":b64(secret)});
    world.issuer.serve(&[oct, disguised, RSA[0].jwk("rsa")]);
    for head in [
        r#"{"alg":"HS256","kid":"oct"}"#,
        r#"{"alg":"RS256","kid":"oct"}"#,
        r#"{"alg":"RS256","kid":"disguised"}"#,
        r#"{"alg":"HS256","kid":"disguised"}"#,
    ] {
        assert_eq!(world.code(&hs256(&secret, head, &world.access(""))), REFUSED, "{head}");
    }
    assert_eq!(world.code(&rs(world.access(""))), Ok(()));
}

#[test]
fn a_key_verifies_only_its_own_algorithm_and_use() {
    let change = |member: &str, value: Value| {
        let mut jwk = RSA[0].jwk("rsa");
        if value.is_null() {
            jwk.as_object_mut().unwrap().remove(member)
        } else {
            jwk.as_object_mut().unwrap().insert(member.into(), value)
        };
        jwk
    };
    let code = |keys: &[Value]| {
        let world = world();
        world.issuer.serve(keys);
        world.code(&rs(world.access("")))
    };
    for (member, value) in [
        ("alg", json!(null)),
        ("use", json!(null)),
        ("key_ops", json!(["verify"])),
        ("key_ops", json!(["sign", "verify"])),
        ("x5c", json!(["ignored"])),
    ] {
        assert_eq!(code(&[change(member, value.clone())]), Ok(()), "{member} {value}");
    }
    for (member, value) in [
        ("alg", json!("RS384")),
        ("alg", json!("PS256")),
        ("alg", json!("HS256")),
        ("alg", json!("ES256")),
        ("alg", json!("rs256")),
        ("alg", json!("none")),
        ("alg", json!("RSA-OAEP")),
        ("alg", json!(7)),
        ("use", json!("enc")),
        ("use", json!("SIG")),
        ("use", json!("")),
        ("key_ops", json!([])),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!(["encrypt", "wrapKey"])),
        ("key_ops", json!("verify")),
        ("kty", json!("EC")),
        ("kty", json!("oct")),
        ("kty", json!("rsa")),
        ("kty", json!(null)),
        ("kid", json!("other")),
        ("kid", json!(7)),
        ("n", json!("")),
        ("n", json!(null)),
        ("n", json!(b64([0xff; 128]))),
        ("e", json!("")),
        ("e", json!("AQ")),
        ("e", json!("AQAA")),
        ("e", json!("AQAB==")),
        ("d", json!("AQAB")),
    ] {
        assert_eq!(code(&[change(member, value.clone())]), REFUSED, "{member} {value}");
    }
    // Two keys of one name are ambiguous, in either order.
    let other = RSA[1].jwk("rsa");
    assert_eq!(code(&[RSA[0].jwk("rsa"), other.clone()]), REFUSED);
    assert_eq!(code(&[other, RSA[0].jwk("rsa")]), REFUSED);
    assert_eq!(code(&[RSA[0].jwk("rsa"), RSA[0].jwk("rsa")]), REFUSED);
    assert_eq!(code(&[RSA[0].jwk("rsa"), json!({"kty":"OKP","kid":"rsa"})]), REFUSED);
    assert_eq!(code(&[RSA[0].jwk("rsa"), json!("junk"), json!({}), json!(null), json!([])]), Ok(()));
}

#[test]
fn keys_embedded_in_a_token_are_ignored() {
    let world = world();
    let mine = &RSA[1];
    let (jwk, url) = (mine.jwk("mine"), format!("{}/evil.json", world.issuer.issuer()));
    for member in [
        format!(r#""jwk":{jwk}"#),
        format!(r#""jku":"{url}""#),
        format!(r#""x5u":"{url}""#),
        r#""x5c":["MIIB"]"#.into(),
        format!(r#""\u006awk":{jwk}"#),
        r#""crit":["exp"]"#.into(),
        r#""crit":[]"#.into(),
        r#""crit":["b64"],"b64":false"#.into(),
        r#""b64":false"#.into(),
        r#""zip":"DEF""#.into(),
        r#""enc":"A256GCM""#.into(),
        r#""alg":"RS256""#.into(),
        r#""al\u0067":"none""#.into(),
    ] {
        for (signer, kid) in [(mine, "mine"), (&RSA[0], "rsa")] {
            let head = format!(r#"{{"alg":"RS256","kid":"{kid}",{member}}}"#);
            assert_eq!(world.code(&signer.sign(&head, world.access(""))), REFUSED, "{head}");
        }
    }
    assert!(!world.issuer.paths().iter().any(|path| path.contains("evil")));
}

#[test]
fn a_kid_is_never_used_as_a_path() {
    let world = world();
    for kid in [
        "../../../../dev/null",
        "/dev/null",
        "file:///dev/null",
        "http://127.0.0.1/evil",
        "rsa/../ec",
        "x' UNION SELECT 'key' -- ",
        "rsa' OR '1'='1",
        "rsa; DROP TABLE keys",
        "rsa\\u0000",
        "RSA",
        "rsa ",
        "",
        "${jndi:ldap://evil}",
        "%2e%2e%2f",
        "*",
    ] {
        let head = format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#);
        assert_eq!(world.code(&RSA[0].sign(&head, world.access(""))), REFUSED, "{kid}");
        assert_eq!(world.code(&hs256(b"", &head.replace("RS256", "HS256"), &world.access(""))), REFUSED, "{kid}");
    }
    // The set has several keys, and the token names none.
    assert_eq!(world.code(&RSA[0].sign(r#"{"alg":"RS256"}"#, world.access(""))), REFUSED);
    assert!(world.issuer.paths().iter().all(|path| path == "/pool/.well-known/jwks.json"));
}

#[test]
fn all_zero_ecdsa_signatures_are_rejected() {
    let world = world();
    let message = format!("{}.{}", b64(header(&EC, "ec")), b64(world.access("")));
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let (zero, mut one) = ([0; 32], [0; 32]);
    one[31] = 1;
    for r in [zero, one, order] {
        for s in [zero, one, order] {
            assert_eq!(world.code(&format!("{message}.{}", b64([r, s].concat()))), REFUSED);
        }
    }
    // DER instead of two numbers, nothing, too short, too long.
    for other in [&[0x30, 6, 2, 1, 0, 2, 1, 0][..], &[], &[0; 63], &[0; 65], &[0; 128]] {
        assert_eq!(world.code(&format!("{message}.{}", b64(other))), REFUSED);
    }
}

#[test]
fn eddsa_is_rejected() {
    let world = world();
    // The neutral element and the other points of small order: for every message, R = A and S = 0 match (RFC 8032,
    // without cofactor).
    let weak = [
        [1].into_iter().chain([0; 31]).collect::<Vec<u8>>(),
        vec![0; 32],
        [vec![0xec], vec![0xff; 30], vec![0x7f]].concat(),
    ];
    for point in weak {
        let okp = json!({"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"ed","x":b64(&point)});
        world.issuer.serve(&[okp, RSA[0].jwk("rsa")]);
        for alg in ["EdDSA", "Ed25519", "RS256", "ES256"] {
            let message = format!("{}.{}", b64(format!(r#"{{"alg":"{alg}","kid":"ed"}}"#)), b64(world.access("")));
            let signature = b64([point.clone(), vec![0; 32]].concat());
            assert_eq!(world.code(&format!("{message}.{signature}")), REFUSED, "{alg}");
        }
    }
}

#[test]
fn other_keys_and_changed_bytes_do_not_fit() {
    let world = world();
    let good = rs(world.access(""));
    assert_eq!(world.code(&RSA[1].sign(header(&RSA[1], "rsa"), world.access(""))), REFUSED);
    let Signer::Ec(_) = &*EC else { unreachable!() };
    for at in (0..good.len()).step_by(7) {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(world.code(std::str::from_utf8(&bytes).unwrap()), REFUSED, "byte {at}");
    }
    for at in (0..good.len()).step_by(13) {
        assert_eq!(world.code(&good[..at]), if at == 0 { Err(Code::TokenMissing) } else { REFUSED });
    }
    assert_eq!(world.code(&format!("{good}.{good}")), REFUSED);
    assert_eq!(world.code(&rs(world.access(&format!(r#""x":"{}""#, "x".repeat(8 << 20))))), REFUSED);
}
