//! Rotation of an issuer's keys, and outages of the issuer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use engines_auth::{
    Authenticator, Credential,
    oidc::{FetchLimits, JwksFetch, JwksSettings, JwksUrl, KeySetResponse, Oidc},
};
use engines_core::{Code, Error, Result, Timestamp, testing::ManualClock};
use futures_util::{FutureExt, future::join_all};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{
    fixture::{NOW, Options, PlainFetch, World, header, rs, settings_of, world, world_with},
    stand_in_issuer::{Answer, EC, RSA},
};

const REFUSED: Result<(), Code> = Err(Code::TokenInvalid);
const UNAVAILABLE: Result<(), Code> = Err(Code::BackendUnavailable);

fn named(world: &World, kid: &str) -> String {
    RSA[0].sign(header(&RSA[0], kid), world.access(""))
}

/// Claims that outlast the waits of these tests.
fn long(world: &World) -> String {
    world.access_but(&["exp"], r#""exp":1800000000"#)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_thousand_unknown_kids_cause_one_fetch() {
    for warm in [false, true] {
        let world = world();
        if warm {
            assert_eq!(world.code(&rs(world.access(""))), Ok(()));
            assert_eq!(world.issuer.fetches(), 1);
        }
        for at in 0..1000 {
            assert_eq!(world.code(&named(&world, &format!("k{at}"))), REFUSED);
        }
        assert_eq!(world.issuer.fetches(), 1);
        assert_eq!(world.code(&rs(world.access(""))), Ok(()));
        assert_eq!(world.issuer.fetches(), 0);
        world.clock.advance(seconds(10));
        for at in 0..1000 {
            assert_eq!(world.code(&named(&world, &format!("k{at}"))), REFUSED);
        }
        assert_eq!(world.issuer.fetches(), 1, "once for each cooldown");
    }
}

#[test]
fn a_new_key_works_at_once_and_a_removed_one_no_longer_than_it_may() {
    let world = world();
    assert_eq!(world.code(&rs(long(&world))), Ok(()));
    world.issuer.serve(&[RSA[0].jwk("rsa"), RSA[1].jwk("new")]);
    let new = RSA[1].sign(header(&RSA[1], "new"), long(&world));
    assert_eq!(world.code(&new), Ok(()));
    assert_eq!(world.issuer.fetches(), 2);
    assert_eq!(world.code(&rs(long(&world))), Ok(()), "both work while both are there");

    world.issuer.serve(&[RSA[1].jwk("new")]);
    world.clock.advance(seconds(299));
    assert_eq!(world.code(&rs(long(&world))), Ok(()));
    world.clock.advance(seconds(1));
    assert_eq!(world.code(&rs(long(&world))), REFUSED);
    assert_eq!(world.code(&new), Ok(()));
    assert_eq!(world.issuer.fetches(), 1);

    // A rotation while someone guesses key names waits for the cooldown, and no longer.
    world.issuer.serve(&[EC.jwk("next")]);
    let next = EC.sign(header(&EC, "next"), long(&world));
    assert_eq!(world.code(&next), REFUSED);
    world.clock.advance(seconds(10));
    assert_eq!(world.code(&next), Ok(()));
    assert_eq!(world.code(&new), REFUSED, "what was fetched for one is the truth for all");
}

#[test]
fn a_replaced_key_under_the_same_kid_is_picked_up() {
    let world = world();
    assert_eq!(world.code(&rs(long(&world))), Ok(()));
    world.issuer.serve(&[RSA[1].jwk("rsa")]);
    world.clock.advance(seconds(300));
    assert_eq!(world.code(&rs(long(&world))), REFUSED);
    assert_eq!(world.code(&RSA[1].sign(header(&RSA[1], "rsa"), long(&world))), Ok(()));
}

#[test]
fn an_issuer_that_is_down_serves_from_memory_for_a_while() {
    let world = world();
    assert_eq!(world.code(&rs(long(&world))), Ok(()));
    for answer in [
        Answer::Nothing,
        Answer::Bytes(500, String::new(), Vec::new()),
        Answer::Bytes(200, String::new(), b"not json".to_vec()),
        Answer::Bytes(200, String::new(), b"{}".to_vec()),
        Answer::Bytes(200, String::new(), b"{\"keys\":{}}".to_vec()),
        Answer::Bytes(200, String::new(), vec![b' '; (64 << 10) + 1]),
        Answer::Bytes(200, String::new(), json!({"keys": vec![RSA[0].jwk("rsa"); 65]}).to_string().into_bytes()),
    ] {
        world.issuer.answer(answer);
        world.clock.advance(seconds(400));
        world.issuer.fetches();
        for _ in 0..10 {
            assert_eq!(world.code(&rs(long(&world))), Ok(()));
        }
        assert_eq!(world.issuer.fetches(), 1, "it is left alone for a moment");
        assert_eq!(world.code(&named(&world, "other")), UNAVAILABLE, "nobody can tell");
    }
    world.clock.advance(seconds(800));
    assert_eq!(world.code(&rs(long(&world))), UNAVAILABLE, "an hour is the end");
    world.issuer.serve(&[RSA[0].jwk("rsa")]);
    world.clock.advance(seconds(2));
    assert_eq!(world.code(&rs(long(&world))), Ok(()));
}

#[test]
fn without_cached_keys_a_retryable_error_is_returned() {
    let world = world();
    world.issuer.answer(Answer::Nothing);
    for _ in 0..100 {
        assert_eq!(world.code(&rs(world.access(""))), UNAVAILABLE);
    }
    assert_eq!(world.issuer.fetches(), 1);
    world.issuer.serve(&[RSA[0].jwk("rsa")]);
    assert_eq!(world.code(&rs(world.access(""))), UNAVAILABLE);
    world.clock.advance(seconds(2));
    assert_eq!(world.code(&rs(world.access(""))), Ok(()));
}

#[test]
fn the_issuer_may_shorten_how_long_its_keys_are_kept() {
    let fetches = |control: &str, wait: u64| {
        let world = world();
        world.issuer.serve_with(&format!("cache-control: {control}\r\n"), &[RSA[0].jwk("rsa")]);
        assert_eq!(world.code(&rs(world.access(""))), Ok(()));
        world.clock.advance(seconds(wait));
        assert_eq!(world.code(&rs(world.access(""))), Ok(()));
        world.issuer.fetches()
    };
    for (control, fresh) in [
        ("public, max-age=60", 60),
        ("max-age=\"60\"", 60),
        ("max-age=99999999999999999999", 300),
        ("max-age=86400", 300),
        ("public", 300),
        ("no-store", 10),
        ("max-age=0", 10),
        ("Max-Age=60, no-cache", 10),
    ] {
        assert_eq!(fetches(control, fresh - 1), 1, "{control}");
        assert_eq!(fetches(control, fresh), 2, "{control}");
    }
}

#[test]
fn a_clock_set_back_does_not_extend_cached_keys() {
    let world = world();
    assert_eq!(world.code(&rs(long(&world))), Ok(()));
    assert_eq!(world.code(&named(&world, "other")), REFUSED);
    let back = rs(world.access_but(&["exp", "iat"], r#""exp":1800000000"#));
    world.clock.set(Timestamp::from_secs(NOW - 86_400));
    world.issuer.serve(&[RSA[0].jwk("next")]);
    world.issuer.fetches();
    assert_eq!(world.code(&back), REFUSED, "the keys are asked for again, and this one is gone");
    let next = RSA[0].sign(header(&RSA[0], "next"), world.access_but(&["exp", "iat"], r#""exp":1800000000"#));
    assert_eq!(world.code(&next), Ok(()));
    assert_eq!(world.issuer.fetches(), 1);
}

#[test]
fn a_single_key_set_accepts_tokens_without_kid() {
    let world = world();
    world.issuer.serve(&[RSA[0].jwk("rsa")]);
    assert_eq!(world.code(&RSA[0].sign(r#"{"alg":"RS256"}"#, world.access(""))), Ok(()));
    world.clock.advance(seconds(300));
    world.issuer.serve(&[RSA[0].jwk("rsa"), EC.jwk("ec")]);
    assert_eq!(world.code(&RSA[0].sign(r#"{"alg":"RS256"}"#, world.access(""))), REFUSED);
}

/// A fetch that completes on command and counts its calls.
#[derive(Debug)]
struct Gated(Semaphore, AtomicUsize);

#[async_trait]
impl JwksFetch for Gated {
    async fn fetch(&self, url: &JwksUrl, limits: FetchLimits) -> Result<KeySetResponse> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.acquire().await.map_err(|error| Error::unavailable("test.fetch", error))?.forget();
        PlainFetch.fetch(url, limits).await
    }
}

#[tokio::test]
async fn concurrent_callers_share_one_fetch_and_a_dropped_caller_does_not_cancel_it() {
    let world = world();
    let (gate, clock) = (Arc::new(Gated(Semaphore::new(0), AtomicUsize::new(0))), ManualClock::default());
    let fetch = Arc::clone(&gate) as Arc<dyn JwksFetch>;
    let oidc = Oidc::builder(Arc::new(clock), fetch).issuer(settings_of(&world.issuer)).build().unwrap();
    let token = rs(world.access(""));
    let credential = Credential::Bearer(&token);

    // The first caller starts the fetch and is dropped.
    let mut first = oidc.authenticate(&credential);
    assert!((&mut first).now_or_never().is_none());
    drop(first);
    let all = join_all((0..50).map(|_| oidc.authenticate(&credential)));
    let (answers, ()) = tokio::join!(all, async { gate.0.add_permits(1) });
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(Option::is_some)));
    assert_eq!(gate.1.load(Ordering::SeqCst), 1);
}

/// A fetch that panics.
#[derive(Debug)]
struct Broken;

#[async_trait]
impl JwksFetch for Broken {
    async fn fetch(&self, _: &JwksUrl, _: FetchLimits) -> Result<KeySetResponse> {
        panic!("a client with a defect");
    }
}

#[test]
fn a_panicking_fetch_client_counts_as_an_unavailable_issuer() {
    let world = world();
    let oidc =
        Oidc::builder(Arc::new(world.clock.clone()), Arc::new(Broken)).issuer(settings_of(&world.issuer)).build();
    let (oidc, token) = (oidc.unwrap(), rs(world.access("")));
    for _ in 0..2 {
        let answer = oidc.authenticate(&Credential::Bearer(&token)).now_or_never().unwrap();
        assert_eq!(answer.unwrap_err().code(), Code::BackendUnavailable);
        world.clock.advance(seconds(5));
    }
}

#[test]
fn settings_of_the_cache_are_kept() {
    let keys = JwksSettings { max_bytes: 100, ..JwksSettings::default() };
    let small = world_with(Options { keys, ..Options::default() });
    assert_eq!(small.code(&rs(small.access(""))), UNAVAILABLE);
    let keys = JwksSettings { fresh: seconds(20), cooldown: seconds(1), ..JwksSettings::default() };
    let quick = world_with(Options { keys, ..Options::default() });
    assert_eq!(quick.code(&rs(quick.access(""))), Ok(()));
    quick.clock.advance(seconds(20));
    assert_eq!(quick.code(&rs(quick.access(""))), Ok(()));
    assert_eq!(quick.issuer.fetches(), 2);
}
