//! All data is there after a restart.

use std::sync::Arc;

use engines_core::{Code, Role, nexus::PageRequest, testing::ManualClock};
use engines_storage::{SqliteOptions, SqliteStore};

use crate::{
    fixture::{Exposed, PASSWORD, code, node_on, settings},
    members::add,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("identity.db");
    let clock = ManualClock::default();
    let open = || Arc::new(SqliteStore::open(&file, SqliteOptions::default()).unwrap());
    let store = open();
    let node = node_on(Arc::clone(&store) as _, &clock, settings());
    let (ada, acme) = node.owner("ada@example.org").await;
    let context = node.enter(ada.access(), &acme).await.unwrap();
    let bob = node.verified("bob@example.org", None).await;
    add(&node, &context, &acme, &bob.user.user_id, Role::Viewer).await.unwrap();
    let key = crate::api_keys::make(&node, &context, Role::Member).await.unwrap();
    let ticket = crate::tickets::ticket(&node, &context, "/sse/x", None).await.unwrap();
    let twice = tokio::join!(
        node.enter_by_ticket(ticket.ticket.expose(), "/sse/x", None),
        node.enter_by_ticket(ticket.ticket.expose(), "/sse/x", None)
    );
    assert!(twice.0.is_ok() != twice.1.is_ok());
    let refreshed = node.refresh(ada.next()).await.unwrap();
    drop(node);
    store.close().await;
    drop(store);

    let store = open();
    let node = node_on(Arc::clone(&store) as _, &clock, settings());
    assert_eq!(node.enter(refreshed.access(), &acme).await.unwrap().role(), Role::Owner);
    assert_eq!(node.enter(bob.access(), &acme).await.unwrap().role(), Role::Viewer);
    assert_eq!(node.enter(key.key.expose(), &acme).await.unwrap().role(), Role::Member);
    assert!(node.login("ADA@example.org", PASSWORD).await.is_ok());
    assert_eq!(code(&node.signup("bob@example.org", None).await), Some(Code::AlreadyExists));
    let members = node.identity.list_members(&context, &acme, PageRequest::first(1)).await.unwrap();
    assert!(members.next.is_some());
    // A repetition within the reuse interval yields the same next token from another process too. Later it ends the
    // session.
    assert_eq!(node.refresh(ada.next()).await.unwrap().next(), refreshed.next());
    clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(code(&node.refresh(ada.next()).await), Some(Code::TokenInvalid));
    assert_eq!(code(&node.refresh(refreshed.next()).await), Some(Code::TokenInvalid));
    store.close().await;
}
