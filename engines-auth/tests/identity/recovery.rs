//! Reset of a password by mail.

use std::time::Duration;

use engines_auth::{
    identity::{Caller, ForgotRequest, ResetRequest},
    mail::MailPurpose,
    password::Password,
};
use engines_core::{Code, Result};

use crate::fixture::{Exposed, Node, PASSWORD, code, secret, world};

const NEXT: &str = "another 88 Lantern, quiet";

async fn forgot(node: &Node, email: &str) -> String {
    let trace = node.trace();
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    let answer = node.identity.forgot_password(ForgotRequest { email: secret(email) }, caller).await.unwrap();
    serde_json::to_string(&answer).unwrap()
}

async fn reset(node: &Node, token: &str, password: &str) -> Result<()> {
    let trace = node.trace();
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    let request = ResetRequest { token: secret(token), password: Password::new(password) };
    node.identity.reset_password(request, caller).await
}

#[tokio::test]
async fn a_reset_ends_all_sessions_once() {
    let world = world();
    let ada = world.a.verified("ada@example.org", Some("Acme")).await;
    forgot(&world.a, "ADA@example.org").await;
    let token = world.a.mailed("ada@example.org", MailPurpose::Reset).await;
    for weak in ["short", "ada@example.org"] {
        assert_eq!(code(&reset(&world.a, &token, weak).await), Some(Code::BodyInvalid));
    }
    assert!(world.a.principal(ada.access()).await.is_ok(), "nothing has changed yet");
    reset(&world.a, &token, NEXT).await.unwrap();
    assert_eq!(code(&reset(&world.a, &token, PASSWORD).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.a.principal(ada.access()).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.b.refresh(ada.next()).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.a.login("ada@example.org", PASSWORD).await), Some(Code::CredentialsInvalid));
    let again = world.a.login("ada@example.org", NEXT).await.unwrap();
    assert_eq!((again.user.user_id, again.memberships.len()), (ada.user.user_id, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_token_is_accepted_once_under_concurrency() {
    let world = world();
    world.a.verified("ada@example.org", None).await;
    forgot(&world.a, "ada@example.org").await;
    let token = world.a.mailed("ada@example.org", MailPurpose::Reset).await;
    let (one, two) = tokio::join!(reset(&world.a, &token, NEXT), reset(&world.b, &token, "the-Other 77 quiet"));
    assert_ne!(one.is_ok(), two.is_ok(), "{one:?} {two:?}");
    let right = if one.is_ok() { NEXT } else { "the-Other 77 quiet" };
    assert!(world.a.login("ada@example.org", right).await.is_ok());
}

#[tokio::test]
async fn a_forgotten_password_request_reveals_nothing_and_resets_only_verified_accounts() {
    let world = world();
    let squatter = world.a.signup("bob@example.org", Some("Squat")).await.unwrap();
    world.a.verified("ada@example.org", None).await;
    let mut answers = Vec::new();
    for email in ["ada@example.org", "bob@example.org", "nobody@example.org", "no address", ""] {
        answers.push(forgot(&world.a, email).await);
    }
    assert!(answers.iter().all(|answer| *answer == r#"{"status":"accepted"}"#), "{answers:?}");
    world.a.mailed("ada@example.org", MailPurpose::Reset).await;
    for _ in 0..1000 {
        if world.a.mailer.last("bob@example.org", MailPurpose::ResetUnknown).is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The owner of the mailbox gets instructions, and no token for an account that may belong to someone else.
    let told = world.a.mailer.last("bob@example.org", MailPurpose::ResetUnknown).unwrap();
    assert!(!told.text().contains("pr_"), "{}", told.text());
    assert!(world.a.mailer.last("bob@example.org", MailPurpose::Reset).is_none());
    assert!(world.a.mailer.mails().iter().all(|mail| mail.to() != "nobody@example.org"));
    assert!(world.a.principal(squatter.access()).await.is_ok());
}

#[tokio::test]
async fn a_reset_token_ends_with_the_password_and_the_address_it_was_mailed_for() {
    let world = world();
    let ada = world.a.verified("ada@example.org", None).await;
    forgot(&world.a, "ada@example.org").await;
    let token = world.a.mailed("ada@example.org", MailPurpose::Reset).await;
    crate::addresses::change_email(&world.a, ada.access(), "new@example.org", PASSWORD).await.unwrap();
    world.a.verify(&world.a.mailed("new@example.org", MailPurpose::Verify).await).await.unwrap();
    assert_eq!(code(&reset(&world.a, &token, NEXT).await), Some(Code::TokenInvalid));
    forgot(&world.a, "new@example.org").await;
    let token = world.a.mailed("new@example.org", MailPurpose::Reset).await;
    // A reset cancels a pending change of address, because it may come from someone else.
    let again = world.a.login("new@example.org", PASSWORD).await.unwrap();
    crate::addresses::change_email(&world.a, again.access(), "evil@example.org", PASSWORD).await.unwrap();
    let evil = world.a.mailed("evil@example.org", MailPurpose::Verify).await;
    reset(&world.a, &token, NEXT).await.unwrap();
    assert_eq!(code(&world.a.verify(&evil).await), Some(Code::TokenInvalid));
    forgot(&world.b, "new@example.org").await;
    let stale = world.b.mailed("new@example.org", MailPurpose::Reset).await;
    let now = world.a.login("new@example.org", NEXT).await.unwrap();
    let (trace, principal) = (world.a.trace(), world.a.principal(now.access()).await.unwrap());
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    let request = engines_auth::identity::PasswordRequest {
        current_password: Password::new(NEXT),
        new_password: Password::new("a-Third 55 lantern"),
    };
    world.a.identity.change_password(&principal, request, caller).await.unwrap();
    assert_eq!(code(&reset(&world.a, &stale, PASSWORD).await), Some(Code::TokenInvalid));
}
