//! Rotation of signing keys.

use std::{sync::Arc, time::Duration};

use engines_auth::{JwtSettings, SigningKey, SigningKeys, SigningSecret, TokenIssuer, TokenRequest, TokenVerifier};
use engines_core::{Clock, Code, IdGenerator, UserId, testing::ManualClock};

fn secret(letter: &str) -> SigningSecret {
    SigningSecret::new(format!("the signing secret of the rotation tests named {letter}")).unwrap()
}

fn key(kid: &str, letter: &str) -> SigningKey {
    SigningKey::new(kid, secret(letter)).unwrap()
}

fn issue(keys: &SigningKeys, clock: &ManualClock) -> String {
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    let issuer = TokenIssuer::with_keys(keys, JwtSettings::default(), clock, IdGenerator::seeded(3)).unwrap();
    let request = TokenRequest::new(UserId::new("ada").unwrap(), Duration::from_secs(600));
    issuer.issue(&request).unwrap().expose().to_owned()
}

fn verify(keys: &SigningKeys, clock: &ManualClock, token: &str) -> Result<(), Code> {
    let verifier = TokenVerifier::with_keys(keys, JwtSettings::default(), Arc::new(clock.clone())).unwrap();
    verifier.verify(token).map(|_| ()).map_err(|error| error.code())
}

#[test]
fn the_old_key_verifies_until_its_tokens_expire() {
    let clock = ManualClock::default();
    let before = SigningKeys::new(SigningKey::unnamed(secret("a")));
    let after = SigningKeys::new(key("2", "b")).previous(SigningKey::unnamed(secret("a"))).unwrap();
    let dropped = SigningKeys::new(key("2", "b"));
    let (old, new) = (issue(&before, &clock), issue(&after, &clock));
    assert_eq!(verify(&after, &clock, &old), Ok(()));
    assert_eq!(verify(&after, &clock, &new), Ok(()));
    assert_eq!(verify(&before, &clock, &new), Err(Code::TokenInvalid));
    assert_eq!(verify(&dropped, &clock, &old), Err(Code::TokenInvalid));
    clock.advance(Duration::from_secs(700));
    assert_eq!(verify(&after, &clock, &old), Err(Code::TokenExpired));
}

#[test]
fn a_kid_selects_its_key_only_and_keys_can_expire() {
    let clock = ManualClock::default();
    // The header names key 2, but key 1 signed.
    let liar = issue(&SigningKeys::new(key("2", "a")), &clock);
    let keys = SigningKeys::new(key("1", "a")).previous(key("2", "b")).unwrap();
    assert_eq!(verify(&keys, &clock, &liar), Err(Code::TokenInvalid));
    // An unknown key name is ignored, as for tokens minted elsewhere.
    let elsewhere = issue(&SigningKeys::new(key("../../etc/passwd".replace('/', "-").as_str(), "b")), &clock);
    assert_eq!(verify(&keys, &clock, &elsewhere), Ok(()));

    let ended = clock.now().plus(Duration::from_secs(5));
    let keys = SigningKeys::new(key("2", "b")).previous(key("1", "a").until(ended)).unwrap();
    let old = issue(&SigningKeys::new(key("1", "a")), &clock);
    assert_eq!(verify(&keys, &clock, &old), Ok(()));
    clock.advance(Duration::from_secs(5));
    assert_eq!(verify(&keys, &clock, &old), Err(Code::TokenInvalid));
}

#[test]
fn key_ids_and_key_counts_are_bounded_and_debug_is_redacted() {
    for bad in ["", "a b", "ä", "../x", "a\"b", &"x".repeat(65)] {
        assert!(SigningKey::new(bad, secret("a")).is_err(), "{bad}");
    }
    assert!(SigningKeys::new(key("1", "a")).previous(key("1", "b")).is_err());
    let mut keys = SigningKeys::new(key("0", "a"));
    for number in 1..SigningKeys::MAX {
        keys = keys.previous(key(&number.to_string(), "b")).unwrap();
    }
    assert!(!format!("{keys:?}").contains("aaa"));
    assert!(keys.previous(key("one-too-many", "c")).is_err());
}
