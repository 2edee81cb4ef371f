//! A cached token gets the same answers as an uncached one.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use engines_auth::{
    Authenticator, Credential, JwtSettings, SigningKey, SigningKeys, SigningSecret, TokenIssuer, TokenRequest,
    TokenVerifier,
};
use engines_core::{Clock, Code, IdGenerator, Role, TenantId, UserId, testing::ManualClock};
use futures_util::FutureExt;

struct World {
    clock: ManualClock,
    verifier: TokenVerifier,
    token: String,
}

fn ask(world: &World, token: &str) -> Result<String, Code> {
    let asked = world.verifier.authenticate(&Credential::Bearer(token)).now_or_never().unwrap();
    // A token that no authenticator takes is refused too.
    asked.map_err(|error| error.code())?.map(|found| found.actor.id.to_string()).ok_or(Code::TokenInvalid)
}

fn world(ttl: u64, key_ends_after: Option<u64>) -> World {
    let clock = ManualClock::default();
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let secret = || SigningSecret::new("a secret of the tests, long enough for it").unwrap();
    let issuer =
        TokenIssuer::new(&secret(), JwtSettings::default(), Arc::clone(&shared), IdGenerator::seeded(1)).unwrap();
    let mut request = TokenRequest::new(UserId::new("ada").unwrap(), Duration::from_secs(ttl));
    request.memberships.insert(TenantId::new("t_acme").unwrap(), Role::Member);
    let token = issuer.issue(&request).unwrap().expose().to_owned();
    let verifier = match key_ends_after {
        None => TokenVerifier::new(&secret(), JwtSettings::default(), shared).unwrap(),
        Some(seconds) => {
            let end = clock.now().plus(Duration::from_secs(seconds));
            let current = SigningSecret::new("the secret of today, long enough for it as well").unwrap();
            let keys = SigningKeys::new(SigningKey::unnamed(current));
            let keys = keys.previous(SigningKey::unnamed(secret()).until(end)).unwrap();
            TokenVerifier::with_keys(&keys, JwtSettings::default(), shared).unwrap()
        }
    };
    World { clock, verifier, token }
}

#[test]
fn a_cached_token_expires_at_its_exp() {
    let world = world(2, None);
    assert_eq!(ask(&world, &world.token).unwrap(), "ada");
    assert_eq!(ask(&world, &world.token).unwrap(), "ada");
    // The leeway still applies after `exp`, but no longer than that.
    world.clock.advance(Duration::from_secs(3));
    assert_eq!(ask(&world, &world.token).unwrap(), "ada");
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(ask(&world, &world.token), Err(Code::TokenExpired));
}

#[test]
fn the_cache_matches_identical_token_text_only() {
    let world = world(600, None);
    assert_eq!(ask(&world, &world.token).unwrap(), "ada");
    for at in 0..world.token.len() {
        let mut other = world.token.clone();
        let letter = if &other[at..=at] == "A" { "B" } else { "A" };
        other.replace_range(at..=at, letter);
        assert!(ask(&world, &other).is_err(), "changed at {at}");
    }
    assert_eq!(ask(&world, &world.token).unwrap(), "ada");
}

#[test]
fn an_expired_key_is_rejected_within_five_seconds_despite_the_cache() {
    let world = world(600, Some(2));
    assert_eq!(ask(&world, &world.token).unwrap(), "ada");
    world.clock.advance(Duration::from_secs(6));
    assert_eq!(ask(&world, &world.token), Err(Code::TokenInvalid));
}
