//! No one can lock others out, and guessing is limited.

use std::time::Duration;

use engines_auth::identity::{IdentitySettings, Rate, SignupRequest};
use engines_core::{Clock, Code};

use crate::fixture::{Node, PASSWORD, World, code, settings, signup_request, world_with};

const OWNER: &str = "192.0.2.10";

fn strict() -> IdentitySettings {
    IdentitySettings {
        login_per_account_and_network: Rate { burst: 3, every_ms: 10_000 },
        login_per_account: Rate { burst: 8, every_ms: 2000 },
        ..settings()
    }
}

async fn signed_up(world: &World, address: &str) {
    let trace = world.a.trace();
    let caller = engines_auth::identity::Caller { address: Some(address), user_agent: None, trace: &trace };
    let request: SignupRequest = signup_request("ada@example.org", None);
    world.a.identity.signup(request, caller).await.unwrap();
}

async fn wrong(node: &Node, address: &str) -> Option<Code> {
    code(&node.login_from(Some(address), "ada@example.org", "mistyped-mistyped").await)
}

#[tokio::test]
async fn wrong_passwords_from_one_address_do_not_lock_the_account() {
    let world = world_with(strict());
    signed_up(&world, OWNER).await;
    for _ in 0..300 {
        world.a.clock.advance(Duration::from_secs(2));
        wrong(&world.a, "198.51.100.7").await;
        for address in [OWNER, "203.0.113.9"] {
            let login = world.a.login_from(Some(address), "ada@example.org", PASSWORD).await;
            assert!(login.is_ok(), "from {address}");
        }
    }
    assert_eq!(wrong(&world.a, "198.51.100.7").await, Some(Code::RateLimited), "and it cannot guess fast");
}

#[tokio::test]
async fn many_addresses_with_wrong_passwords_do_not_lock_out_a_known_network() {
    let world = world_with(strict());
    signed_up(&world, OWNER).await;
    let mut refused = 0;
    for at in 0..40 {
        refused += u32::from(wrong(&world.a, &format!("198.51.100.{at}")).await == Some(Code::RateLimited));
    }
    assert_eq!(refused, 32, "the account has eight tries from networks it has not been seen in");
    let from = async |address: &str| code(&world.a.login_from(Some(address), "ada@example.org", PASSWORD).await);
    assert_eq!(from("203.0.113.9").await, Some(Code::RateLimited));
    assert_eq!(from(OWNER).await, None);
    // Guessing is limited from there too, and accounts that do not exist answer in the same way.
    for _ in 0..3 {
        assert_eq!(wrong(&world.a, OWNER).await, Some(Code::CredentialsInvalid));
    }
    assert_eq!(wrong(&world.a, OWNER).await, Some(Code::RateLimited));
    for at in 0..40 {
        let login = world.a.login_from(Some(&format!("198.51.100.{at}")), "nobody@example.org", PASSWORD).await;
        let expected = if at < 8 { Code::CredentialsInvalid } else { Code::RateLimited };
        assert_eq!(code(&login), Some(expected));
    }
    // A network is forgotten 90 days after the last login from it.
    world.a.clock.advance(Duration::from_secs(91 * 86_400));
    for at in 0..9 {
        wrong(&world.a, &format!("198.51.100.{at}")).await;
    }
    assert_eq!(from(OWNER).await, Some(Code::RateLimited));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_concurrent_valid_logins_all_succeed() {
    let world = world_with(strict());
    signed_up(&world, OWNER).await;
    let logins = (0..100).map(|_| world.a.login_from(Some(OWNER), "ada@example.org", PASSWORD));
    let refused: Vec<_> = futures_util::future::join_all(logins).await.iter().filter_map(code).collect();
    assert_eq!(refused, []);
    // A hundred concurrent wrong passwords do not get a hundred guesses.
    let logins = (0..100).map(|_| wrong(&world.a, "198.51.100.7"));
    let judged = futures_util::future::join_all(logins).await;
    assert_eq!(judged.iter().filter(|code| **code == Some(Code::CredentialsInvalid)).count(), 3);
}

#[tokio::test]
async fn a_clock_set_back_locks_nobody_out() {
    let world = world_with(IdentitySettings { per_address: Rate { burst: 5, every_ms: 500 }, ..strict() });
    signed_up(&world, OWNER).await;
    let right = world.a.clock.now();
    world.a.clock.advance(Duration::from_secs(86_400));
    for _ in 0..8 {
        wrong(&world.a, OWNER).await;
    }
    world.a.clock.set(right);
    assert!(world.a.login_from(Some(OWNER), "ada@example.org", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn logins_of_one_network_that_wait_take_no_place_of_another_network() {
    const FLOOD: &str = "198.51.100.7";
    let world = world_with(IdentitySettings { login_waiting: 50, login_waiting_per_network: 50, ..strict() });
    signed_up(&world, OWNER).await;
    let trace = world.a.trace();
    let caller = engines_auth::identity::Caller { address: Some(FLOOD), user_agent: None, trace: &trace };
    world.a.identity.signup(signup_request("mallory@example.org", None), caller).await.unwrap();
    let of = |address: &'static str, email: &'static str| world.a.login_from(Some(address), email, PASSWORD);
    let flood = (0..200).map(|_| of(FLOOD, "mallory@example.org"));
    let owner = (0..10).map(|_| of(OWNER, "ada@example.org"));
    let logins = futures_util::future::join_all(flood.chain(owner)).await;
    assert_eq!(logins[200..].iter().filter_map(code).collect::<Vec<_>>(), []);
}
