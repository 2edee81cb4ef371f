//! The cost of a login: argon2id with the default parameters, and everything else.

#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::sync::Arc;

use divan::{Bencher, counter::ItemsCount};
use engines_auth::{
    Identity, JwtSettings, SecretText, SigningSecret, TokenIssuer,
    identity::{Caller, IdentitySettings, LoginRequest, Rate, SignupRequest},
    password::{HashSettings, Password},
};
use engines_core::{Clock, Guard, IdGenerator, SystemClock, Trace, gate::AllowAll};
use engines_storage::MemoryStore;

const PASSWORD: &str = "plum-Lantern-77 quiet";

fn main() {
    divan::main();
}

struct Desk {
    runtime: tokio::runtime::Runtime,
    identity: Identity,
    trace: Trace,
}

fn desk(password: HashSettings) -> Desk {
    let ids = IdGenerator::from_os().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let secret = SigningSecret::new("a secret for benches, at least 32 bytes long").unwrap();
    let guard = Guard::new(Arc::new(AllowAll), Arc::clone(&clock), ids.clone());
    let tokens = TokenIssuer::new(&secret, JwtSettings::default(), Arc::clone(&clock), ids.clone()).unwrap();
    // No rate limit: the benchmark measures what comes after it.
    let free = Rate { burst: u32::MAX, every_ms: 0 };
    let settings = IdentitySettings { login_per_account: free, password, ..IdentitySettings::default() };
    let identity = Identity::builder(Arc::new(MemoryStore::new(&ids)), guard, tokens, &secret).settings(settings);
    let identity = identity.build().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let trace = Trace::begin(&*clock, &ids);
    let desk = Desk { runtime, identity, trace };
    let request = SignupRequest {
        email: SecretText::new("ada@example.org"),
        password: Password::new(PASSWORD),
        display_name: None,
        tenant_name: Some("Acme".into()),
    };
    desk.runtime.block_on(desk.identity.signup(request, desk.caller())).unwrap();
    desk
}

impl Desk {
    fn caller(&self) -> Caller<'_> {
        Caller { address: None, user_agent: None, trace: &self.trace }
    }

    fn login(&self, email: &str, password: &str) -> bool {
        let request = LoginRequest { email: SecretText::new(email), password: Password::new(password) };
        self.runtime.block_on(self.identity.login(request, self.caller())).is_ok()
    }
}

/// One thread for hashes, so that the rate of logins is that of one core.
fn one_core() -> HashSettings {
    HashSettings { threads: 1, ..HashSettings::default() }
}

#[divan::bench(sample_count = 50, sample_size = 1)]
fn login(bencher: Bencher<'_, '_>) {
    let desk = desk(one_core());
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| assert!(desk.login("ada@example.org", PASSWORD)));
}

#[divan::bench(sample_count = 50, sample_size = 1)]
fn wrong_password(bencher: Bencher<'_, '_>) {
    let desk = desk(one_core());
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| assert!(!desk.login("ada@example.org", "wrong wrong")));
}

#[divan::bench(sample_count = 50, sample_size = 1)]
fn unknown_account(bencher: Bencher<'_, '_>) {
    let desk = desk(one_core());
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| assert!(!desk.login("nobody@example.org", "wrong wrong")));
}

/// Everything except the hash.
#[divan::bench(sample_count = 50, sample_size = 10)]
fn login_with_the_cheapest_hash(bencher: Bencher<'_, '_>) {
    let desk = desk(HashSettings { memory_kib: 8, iterations: 1, ..one_core() });
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| assert!(desk.login("ada@example.org", PASSWORD)));
}
