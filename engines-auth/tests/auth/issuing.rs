//! Issued tokens are accepted.

use std::{sync::Arc, time::Duration};

use engines_auth::{JwtSettings, SigningSecret, TokenIssuer, TokenRequest, TokenVerifier};
use engines_core::{
    ActorType, Clock, Code, IdGenerator, Role, TenantId, Timestamp, UserId, context::Email, testing::ManualClock,
};

use crate::forge::{NOW, SECRET};

fn pair(settings: JwtSettings) -> (TokenIssuer, TokenVerifier, ManualClock) {
    let clock = ManualClock::default();
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let secret = SigningSecret::new(SECRET).unwrap();
    let issuer = TokenIssuer::new(&secret, settings.clone(), Arc::clone(&shared), IdGenerator::seeded(7)).unwrap();
    (issuer, TokenVerifier::new(&secret, settings, shared).unwrap(), clock)
}

fn request(ttl: u64) -> TokenRequest {
    let mut request = TokenRequest::new(UserId::new("ada").unwrap(), Duration::from_secs(ttl));
    request.email = Some(Email::new("ada@example.org"));
    request.memberships.insert(TenantId::new("t_acme").unwrap(), Role::Admin);
    request.memberships.insert(TenantId::new("t_beta").unwrap(), Role::Viewer);
    request.default_tenant = Some(TenantId::new("t_beta").unwrap());
    request.actor_type = ActorType::Agent;
    request
}

#[test]
fn an_issued_token_verifies_with_all_its_claims() {
    let (issuer, verifier, clock) = pair(JwtSettings { audience: vec!["api".into()], ..JwtSettings::default() });
    let token = issuer.issue(&request(60)).unwrap();
    assert_eq!((token.expires_in, token.expires_at), (60, Timestamp::from_secs(NOW + 60)));
    let back = verifier.verify(token.expose()).unwrap();
    assert_eq!(back.actor.id.as_str(), "ada");
    assert_eq!(back.actor.kind, ActorType::Agent);
    assert_eq!(back.email, request(1).email);
    assert_eq!(back.memberships, request(1).memberships);
    assert_eq!(back.default_tenant, request(1).default_tenant);
    assert_eq!(back.expires_at, Some(token.expires_at.plus(JwtSettings::MAX_LEEWAY)));
    assert_eq!(back.credential_id.as_deref(), Some(&*token.id));
    clock.advance(Duration::from_secs(90));
    assert_eq!(verifier.verify(token.expose()).unwrap_err().code(), Code::TokenExpired);
}

#[test]
fn tokens_are_unique_and_redacted_in_debug() {
    let (issuer, _, _) = pair(JwtSettings::default());
    let (one, two) = (issuer.issue(&request(60)).unwrap(), issuer.issue(&request(60)).unwrap());
    assert_ne!(one.id, two.id);
    assert_ne!(one.expose(), two.expose());
    let signature = one.expose().rsplit('.').next().unwrap();
    assert!(!format!("{one:?} {issuer:?}").contains(signature));
}

#[test]
fn a_token_the_verifier_would_reject_is_not_issued() {
    let (issuer, verifier, _) = pair(JwtSettings::default());
    let code = |request: &TokenRequest| issuer.issue(request).map(|_| ()).map_err(|error| error.code());
    assert_eq!(code(&request(0)), Err(Code::BodyInvalid));
    assert_eq!(code(&request(TokenIssuer::MAX_TTL.as_secs())), Ok(()));
    assert_eq!(code(&request(TokenIssuer::MAX_TTL.as_secs() + 1)), Err(Code::BodyInvalid));
    let system = TokenRequest { actor_type: ActorType::System, ..request(60) };
    assert_eq!(code(&system), Err(Code::BodyInvalid));

    let mut many = request(60);
    let refused = (0..1000).find_map(|number| {
        many.memberships.insert(TenantId::new(format!("t_{number:04}-{}", "x".repeat(24))).unwrap(), Role::Owner);
        match issuer.issue(&many) {
            Ok(token) => {
                assert!(verifier.verify(token.expose()).is_ok(), "issued and not accepted at {number}");
                None
            }
            Err(error) => Some((number, error.code())),
        }
    });
    let (number, code) = refused.expect("a token has a limit");
    assert_eq!(code, Code::BodyInvalid);
    assert!(number > 60, "{number}");
}

#[test]
fn a_token_of_another_issuer_is_rejected() {
    let (other, _, _) = pair(JwtSettings { issuer: "elsewhere".into(), ..JwtSettings::default() });
    let (_, verifier, _) = pair(JwtSettings::default());
    assert_eq!(verifier.verify(other.issue(&request(60)).unwrap().expose()).unwrap_err().code(), Code::TokenInvalid);
}
