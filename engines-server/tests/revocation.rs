//! Whoever may no longer have a stream loses it, also when nothing is read from it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use engines::{
    Engine, Principal, Result, Role, TenantId, UserId,
    auth::{Directory, Revocation, RevocationFeed, Revocations},
};
use engines_server::App;
use serde_json::json;
use support::{
    Server, acme,
    live::{open, socket},
    token,
};
use tokio::time::{sleep, timeout};

/// A directory that is told what to say. Whom it says nothing about keeps the claimed role.
#[derive(Debug, Clone)]
struct Told {
    roles: Arc<Mutex<BTreeMap<UserId, Option<Role>>>>,
    feed: Option<Revocations>,
}

impl Told {
    /// One that tells at once, or one that has to be asked again.
    fn new(tells: bool) -> Self {
        Self { roles: Arc::default(), feed: tells.then(|| Revocations::new(8)) }
    }

    fn say(&self, user: &str, role: Option<Role>) {
        let user = UserId::new(user).unwrap();
        self.roles.lock().unwrap().insert(user.clone(), role);
        if let Some(feed) = &self.feed {
            feed.send(Revocation::User(user));
        }
    }
}

#[async_trait]
impl Directory for Told {
    async fn role(&self, principal: &Principal, _: &TenantId, claimed: Option<Role>) -> Result<Option<Role>> {
        Ok(self.roles.lock().unwrap().get(&principal.actor.id).copied().unwrap_or(claimed))
    }

    fn revocations(&self) -> Option<RevocationFeed> {
        self.feed.as_ref().map(Revocations::subscribe)
    }
}

fn of(user: &str) -> String {
    token(user, &[("t_acme", Role::Member)])
}

async fn prepared(told: &Told) -> Server {
    let engine =
        Engine::builder().memory().signing_secret(support::secret()).directory(told.clone()).build().await.unwrap();
    let server = support::serve(App::new(engine).unwrap()).await;
    let made = acme(server.address, &of("ada"), "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    assert_eq!(made.status, 201);
    server
}

#[tokio::test]
async fn both_rails_end_with_a_reason() {
    for tells in [true, false] {
        let told = Told::new(tells);
        let server = prepared(&told).await;
        let mut ada = open(&server, &of("ada"), "/sse/chat/t", &[]).await;
        ada.until("retry: 1500").await;
        let mut bob = open(&server, &of("bob"), "/sse/chat/t", &[]).await;
        bob.until("retry: 1500").await;
        let mut gone = socket(&server, &of("gone"), "/ws/chat/t").await;
        let mut less = socket(&server, &of("less"), "/ws").await;
        let mut stays = socket(&server, &of("stays"), "/ws/chat/t").await;

        told.say("bob", None);
        let last = String::from_utf8(bob.rest().await).unwrap();
        assert!(last.contains("event: error\n") && last.contains("TENANT_FORBIDDEN"), "{last}");
        told.say("gone", None);
        told.say("less", Some(Role::Viewer));
        for socket in [&mut gone, &mut less] {
            let last = socket.rest().await;
            assert_eq!(last[last.len() - 4..], [0x88, 2, 0x11, 0x33], "4403");
        }
        // The others hear what is said next.
        let said = json!({ "text": "still here" });
        let posted = acme(server.address, &of("ada"), "POST", "/chat/threads/t/messages", Some(&said)).await;
        assert_eq!(posted.status, 201);
        ada.until("still here").await;
        stays.until("still here").await;
        let refused = acme(server.address, &of("bob"), "GET", "/chat/threads/t", None).await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "TENANT_FORBIDDEN"));
    }
}

#[tokio::test]
async fn a_reader_that_has_stopped_reading_is_sent_away_too() {
    let told = Told::new(true);
    let server = prepared(&told).await;
    let mut sse = open(&server, &of("bob"), "/sse/chat/t", &[]).await;
    sse.until("retry: 1500").await;
    let mut ws = socket(&server, &of("eve"), "/ws/chat/t").await;
    ws.until("}").await;
    // More than sockets hold, and nobody reads it.
    let said = json!({ "text": "x".repeat(200_000) });
    for _ in 0..80 {
        let posted = acme(server.address, &of("ada"), "POST", "/chat/threads/t/messages", Some(&said)).await;
        assert_eq!(posted.status, 201);
    }
    let here = async || acme(server.address, &of("ada"), "GET", "/presence/chat/t", None).await.json();
    assert_eq!(here().await["items"].as_array().unwrap().len(), 2);
    told.say("bob", None);
    told.say("eve", None);
    let left = async {
        while !here().await["items"].as_array().unwrap().is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), left).await.unwrap();
    drop((sse, ws));
}
