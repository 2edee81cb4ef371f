//! The account that verifies an address gets it, and gets nothing of accounts that only claim it.

use std::time::Duration;

use engines_auth::{
    identity::{
        BootstrapRequest, Caller, EmailRequest, FirstOwner, IdentitySettings, MailTokenRequest, PasswordRequest,
    },
    mail::{MailPurpose, MailSettings, MemoryMailer},
    password::Password,
};
use engines_core::{
    Batch, Code, DocId, Result, Scope, Store, StoreExt,
    nexus::{DocumentKind, DocumentQuery, Expect, NewDocument, PageRequest},
};

use crate::fixture::{
    Exposed, Node, PASSWORD, SYSTEM_KEY, code, node_with, secret, settings, signup_request, world, world_with,
};

const OTHER: &str = "another 88 Lantern, quiet";

pub(crate) async fn change_email(node: &Node, bearer: &str, email: &str, password: &str) -> Result<()> {
    let (trace, principal) = (node.trace(), node.principal(bearer).await?);
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    let request = EmailRequest { email: secret(email), password: Password::new(password) };
    node.identity.change_email(&principal, request, caller).await.map(|_| ())
}

async fn signup_with(node: &Node, email: &str, password: &str) -> engines_auth::identity::TokenResponse {
    let trace = node.trace();
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    let mut request = signup_request(email, Some("Own"));
    request.password = Password::new(password);
    node.identity.signup(request, caller).await.unwrap()
}

async fn email_of(node: &Node, bearer: &str) -> (Option<String>, bool) {
    let me = node.identity.me(&node.principal(bearer).await.unwrap()).await.unwrap();
    (me.user.email, me.user.email_verified)
}

#[tokio::test]
async fn the_user_who_verifies_an_address_owns_it_but_not_other_claimants_accounts() {
    let world = world();
    let squatter = signup_with(&world.a, "bob@example.org", OTHER).await;
    let tenant = squatter.tenant.as_ref().unwrap().tenant_id.clone();
    let theirs = world.a.mailed("bob@example.org", MailPurpose::Verify).await;
    let bob = world.b.signup("bob@example.org", None).await.unwrap();
    // Until one account verifies the address, each signs in with its own password.
    assert_eq!(world.a.login("bob@example.org", OTHER).await.unwrap().user.user_id, squatter.user.user_id);
    assert_eq!(world.a.login("bob@example.org", PASSWORD).await.unwrap().user.user_id, bob.user.user_id);
    assert_eq!(code(&world.a.login("bob@example.org", "neither of the two").await), Some(Code::CredentialsInvalid));

    let token = world.b.mailed("bob@example.org", MailPurpose::Verify).await;
    world.b.verify(&token).await.unwrap();
    assert_eq!(email_of(&world.b, bob.access()).await, (Some("bob@example.org".into()), true));
    assert_eq!(code(&world.b.verify(&token).await), Some(Code::TokenInvalid), "once");
    // The squatter keeps the account, the session and the tenant, and has no address to sign in with.
    assert_eq!(email_of(&world.a, squatter.access()).await, (None, false));
    assert!(world.a.enter(squatter.access(), &tenant).await.is_ok());
    assert!(world.a.refresh(squatter.next()).await.is_ok());
    assert_eq!(code(&world.a.login("bob@example.org", OTHER).await), Some(Code::CredentialsInvalid));
    let bobs = world.a.login("bob@example.org", PASSWORD).await.unwrap();
    assert!(bobs.memberships.is_empty());
    assert_eq!(code(&world.a.enter(bobs.access(), &tenant).await), Some(Code::TenantForbidden));
    // A token that was mailed for the squatter's account verifies nothing any more, and no one can sign up with the
    // address.
    assert_eq!(code(&world.a.verify(&theirs).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.a.signup("bob@example.org", None).await), Some(Code::AlreadyExists));
    // The squatter can set another address and sign in with it.
    change_email(&world.a, squatter.access(), "new@example.org", OTHER).await.unwrap();
    world.a.verify(&world.a.mailed("new@example.org", MailPurpose::Verify).await).await.unwrap();
    assert_eq!(world.a.login("new@example.org", OTHER).await.unwrap().user.user_id, squatter.user.user_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_verifications_of_one_address_have_one_winner() {
    let world = world();
    for round in 0..10 {
        let email = format!("r{round}@example.org");
        let one = world.a.signup(&email, None).await.unwrap();
        let two = world.b.signup(&email, None).await.unwrap();
        let (first, second) =
            (world.a.mailed(&email, MailPurpose::Verify).await, world.b.mailed(&email, MailPurpose::Verify).await);
        let answers = <[_; 2]>::from(tokio::join!(world.a.verify(&first), world.b.verify(&second)));
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        let (one, two) = (email_of(&world.a, one.access()).await, email_of(&world.b, two.access()).await);
        assert_eq!([one.1, two.1].iter().filter(|verified| **verified).count(), 1, "{one:?} {two:?}");
        assert_eq!([one.0, two.0].iter().filter(|email| email.is_some()).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signups_with_one_address_at_the_same_time_all_count_until_one_proves_it() {
    let world = world();
    let email = "race@example.org";
    let all = tokio::join!(
        world.a.signup(email, Some("One")),
        world.b.signup(email, Some("Two")),
        world.a.signup(email, None)
    );
    let all = <[_; 3]>::from(all).map(Result::unwrap);
    world.b.verify(&world.b.mailed(email, MailPurpose::Verify).await).await.unwrap();
    for (at, tokens) in all.iter().enumerate() {
        assert_eq!(email_of(&world.a, tokens.access()).await.0.is_some(), at == 1, "{at}");
    }
}

#[tokio::test]
async fn claims_are_bounded_and_the_oldest_can_still_be_proved() {
    let world = world_with(IdentitySettings { unverified_per_address: 2, ..settings() });
    let first = world.b.signup("bob@example.org", None).await.unwrap();
    let token = world.b.mailed("bob@example.org", MailPurpose::Verify).await;
    for password in ["squatter-One 11", "squatter-Two 22", "squatter-Three 33"] {
        signup_with(&world.a, "bob@example.org", password).await;
    }
    assert_eq!(code(&world.b.login("bob@example.org", PASSWORD).await), Some(Code::CredentialsInvalid));
    assert_eq!(code(&world.b.login("bob@example.org", "squatter-One 11").await), Some(Code::CredentialsInvalid));
    assert!(world.b.login("bob@example.org", "squatter-Two 22").await.is_ok());
    world.b.verify(&token).await.unwrap();
    assert_eq!(world.b.login("bob@example.org", PASSWORD).await.unwrap().user.user_id, first.user.user_id);
    assert_eq!(code(&world.b.login("bob@example.org", "squatter-Three 33").await), Some(Code::CredentialsInvalid));
}

#[tokio::test]
async fn a_change_of_address_waits_for_its_proof() {
    let world = world();
    let ada = world.a.verified("ada@example.org", None).await;
    world.a.verified("taken@example.org", None).await;
    let change = async |email: &str, password: &str| change_email(&world.a, ada.access(), email, password).await;
    assert_eq!(code(&change("new@example.org", "not the password").await), Some(Code::CredentialsInvalid));
    assert_eq!(code(&change("no address", PASSWORD).await), Some(Code::BodyInvalid));
    change("new@example.org", PASSWORD).await.unwrap();
    let stale = world.a.mailed("new@example.org", MailPurpose::Verify).await;
    assert_eq!(email_of(&world.a, ada.access()).await, (Some("ada@example.org".into()), true));
    assert_eq!(code(&world.a.login("new@example.org", PASSWORD).await), Some(Code::CredentialsInvalid));
    // No response reveals that another account has an address. Only its owner sees the mail, which grants nothing.
    change("taken@example.org", PASSWORD).await.unwrap();
    assert_eq!(code(&world.a.verify(&stale).await), Some(Code::TokenInvalid), "another address is wanted by now");
    let mailed = async || {
        for _ in 0..1000 {
            let verify = |mail: &&engines_auth::mail::Mail| mail.purpose() == MailPurpose::Verify;
            let mails = world.a.mailer.mails();
            let to_taken: Vec<_> =
                mails.iter().filter(verify).filter(|mail| mail.to() == "taken@example.org").collect();
            if to_taken.len() == 2 {
                return world.a.mailer.token("taken@example.org", MailPurpose::Verify).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no second mail came");
    };
    assert_eq!(code(&world.a.verify(&mailed().await).await), Some(Code::AlreadyExists));
    change("last@example.org", PASSWORD).await.unwrap();
    world.a.verify(&world.a.mailed("last@example.org", MailPurpose::Verify).await).await.unwrap();
    assert_eq!(email_of(&world.a, ada.access()).await, (Some("last@example.org".into()), true));
    assert!(world.a.login("last@example.org", PASSWORD).await.is_ok());
    assert_eq!(code(&world.a.login("ada@example.org", PASSWORD).await), Some(Code::CredentialsInvalid));
    // The former address gets a notice and is released.
    for _ in 0..1000 {
        if world.a.mailer.last("ada@example.org", MailPurpose::AddressChanged).is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(world.a.mailer.last("ada@example.org", MailPurpose::AddressChanged).is_some());
    assert!(world.b.signup("ada@example.org", None).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verification_and_an_address_change_at_once_leave_one_address() {
    let world = world();
    for round in 0..10 {
        let (email, next) = (format!("a{round}@example.org"), format!("b{round}@example.org"));
        let ada = world.a.signup(&email, None).await.unwrap();
        let token = world.a.mailed(&email, MailPurpose::Verify).await;
        change_email(&world.b, ada.access(), &next, PASSWORD).await.unwrap();
        let other = world.b.mailed(&next, MailPurpose::Verify).await;
        let (one, two) = tokio::join!(world.a.verify(&token), world.b.verify(&other));
        assert!(two.is_ok(), "{two:?}");
        assert!(matches!(code(&one), None | Some(Code::TokenInvalid)), "{one:?}");
        assert_eq!(email_of(&world.a, ada.access()).await, (Some(next.clone()), true));
        assert!(world.a.login(&next, PASSWORD).await.is_ok());
        assert_eq!(code(&world.a.login(&email, PASSWORD).await), Some(Code::CredentialsInvalid));
    }
}

#[tokio::test]
async fn mailed_tokens_expire_and_are_bound_to_purpose_and_user() {
    let world = world();
    world.a.signup("ada@example.org", None).await.unwrap();
    let eve = world.a.verified("eve@example.org", None).await;
    let token = world.a.mailed("ada@example.org", MailPurpose::Verify).await;
    let (trace, eve) = (world.a.trace(), world.a.principal(eve.access()).await.unwrap());
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    let by_eve = world.a.identity.verify_address(Some(&eve), MailTokenRequest { token: secret(&token) }, caller).await;
    assert_eq!(code(&by_eve), Some(Code::TokenInvalid));
    let reset = engines_auth::identity::ResetRequest { token: secret(&token), password: Password::new(OTHER) };
    assert_eq!(code(&world.a.identity.reset_password(reset, caller).await), Some(Code::TokenInvalid));
    let other = token.replacen("ev_", "pr_", 1);
    let huge = "x".repeat(1 << 20);
    for bad in ["", "ev_", &other, &token[..token.len() - 1], &huge] {
        assert_eq!(code(&world.a.verify(bad).await), Some(Code::TokenInvalid), "{bad:.60}");
    }
    world.a.clock.advance(Duration::from_secs(3600));
    assert_eq!(code(&world.a.verify(&token).await), Some(Code::TokenExpired));
    world.a.clock.advance(Duration::from_secs(24 * 3600));
    assert!(world.a.identity.delete_expired().await.unwrap() > 0);
    assert_eq!(code(&world.a.verify(&token).await), Some(Code::TokenInvalid));
}

#[tokio::test]
async fn asking_for_mails_is_limited_by_account_and_by_address() {
    let world = world();
    let ada = world.a.signup("ada@example.org", None).await.unwrap();
    let (trace, principal) = (world.a.trace(), world.a.principal(ada.access()).await.unwrap());
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    for _ in 0..5 {
        world.a.identity.request_verification(&principal, caller).await.unwrap();
    }
    let limited = world.a.identity.request_verification(&principal, caller).await.unwrap_err();
    assert_eq!(limited.code(), Code::RateLimited);
    assert!(limited.member("decision_id").is_some());
    // Of six mails (the first one by the signup) five are sent. No response reveals that the sixth is not.
    let marker = world.a.verified("marker@example.org", None).await;
    assert!(marker.user.email.is_some());
    let sent = world.a.mailer.mails().iter().filter(|mail| mail.to() == "ada@example.org").count();
    assert_eq!(sent, 5);
    world.a.verify(&world.a.mailed("ada@example.org", MailPurpose::Verify).await).await.unwrap();
    world.a.identity.request_verification(&principal, caller).await.unwrap();
}

#[tokio::test]
async fn mails_are_retried_and_never_delay_a_request() {
    let world = world();
    world.a.mailer.fail_next(3);
    world.a.signup("ada@example.org", None).await.unwrap();
    let token = world.a.mailed("ada@example.org", MailPurpose::Verify).await;
    assert_eq!(world.a.mailer.attempts(), 4);
    world.a.verify(&token).await.unwrap();
    // Requests are answered even when the queue is full because no worker runs.
    let mails = MailSettings { queue: 1, ..MailSettings::default() };
    let store = std::sync::Arc::clone(&world.store) as _;
    let stuck = node_with(store, &world.a.clock, settings(), mails, MemoryMailer::default());
    stuck.mailer.fail_next(usize::MAX);
    for round in 0..20 {
        stuck.signup(&format!("s{round}@example.org"), None).await.unwrap();
    }
}

#[tokio::test]
async fn accounts_created_before_verification_count_as_verified() {
    let world = world();
    let ada = world.a.signup("ada@example.org", None).await.unwrap();
    // Documents as earlier versions wrote them, without fields about verification.
    let scope = Scope::system().unwrap();
    let (users, emails) = (DocumentKind::new("identity_user").unwrap(), DocumentKind::new("identity_email").unwrap());
    let id = DocId::new(format!("u.{}", ada.user.user_id)).unwrap();
    let mut body: serde_json::Value = world.store.load(&scope, &users, &id).await.unwrap().unwrap();
    body.as_object_mut().unwrap().remove("email_verified").unwrap();
    let found = world.store.query(&scope, &DocumentQuery::of_kind(emails.clone()), PageRequest::first(9)).await;
    let entry = found.unwrap().items.remove(0).id;
    let batch = Batch::new(engines_core::Clock::now(&world.a.clock))
        .put(NewDocument::new(users, id, &body).unwrap(), Expect::Present)
        .put(
            NewDocument::new(emails, entry, &serde_json::json!({ "user_id": ada.user.user_id })).unwrap(),
            Expect::Present,
        );
    world.store.commit(&scope, batch).await.unwrap();
    let again = world.b.login("ada@example.org", PASSWORD).await.unwrap();
    assert!(again.user.email_verified);
    assert_eq!(code(&world.b.signup("ada@example.org", None).await), Some(Code::AlreadyExists));
}

#[tokio::test]
async fn an_operator_verifies_an_address_without_adopting_a_squatters_account() {
    let world = world();
    let squatter = signup_with(&world.a, "ops@example.org", OTHER).await;
    let trace = world.a.trace();
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    let owner = FirstOwner { email: secret("ops@example.org"), password: Password::new(PASSWORD), display_name: None };
    let request = BootstrapRequest { owner_user_id: None, owner: Some(owner) };
    world.a.identity.bootstrap_tenants(Some(SYSTEM_KEY), request, caller).await.unwrap();
    let ops = world.a.login("ops@example.org", PASSWORD).await.unwrap();
    assert!(ops.user.email_verified && ops.user.user_id != squatter.user.user_id);
    assert_eq!(email_of(&world.a, squatter.access()).await, (None, false));
    let system = crate::fixture::tenant("t_system");
    assert_eq!(code(&world.a.enter(squatter.access(), &system).await), Some(Code::TenantForbidden));
    let control = world.a.enter(ops.access(), &system).await.unwrap();
    let bob = world.a.signup("bob@example.org", None).await.unwrap();
    let rival = signup_with(&world.a, "bob@example.org", OTHER).await;
    world.a.identity.mark_verified(&control, &bob.user.user_id).await.unwrap();
    world.a.identity.mark_verified(&control, &bob.user.user_id).await.unwrap();
    assert!(email_of(&world.a, bob.access()).await.1);
    assert_eq!(email_of(&world.a, rival.access()).await, (None, false));
    assert_eq!(code(&world.a.identity.mark_verified(&control, &rival.user.user_id).await), Some(Code::OpInvalid));
    assert_eq!(
        code(&world.a.identity.mark_verified(&control, &crate::fixture::user("nobody")).await),
        Some(Code::NotFound)
    );
    // An account that lost its address and was disabled can be enabled again.
    world.a.identity.set_user_disabled(&control, &rival.user.user_id, true).await.unwrap();
    world.a.identity.set_user_disabled(&control, &rival.user.user_id, false).await.unwrap();
    let kept = world.a.identity.mark_verified(&control, &rival.user.user_id).await;
    assert_eq!(code(&kept), Some(Code::OpInvalid), "there is an account, without an address");
}

#[tokio::test]
async fn a_new_password_of_an_unverified_account_still_signs_in() {
    let world = world();
    let ada = world.a.signup("ada@example.org", None).await.unwrap();
    signup_with(&world.b, "ada@example.org", "somebody-Elses 99").await;
    let (trace, principal) = (world.a.trace(), world.a.principal(ada.access()).await.unwrap());
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    let request = PasswordRequest { current_password: Password::new(PASSWORD), new_password: Password::new(OTHER) };
    world.a.identity.change_password(&principal, request, caller).await.unwrap();
    assert_eq!(world.b.login("ada@example.org", OTHER).await.unwrap().user.user_id, ada.user.user_id);
    assert_eq!(code(&world.b.login("ada@example.org", PASSWORD).await), Some(Code::CredentialsInvalid));
}
