//! The events that may be used for training: every combination of the preferences of tenant and user and the findings.

use engines::Role;
use serde_json::{Value, json};

use crate::{
    fixture::{admin, batch, event, exported, lines, results},
    support::{self, Server, acme, token},
};

async fn set(server: &Server, token: &str, whose: &str, body: Value) -> u16 {
    acme(server.address, token, "POST", &format!("/privacy/train-prefs/{whose}"), Some(&body)).await.status
}

#[tokio::test]
async fn a_user_preference_overrides_the_tenants() {
    let server = support::start().await;
    let tenants = [None, Some(false), Some(true)];
    let users = [None, Some(false), Some(true)];
    // Each combination has a user of its own.
    let mut wanted = Vec::new();
    for (t, of_tenant) in tenants.into_iter().enumerate() {
        if let Some(opt_out) = of_tenant {
            assert_eq!(set(&server, &admin(), "tenant", json!({ "opt_out": opt_out })).await, 200);
        }
        for (u, of_user) in users.into_iter().enumerate() {
            let name = format!("user-{t}{u}");
            let user = token(&name, &[("t_acme", Role::Member)]);
            if let Some(opt_out) = of_user {
                assert_eq!(set(&server, &user, "user", json!({ "user_id": name, "opt_out": opt_out })).await, 200);
            }
            let train_ok = !of_user.or(of_tenant).unwrap_or(false);
            let view = acme(server.address, &user, "GET", "/privacy/train-prefs", None).await.json();
            assert_eq!(view["train_ok"], train_ok, "{of_tenant:?} {of_user:?}: {view}");
            assert_eq!(view["tenant"]["opt_out"].as_bool(), of_tenant);
            assert_eq!(view["user"]["opt_out"].as_bool(), of_user);
            let one = acme(server.address, &user, "POST", "/events", Some(&event(&name, "one"))).await.json();
            let told = results(&batch(&server, &user, &lines(&[event(&name, "many")])).await);
            assert_eq!(
                (&one["train_ok"], &told[0]["train_ok"]),
                (&json!(train_ok), &json!(train_ok)),
                "{of_tenant:?} {of_user:?}"
            );
            wanted.push((name, of_user, train_ok));
        }
    }
    // The tenant has opted out now. Earlier events of users without a preference are not exported any more.
    for (name, of_user, at_write) in &wanted {
        let found = exported(&server, &format!("&surface={name}")).await.unwrap().len();
        assert_eq!(found == 2, *at_write && *of_user == Some(false), "{name}: {found}");
    }
    // The tenant opts in again. Events that were suitable when they were recorded are exported, and others are not.
    assert_eq!(set(&server, &admin(), "tenant", json!({ "opt_out": false })).await, 200);
    for (name, of_user, at_write) in &wanted {
        let found = exported(&server, &format!("&surface={name}")).await.unwrap().len();
        assert_eq!(found == 2, *at_write && *of_user != Some(true), "{name}: {found}");
    }
}

#[tokio::test]
async fn a_later_opt_out_removes_events_from_the_export() {
    let server = support::start().await;
    let (ada, bob) = (token("ada", &[("t_acme", Role::Member)]), token("bob", &[("t_acme", Role::Member)]));
    let events: Vec<_> = (0..300).map(|n| event("s", &format!("number {n}"))).collect();
    for user in [&ada, &bob] {
        assert_eq!(results(&batch(&server, user, &lines(&events)).await).len(), 300);
    }
    assert_eq!(exported(&server, "").await.unwrap().len(), 600);
    assert_eq!(set(&server, &ada, "user", json!({ "user_id": "ada", "opt_out": true })).await, 200);
    let left = exported(&server, "").await.unwrap();
    assert!(left.len() == 300 && left.iter().all(|event| event["actor_id"] == "bob"));
    assert_eq!(set(&server, &admin(), "tenant", json!({ "opt_out": true })).await, 200);
    assert_eq!(exported(&server, "").await.unwrap(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_removed_preference_leaves_no_record() {
    let server = support::start().await;
    let (ada, eve) = (token("ada", &[("t_acme", Role::Member)]), token("eve", &[("t_acme", Role::Viewer)]));
    let unset = async |token: &str, whose: &str| {
        acme(server.address, token, "DELETE", &format!("/privacy/train-prefs/{whose}"), None).await.status
    };
    assert_eq!(results(&batch(&server, &ada, &lines(&[event("s", "x")])).await).len(), 1);
    // Without a preference, nothing happens.
    assert_eq!((unset(&ada, "user").await, unset(&admin(), "tenant").await), (204, 204));
    assert_eq!(set(&server, &admin(), "tenant", json!({ "opt_out": true })).await, 200);
    assert_eq!(set(&server, &ada, "user", json!({ "user_id": "ada", "opt_out": false })).await, 200);
    assert_eq!(exported(&server, "").await.unwrap().len(), 1);
    // Another user removes their own preference. The tenant's needs an admin.
    assert_eq!((unset(&eve, "user").await, unset(&ada, "tenant").await), (204, 403));
    assert_eq!(exported(&server, "").await.unwrap().len(), 1);
    assert_eq!(unset(&ada, "user").await, 204);
    let view = acme(server.address, &ada, "GET", "/privacy/train-prefs", None).await.json();
    assert_eq!((&view["user"], &view["tenant"]["opt_out"]), (&json!(null), &json!(true)));
    assert_eq!(exported(&server, "").await.unwrap(), Vec::<Value>::new());
    assert_eq!(unset(&admin(), "tenant").await, 204);
    let view = acme(server.address, &ada, "GET", "/privacy/train-prefs", None).await.json();
    assert_eq!(view, json!({ "tenant": null, "user": null, "train_ok": true }));
    assert_eq!(exported(&server, "").await.unwrap().len(), 1);
    assert_eq!(set(&server, &admin(), "tenant", json!({ "opt_out": false })).await, 200);
}

#[tokio::test]
async fn only_the_user_or_the_tenant_admin_sets_a_preference() {
    let server = support::start().await;
    let (ada, viewer) = (token("ada", &[("t_acme", Role::Member)]), token("eve", &[("t_acme", Role::Viewer)]));
    let body = json!({ "user_id": "bob", "opt_out": true });
    for token in [&ada, &admin()] {
        let answer = acme(server.address, token, "POST", "/privacy/train-prefs/user", Some(&body)).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "USER_MISMATCH"));
    }
    assert_eq!(set(&server, &ada, "tenant", json!({ "opt_out": true })).await, 403);
    assert_eq!(set(&server, &viewer, "user", json!({ "user_id": "eve", "opt_out": true })).await, 200);
    for bad in [json!({}), json!({ "opt_out": "yes" }), json!({ "opt_out": null })] {
        assert_eq!(set(&server, &admin(), "tenant", bad.clone()).await, 400, "{bad}");
        let mut bad = bad;
        bad["user_id"] = "ada".into();
        assert_eq!(set(&server, &ada, "user", bad.clone()).await, 400, "{bad}");
    }
    // Another environment has its own preferences.
    let bearer = format!("Bearer {viewer}");
    let headers = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", "prod")];
    let view = support::ask(server.address, "GET", "/privacy/train-prefs", &headers, None).await.json();
    assert_eq!(view, json!({ "tenant": null, "user": null, "train_ok": true }));
}
