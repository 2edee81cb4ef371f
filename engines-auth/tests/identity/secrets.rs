//! No secret is stored or printed.

use engines_auth::{api_key::RotateRequest, identity::InviteRequest};
use engines_core::{
    Env, Role, Scope, Store,
    audit::AuditFilter,
    nexus::{DocumentKind, DocumentQuery, PageRequest},
};

use crate::fixture::{Exposed, PASSWORD, SECRET, secret, signup_request, world};

#[tokio::test]
async fn no_secret_is_in_any_stored_body_nor_in_any_debug_text() {
    let world = world();
    let (ada, acme) = world.a.owner("ada@example.org").await;
    let next = world.a.refresh(ada.next()).await.unwrap();
    let context = world.a.enter(next.access(), &acme).await.unwrap();
    let key = crate::api_keys::make(&world.a, &context, Role::Member).await.unwrap();
    world.a.enter(key.key.expose(), &acme).await.unwrap();
    let rotated =
        world.a.identity.api_keys().rotate(&context, &key.view.key_id, RotateRequest { grace: 9 }).await.unwrap();
    let invite =
        InviteRequest { role: Role::Viewer, email: Some(secret("bob@example.org")), expires_in: None, send: true };
    let invite = world.a.identity.create_invite(&context, &acme, invite).await.unwrap();
    let ticket = crate::tickets::ticket(&world.a, &context, "/sse/x", None).await.unwrap();

    let secrets = [
        PASSWORD,
        ada.access(),
        ada.next(),
        next.access(),
        next.next(),
        key.key.expose(),
        rotated.key.expose(),
        invite.token.expose(),
        ticket.ticket.expose(),
        SECRET,
    ];
    // The secret part alone must not appear either: it follows the last separator.
    let mut hidden: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
    hidden.extend(secrets.iter().map(|secret| secret[secret.len() - 20..].to_owned()));
    hidden.push("bob@example.org".into());

    let mut stored = String::new();
    let kinds = ["user", "email", "session", "tenant", "member", "invite", "api_key", "api_key_use", "ticket"];
    let scopes = [Scope::system().unwrap(), Scope::new(acme.clone(), Env::Dev), Scope::new(acme.clone(), Env::Prod)];
    for kind in kinds {
        let query = DocumentQuery::of_kind(DocumentKind::new(&format!("identity_{kind}")).unwrap());
        let found = world.store.query(&scopes[0], &query, PageRequest::first(500)).await.unwrap().items;
        assert!(!found.is_empty(), "{kind}");
        for document in found {
            let text = serde_json::to_string(&document).unwrap();
            // A plain address is only in the document of its user, and never in an id or a tag.
            assert_eq!(text.contains("ada@example.org"), kind == "user", "{kind}");
            assert!(!format!("{} {:?}", document.id, document.tags).contains("example"), "{kind}");
            stored += &text;
        }
    }
    for scope in &scopes {
        let audit = world.store.audit(scope, &AuditFilter::default(), PageRequest::first(500)).await.unwrap().items;
        let text = serde_json::to_string(&audit).unwrap();
        assert!(!text.contains("example.org"));
        stored += &text;
    }
    for action in ["accounts.signup", "accounts.login", "api_keys.manage", "invites.manage"] {
        assert!(stored.contains(action), "{action} leaves a record");
    }
    let principal = world.a.principal(next.access()).await.unwrap();
    let printed = format!(
        "{ada:?} {next:?} {key:?} {rotated:?} {invite:?} {ticket:?} {:?} {:?} {:?} {principal:?} {:?}",
        world.a.identity,
        world.a.admission,
        signup_request("ada@example.org", None),
        world.a.identity.me(&principal).await.unwrap(),
    );
    for hidden in &hidden {
        assert!(!stored.contains(hidden.as_str()), "stored: {hidden}");
        assert!(!printed.contains(hidden.as_str()), "printed: {hidden}");
    }
    assert!(!printed.contains("ada@example.org"));
}
