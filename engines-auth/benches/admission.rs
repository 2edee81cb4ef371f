//! The cost of admission: verification of a token of about 500 bytes, then admission.

#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::{sync::Arc, time::Duration};

use divan::{Bencher, black_box};
use engines_auth::{
    Admission, AuthInput, BodyClaims, FieldValues, JwtSettings, SigningSecret, TokenIssuer, TokenRequest, TokenVerifier,
};
use engines_core::{Clock, IdGenerator, Role, SystemClock, TenantId, UserId, context::Email};
use futures_util::FutureExt;

const SECRET: &str = "a secret for benches, at least 32 bytes long";

fn main() {
    divan::main();
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

fn verifier() -> TokenVerifier {
    TokenVerifier::new(&SigningSecret::new(SECRET).unwrap(), JwtSettings::default(), clock()).unwrap()
}

fn issuer() -> TokenIssuer {
    let secret = SigningSecret::new(SECRET).unwrap();
    TokenIssuer::new(&secret, JwtSettings::default(), clock(), IdGenerator::from_os().unwrap()).unwrap()
}

fn request() -> TokenRequest {
    let mut request = TokenRequest::new(UserId::new("01JH0000000000000000000000").unwrap(), Duration::from_secs(3600));
    request.email = Some(Email::new("ada@example.org"));
    for tenant in ["t_acme", "t_beta"] {
        request.memberships.insert(TenantId::new(tenant).unwrap(), Role::Member);
    }
    request.default_tenant = Some(TenantId::new("t_acme").unwrap());
    request
}

#[divan::bench(sample_size = 512)]
fn issue(bencher: Bencher<'_, '_>) {
    let (issuer, request) = (issuer(), request());
    bencher.bench(|| issuer.issue(black_box(&request)));
}

#[divan::bench(sample_size = 512)]
fn verify(bencher: Bencher<'_, '_>) {
    let verifier = verifier();
    let token = issuer().issue(&request()).unwrap();
    assert!((400..600).contains(&token.expose().len()), "{}", token.expose().len());
    bencher.bench(|| verifier.verify(black_box(token.expose())));
}

#[divan::bench(sample_size = 512)]
fn verify_forged(bencher: Bencher<'_, '_>) {
    let verifier = verifier();
    let mut token = issuer().issue(&request()).unwrap().expose().to_owned();
    let first = token.rfind('.').unwrap() + 1;
    let other = if token.as_bytes()[first] == b'A' { "B" } else { "A" };
    token.replace_range(first..=first, other);
    bencher.bench(|| verifier.verify(black_box(&token)));
}

fn presented(bearer: &str) -> AuthInput<'_> {
    AuthInput {
        authorization: FieldValues::one(bearer),
        tenant_headers: FieldValues::one("t_acme"),
        env_headers: FieldValues::one("dev"),
        ..AuthInput::default()
    }
}

#[divan::bench(sample_size = 512)]
fn authenticate(bencher: Bencher<'_, '_>) {
    let admission = Admission::builder(clock(), IdGenerator::from_os().unwrap()).authenticator(verifier()).build();
    let bearer = format!("Bearer {}", issuer().issue(&request()).unwrap().expose());
    bencher.bench(|| admission.authenticate(black_box(&presented(&bearer))).now_or_never());
}

#[divan::bench(sample_size = 512)]
fn admit(bencher: Bencher<'_, '_>) {
    let admission = Admission::builder(clock(), IdGenerator::from_os().unwrap()).build();
    let principal = verifier().verify(issuer().issue(&request()).unwrap().expose()).unwrap();
    bencher.bench(|| admission.admit(&principal, black_box(&presented("")), &BodyClaims::default()).now_or_never());
}
