//! Operations of users on their own account.

use engines_auth::{
    identity::{Caller, DeleteAccountRequest, PasswordRequest, ProfileRequest},
    password::Password,
};
use engines_core::{
    Code, Result, Role, Scope, Store,
    audit::AuditFilter,
    nexus::{DocumentKind, DocumentQuery, PageRequest},
};
use serde_json::json;

use crate::{
    fixture::{Exposed, Node, PASSWORD, code, world},
    members::add,
};

const NEXT: &str = "another 88 Lantern, quiet";

async fn change(node: &Node, bearer: &str, current: &str, next: &str) -> Result<()> {
    let (trace, principal) = (node.trace(), node.principal(bearer).await?);
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    let request = PasswordRequest { current_password: Password::new(current), new_password: Password::new(next) };
    node.identity.change_password(&principal, request, caller).await
}

async fn delete(node: &Node, bearer: &str, password: Option<&str>) -> Result<()> {
    let (trace, principal) = (node.trace(), node.principal(bearer).await?);
    let caller = Caller { address: None, user_agent: None, trace: &trace };
    let request = DeleteAccountRequest { password: password.map(Password::new) };
    node.identity.delete_account(&principal, request, caller).await
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let world = world();
    let (own, acme) = world.a.owner("ada@example.org").await;
    let other = world.b.login("ada@example.org", PASSWORD).await.unwrap();
    assert!(world.b.enter(other.access(), &acme).await.is_ok());
    let wrong = change(&world.a, own.access(), "not the password", NEXT).await;
    assert_eq!(code(&wrong), Some(Code::CredentialsInvalid));
    for weak in ["short", "password123", "ada@example.org", PASSWORD] {
        let refused = change(&world.a, own.access(), PASSWORD, weak).await.unwrap_err();
        assert_eq!((refused.code(), refused.member("field")), (Code::BodyInvalid, Some(&json!("/new_password"))));
    }
    assert!(world.a.enter(other.access(), &acme).await.is_ok(), "nothing has changed yet");

    change(&world.a, own.access(), PASSWORD, NEXT).await.unwrap();
    assert_eq!(code(&world.a.principal(other.access()).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.b.refresh(other.next()).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.b.login("ada@example.org", PASSWORD).await), Some(Code::CredentialsInvalid));
    assert!(world.b.login("ada@example.org", NEXT).await.is_ok());
    // The calling session stays on both nodes and can be refreshed.
    for node in [&world.a, &world.b] {
        assert!(node.enter(own.access(), &acme).await.is_ok());
    }
    assert!(world.b.refresh(own.next()).await.is_ok());
    // API keys and users of other issuers have no password here.
    let context = world.a.enter(own.access(), &acme).await.unwrap();
    let key = crate::api_keys::make(&world.a, &context, Role::Owner).await.unwrap();
    assert_eq!(code(&change(&world.a, key.key.expose(), PASSWORD, NEXT).await), Some(Code::TokenInvalid));
    let minted = crate::directory::minted(&world.a, "boss", &[("t_acme", Role::Owner)]);
    assert_eq!(code(&change(&world.a, &minted, PASSWORD, NEXT).await), Some(Code::TokenInvalid));
}

#[tokio::test]
async fn wrong_passwords_count_against_the_login_limit() {
    let world = world();
    let own = world.a.signup("ada@example.org", None).await.unwrap();
    for _ in 0..30 {
        let wrong = change(&world.a, own.access(), "not the password", NEXT).await;
        assert_eq!(code(&wrong), Some(Code::CredentialsInvalid));
    }
    let limited = change(&world.a, own.access(), PASSWORD, NEXT).await.unwrap_err();
    assert_eq!(limited.code(), Code::RateLimited);
    assert!(limited.member("decision_id").is_some());
    assert_eq!(code(&delete(&world.a, own.access(), Some(PASSWORD)).await), Some(Code::RateLimited));
    assert_eq!(code(&world.a.login("ada@example.org", PASSWORD).await), Some(Code::RateLimited));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_during_a_password_change_is_ended_or_used_the_new_password() {
    let world = world();
    for round in 0..20 {
        let email = format!("r{round}@example.org");
        let own = world.a.signup(&email, None).await.unwrap();
        let (changed, one, two, next) = tokio::join!(
            change(&world.a, own.access(), PASSWORD, NEXT),
            world.b.login(&email, PASSWORD),
            world.a.login(&email, PASSWORD),
            world.b.refresh(own.next()),
        );
        changed.unwrap();
        for tokens in [one, two].into_iter().flatten() {
            assert_eq!(code(&world.a.principal(tokens.access()).await), Some(Code::TokenInvalid));
            assert_eq!(code(&world.b.refresh(tokens.next()).await), Some(Code::TokenInvalid));
        }
        // Two refreshes at the same time are no theft.
        let next = next.unwrap();
        let principal = world.a.principal(next.access()).await.unwrap();
        let sessions = world.a.identity.sessions(&principal, PageRequest::first(9)).await.unwrap();
        assert_eq!(sessions.items.len(), 1);
    }
}

#[tokio::test]
async fn a_name_is_set_kept_and_taken_away() {
    let world = world();
    let own = world.a.signup("ada@example.org", None).await.unwrap();
    let (trace, principal) = (world.a.trace(), world.a.principal(own.access()).await.unwrap());
    let update = async |body: serde_json::Value| {
        let request: ProfileRequest = serde_json::from_value(body).unwrap();
        world.a.identity.update_me(&principal, request, &trace).await.map(|me| me.user.display_name)
    };
    assert_eq!(update(json!({"display_name": " Ada L. "})).await.unwrap().as_deref(), Some("Ada L."));
    assert_eq!(update(json!({})).await.unwrap().as_deref(), Some("Ada L."));
    for bad in ["", "  ", "a\nb", &"x".repeat(201)] {
        assert_eq!(code(&update(json!({ "display_name": bad })).await), Some(Code::BodyInvalid));
    }
    assert_eq!(update(json!({"display_name": null})).await.unwrap(), None);
}

#[tokio::test]
async fn all_sessions_end_at_once() {
    let world = world();
    let own = world.a.signup("ada@example.org", None).await.unwrap();
    let other = world.b.login("ada@example.org", PASSWORD).await.unwrap();
    let (trace, principal) = (world.a.trace(), world.a.principal(own.access()).await.unwrap());
    world.a.identity.end_sessions(&principal, &trace).await.unwrap();
    for tokens in [&own, &other] {
        assert_eq!(code(&world.a.principal(tokens.access()).await), Some(Code::TokenInvalid));
        assert_eq!(code(&world.b.refresh(tokens.next()).await), Some(Code::TokenInvalid));
    }
    let again = world.b.login("ada@example.org", PASSWORD).await.unwrap();
    assert!(world.b.principal(again.access()).await.is_ok());
    assert!(world.b.refresh(again.next()).await.is_ok());
}

#[tokio::test]
async fn a_deleted_account_leaves_its_id_and_nothing_else() {
    let world = world();
    let (own, acme) = world.a.owner("ada@example.org").await;
    let bob = world.a.signup("bob@example.org", None).await.unwrap();
    let context = world.a.enter(own.access(), &acme).await.unwrap();
    // The last owner stays, and the error names the tenants.
    let last = delete(&world.a, own.access(), Some(PASSWORD)).await.unwrap_err();
    assert_eq!((last.code(), last.member("tenants")), (Code::OpInvalid, Some(&json!([acme.as_str()]))));
    add(&world.a, &context, &acme, &bob.user.user_id, Role::Owner).await.unwrap();
    assert_eq!(code(&delete(&world.a, own.access(), None).await), Some(Code::BodyInvalid));
    let wrong = delete(&world.a, own.access(), Some("not the password")).await;
    assert_eq!(code(&wrong), Some(Code::CredentialsInvalid));
    assert!(world.a.enter(own.access(), &acme).await.is_ok(), "nothing has changed yet");

    delete(&world.a, own.access(), Some(PASSWORD)).await.unwrap();
    assert_eq!(code(&world.a.principal(own.access()).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.b.refresh(own.next()).await), Some(Code::TokenInvalid));
    assert_eq!(code(&world.b.login("ada@example.org", PASSWORD).await), Some(Code::CredentialsInvalid));
    // A token minted elsewhere with the same secret does not restore the user.
    let minted = crate::directory::minted(&world.a, own.user.user_id.as_str(), &[(acme.as_str(), Role::Owner)]);
    assert_eq!(code(&world.a.principal(&minted).await), Some(Code::TokenInvalid));
    // Bob is now the last owner.
    let context = world.a.enter(bob.access(), &acme).await.unwrap();
    let members = world.a.identity.list_members(&context, &acme, PageRequest::first(9)).await.unwrap().items;
    assert_eq!(members.iter().map(|member| &member.user_id).collect::<Vec<_>>(), [&bob.user.user_id]);
    assert_eq!(code(&delete(&world.a, bob.access(), Some(PASSWORD)).await), Some(Code::OpInvalid));

    // No document and no record holds the address or the name, and the address is released.
    let scope = Scope::system().unwrap();
    for kind in ["identity_user", "identity_session", "identity_member", "identity_email", "identity_mail_token"] {
        let query = DocumentQuery::of_kind(DocumentKind::new(kind).unwrap());
        for document in world.store.query(&scope, &query, PageRequest::first(99)).await.unwrap().items {
            let text = document.body.get();
            let about_ada = text.contains(own.user.user_id.as_str());
            assert!(!text.contains("ada@"), "{kind}: {text}");
            assert!(!about_ada || kind == "identity_user" || kind == "identity_member", "{kind}: {text}");
            assert!(!about_ada || !text.contains("Somebody"), "{kind}: {text}");
        }
    }
    let records = world.store.audit(&scope, &AuditFilter::default(), PageRequest::first(99)).await.unwrap().items;
    let of_ada =
        |action: &str| records.iter().any(|entry| entry.action == action && entry.actor.id == own.user.user_id);
    assert!(of_ada("accounts.delete") && of_ada("accounts.signup"));
    assert!(!serde_json::to_string(&records).unwrap().contains("ada@"));
    let again = world.b.signup("ada@example.org", None).await.unwrap();
    assert_ne!(again.user.user_id, own.user.user_id);
    assert!(again.memberships.is_empty());
}

#[tokio::test]
async fn the_owner_of_a_disabled_tenant_can_delete_their_account() {
    let world = world();
    let (own, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(own.access(), &acme).await.unwrap();
    world.a.identity.disable_tenant(&context, &acme).await.unwrap();
    delete(&world.a, own.access(), Some(PASSWORD)).await.unwrap();
    // A deleted account cannot be enabled.
    let (operator, system) = crate::bootstrap::operator(&world.a).await;
    let control = world.a.enter(operator.access(), &system).await.unwrap();
    let enabled = world.a.identity.set_user_disabled(&control, &own.user.user_id, false).await;
    assert_eq!(code(&enabled), Some(Code::NotFound));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_owners_who_delete_their_accounts_at_once_one_remains() {
    let world = world();
    for round in 0..10 {
        let (one, acme) = world.a.owner(&format!("one{round}@example.org")).await;
        let two = world.b.signup(&format!("two{round}@example.org"), None).await.unwrap();
        let context = world.a.enter(one.access(), &acme).await.unwrap();
        add(&world.a, &context, &acme, &two.user.user_id, Role::Owner).await.unwrap();
        let gone = tokio::join!(
            delete(&world.a, one.access(), Some(PASSWORD)),
            delete(&world.b, two.access(), Some(PASSWORD))
        );
        let codes = [code(&gone.0), code(&gone.1)];
        assert_eq!(codes.iter().filter(|code| code.is_none()).count(), 1, "{codes:?}");
        assert!(codes.contains(&Some(Code::OpInvalid)), "{codes:?}");
    }
}

#[tokio::test]
async fn every_member_except_the_last_owner_can_leave() {
    let world = world();
    let (own, acme) = world.a.owner("ada@example.org").await;
    let context = world.a.enter(own.access(), &acme).await.unwrap();
    let bob = world.a.signup("bob@example.org", None).await.unwrap();
    add(&world.a, &context, &acme, &bob.user.user_id, Role::Viewer).await.unwrap();
    let inside = world.a.enter(bob.access(), &acme).await.unwrap();
    assert_eq!(code(&world.a.identity.leave_tenant(&context, &acme).await), Some(Code::OpInvalid));
    world.a.identity.leave_tenant(&inside, &acme).await.unwrap();
    assert_eq!(code(&world.a.enter(bob.access(), &acme).await), Some(Code::TenantForbidden));
    // A key is not a member.
    let key = crate::api_keys::make(&world.a, &context, Role::Viewer).await.unwrap();
    let by_key = world.a.enter(key.key.expose(), &acme).await.unwrap();
    assert_eq!(code(&world.a.identity.leave_tenant(&by_key, &acme).await), Some(Code::NotFound));
}
