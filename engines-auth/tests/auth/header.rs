//! A header influences nothing but the choice of the verifier.

use engines_auth::{Authenticator, Credential, SigningSecret};
use engines_core::Code;
use futures_util::FutureExt;

use crate::forge::{HEADER, SECRET, b64, good_claims, sign, sign_with, verifier_with, verify};

fn header(text: &str) -> Result<(), Code> {
    verify(&sign(text, good_claims())).map(|_| ())
}

#[test]
fn the_expected_header_is_accepted() {
    for text in [
        HEADER,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"jwt"}"#,
        r#"{"alg":"HS256","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","typ":"AT+JWT"}"#,
        r#"{"alg":"HS256","typ":"application/at+jwt"}"#,
        r#"{"alg":"HS256","kid":"2026-01"}"#,
        r#"{"alg":"HS256","kid":"../../../dev/null"}"#,
        r#"{"alg":"HS256","kid":"x' UNION SELECT 'key"}"#,
        r#"{"alg":"HS256","x5t":"unused","anything":{"deep":[1]}}"#,
        r#" { "alg" : "HS256" } "#,
        r#"{"\u0061lg":"HS256"}"#,
    ] {
        assert_eq!(header(text), Ok(()), "{text}");
    }
}

#[test]
fn every_other_algorithm_is_refused() {
    let spellings = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "noNe",
        "none ",
        " none",
        "",
        "null",
        "hs256",
        "Hs256",
        "HS256 ",
        " HS256",
        "HS256\\u0000",
        "HS384",
        "HS512",
        "RS256",
        "RS384",
        "PS256",
        "ES256",
        "ES256K",
        "EdDSA",
        "A128KW",
        "dir",
        "HS256\\n",
        "HMACSHA256",
    ];
    for alg in spellings {
        let text = format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#);
        assert_eq!(header(&text), Err(Code::TokenInvalid), "{text}");
        let unsigned = format!("{}.{}.", b64(&text), b64(good_claims()));
        assert_eq!(verify(&unsigned).map(|_| ()), Err(Code::TokenInvalid), "unsigned {text}");
    }
    for alg in ["null", "0", "[]", r#"["HS256"]"#, r#"{"name":"HS256"}"#, "true"] {
        assert_eq!(header(&format!(r#"{{"alg":{alg}}}"#)), Err(Code::TokenInvalid), "{alg}");
    }
    assert_eq!(header(r#"{"typ":"JWT"}"#), Err(Code::TokenInvalid));
}

#[test]
fn forbidden_header_parameters_are_rejected() {
    for member in [
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""crit":["b64"],"b64":false"#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""zip":"DEF""#,
        r#""enc":"A128GCM""#,
        r#""jku":"https://evil.example/keys""#,
        r#""x5u":"https://evil.example/cert""#,
        r#""x5c":["MIIB"]"#,
        r#""jwk":{"kty":"oct","k":"AAAA"}"#,
        r#""\u006aku":"https://evil.example/keys""#,
        r#""kid":7"#,
        r#""kid":["a"]"#,
    ] {
        let text = format!(r#"{{"alg":"HS256",{member}}}"#);
        assert_eq!(header(&text), Err(Code::TokenInvalid), "{text}");
    }
}

#[test]
fn other_types_of_token_are_refused() {
    for typ in [
        r#""""#,
        r#""JOSE""#,
        r#""JWE""#,
        r#""dpop+jwt""#,
        r#""logout+jwt""#,
        r#""secevent+jwt""#,
        r#""id+jwt""#,
        r#""JWT ""#,
        "null",
        "7",
        r#"["JWT"]"#,
    ] {
        assert_eq!(header(&format!(r#"{{"alg":"HS256","typ":{typ}}}"#)), Err(Code::TokenInvalid), "{typ}");
    }
}

#[test]
fn duplicate_header_names_are_rejected() {
    for text in [
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"HS256","\u0061lg":"none"}"#,
        r#"{"alg":"HS256","al\u0067":"HS256"}"#,
        r#"{"alg":"HS256","typ":"JWT","\u0074yp":"JWT"}"#,
        r#"{"alg":"HS256","unknown":1,"unknown":1}"#,
        r#"{"alg":"HS256","unknown":1,"unkno\u0077n":2}"#,
    ] {
        assert_eq!(header(text), Err(Code::TokenInvalid), "{text}");
    }
}

#[test]
fn malformed_headers_are_refused() {
    let deep = format!(r#"{{"alg":"HS256","x":{}{}}}"#, "[".repeat(2000), "]".repeat(2000));
    for text in [
        "",
        " ",
        "null",
        "[]",
        "7",
        "\"HS256\"",
        "{",
        "{}",
        r#"{"alg":"HS256""#,
        r#"{"alg":"HS256"}}"#,
        r#"{"alg":"HS256"}{}"#,
        r#"{"alg":"HS256",}"#,
        r"{'alg':'HS256'}",
        "\u{feff}{\"alg\":\"HS256\"}",
        r#"{"alg":"HS256","\ud800":1}"#,
    ] {
        assert_eq!(header(text), Err(Code::TokenInvalid), "{text}");
    }
    assert_eq!(header(&deep), Ok(()), "what is ignored is skipped without recursion");
    for bytes in [&b"{\"alg\":\"HS256\",\"x\":\"\xff\"}"[..], b"\xff\xfe", b"{\"alg\":\"HS256\xff\"}"] {
        assert_eq!(verify(&sign(bytes, good_claims())).map(|_| ()), Err(Code::TokenInvalid));
    }
}

#[test]
fn the_compact_serialization_is_parsed_strictly() {
    let good = sign(HEADER, good_claims());
    assert!(verify(&good).is_ok());
    let parts: Vec<&str> = good.split('.').collect();
    let (head, body, mac) = (parts[0], parts[1], parts[2]);
    for token in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        head.into(),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{head}..{mac}"),
        format!(".{body}.{mac}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{mac}"),
        format!("{head}=.{body}.{mac}"),
        format!("{head}.{body}.{mac}="),
        format!("{head}.{body}==.{mac}"),
        format!("{good} "),
        format!(" {good}"),
        format!("{head}.{body}.{mac}\n"),
        format!("{head}.{body}.{}", &mac[1..]),
        format!("{head}.{body}.A{mac}"),
        format!("{head}.{body}.{}", mac.replace(['-', '_'], "+") + "+"),
        format!("{head}.{mac}.{body}"),
        format!(r#"{{"protected":"{head}","payload":"{body}","signature":"{mac}"}}"#),
    ] {
        assert_eq!(verify(&token).map(|_| ()), Err(Code::TokenInvalid), "{token}");
    }
}

#[test]
fn a_public_key_is_rejected_as_a_signing_secret() {
    let pem = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo\n-----END PUBLIC KEY-----\n";
    let jwk = r#" {"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86z","e":"AQAB"}"#;
    for text in [pem, &pem.replace("PUBLIC", "RSA PRIVATE"), &format!("\n\n  {pem}"), jwk] {
        assert_eq!(SigningSecret::new(text).unwrap_err().code(), Code::Internal);
    }
    // Signed with the public key as a shared secret, under each algorithm.
    for alg in ["HS256", "RS256"] {
        let forged = sign_with(pem.as_bytes(), format!(r#"{{"alg":"{alg}"}}"#), good_claims());
        assert_eq!(verify(&forged).map(|_| ()), Err(Code::TokenInvalid));
    }
    // Our own secret, with the name of another algorithm.
    assert_eq!(header(r#"{"alg":"RS256"}"#), Err(Code::TokenInvalid));
}

#[test]
fn secrets_are_long_enough_and_do_not_print() {
    for short in ["", "a", &SECRET[..31]] {
        assert!(SigningSecret::new(short).is_err(), "{} bytes", short.len());
    }
    let secret = SigningSecret::new(&SECRET[..32]).unwrap();
    assert!(!format!("{secret:?} {:?}", verifier_with(Default::default()).0).contains("secret of"));
    assert!(!format!("{:?}", Credential::Bearer("abc.def.ghi")).contains("abc"));
}

#[test]
fn foreign_tokens_are_left_to_other_authenticators() {
    let verifier = verifier_with(Default::default()).0;
    let ask = |text: &str| {
        let answer = verifier.authenticate(&Credential::Bearer(text)).now_or_never().unwrap();
        answer.map(|principal| principal.is_some()).map_err(|error| error.code())
    };
    assert_eq!(ask(&sign(HEADER, good_claims())), Ok(true));
    assert_eq!(ask("ek_0123456789"), Ok(false));
    assert_eq!(ask(&sign(r#"{"alg":"RS256"}"#, good_claims())), Ok(false));
    assert_eq!(ask("a.b.c"), Err(Code::TokenInvalid));
    assert_eq!(ask(&sign_with(b"some other secret of 32 bytes...", HEADER, good_claims())), Err(Code::TokenInvalid));
}
