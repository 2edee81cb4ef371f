//! The export of events for training, as JSON lines.

use engines::{
    Engine, Role, Scope, TenantId,
    core::{
        audit::AuditFilter,
        nexus::PageRequest,
        pii::{Policy, Scrubber},
    },
};
use engines_server::App;
use serde_json::json;

use crate::{
    fixture::{admin, batch, event, exported, lines, member, results},
    support::{self, acme, serve, token},
};

#[tokio::test]
async fn exported_lines_equal_listed_events() {
    let server = support::start().await;
    let full = json!({
        "surface": "checkout", "agent_id": "a", "input": { "text": "I am ada@example.com", "lines": "a\nb" }, "output": { "n": [1, 2] },
        "metadata": { "m": 1 }, "utm_source": "letter", "seo_rank": 3, "analytics_event_type": "answer", "episode_id": "e1",
    });
    assert_eq!(results(&batch(&server, &member(), &lines(&[full, event("other", "x")])).await).len(), 2);
    let listed = acme(server.address, &member(), "GET", "/events", None).await.json();
    let exported = exported(&server, "").await.unwrap();
    assert_eq!(json!(exported), listed["items"]);
    let first = &exported[0];
    assert_eq!(first["input"], json!({ "text": "I am [EMAIL_ADDRESS]", "lines": "a\nb" }));
    assert_eq!(
        (&first["type"], &first["utm_source"], &first["seo_rank"]),
        (&json!("answer"), &json!("letter"), &json!(3))
    );
    assert_eq!(
        (&first["tenant_id"], &first["env"], &first["actor_id"]),
        (&json!("t_acme"), &json!("dev"), &json!("ada"))
    );
    for filter in ["surface=checkout", "type=answer", "from=2020-01-01T00:00:00Z&surface=checkout"] {
        assert_eq!(crate::fixture::exported(&server, &format!("&{filter}")).await.unwrap().len(), 1, "{filter}");
    }
    assert_eq!(crate::fixture::exported(&server, "&to=2020-01-01T00:00:00Z").await.unwrap().len(), 0);
    let wrong = acme(server.address, &admin(), "GET", "/events/export?format=csv", None).await;
    assert_eq!((wrong.status, wrong.json()["field"].clone()), (400, json!("format")));
}

#[tokio::test]
async fn exports_are_for_admins_and_are_audited() {
    let server = support::start().await;
    assert_eq!(acme(server.address, &member(), "GET", "/events/export", None).await.code(), "ROLE_INSUFFICIENT");
    assert_eq!(acme(server.address, &admin(), "GET", "/events/export", None).await.status, 200);
    let scope = Scope::new(TenantId::new("t_acme").unwrap(), engines::Env::Dev);
    let filter = AuditFilter { action: Some("event.export".into()), ..AuditFilter::default() };
    let audited = server.app.engine().store().audit(&scope, &filter, PageRequest::first(10)).await.unwrap().items;
    assert_eq!((audited.len(), audited[0].actor.id.as_str()), (1, "root"));
    // An admin of another tenant gets the events of that tenant, of which there are none.
    batch(&server, &member(), &lines(&[event("s", "x")])).await;
    let other = format!("Bearer {}", token("root", &[("t_other", Role::Admin)]));
    let headers = [("Authorization", other.as_str()), ("X-Tenant-Id", "t_other"), ("X-Env", "dev")];
    let answer = support::ask(server.address, "GET", "/events/export", &headers, None).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}

#[tokio::test]
async fn events_with_no_training_entities_are_not_exported() {
    let policy = Policy { no_training: vec!["EMAIL_ADDRESS".into()], ..Policy::default() };
    let scrubber = Scrubber::builder().policy(policy).build().unwrap();
    let engine = Engine::builder().memory().scrubber(scrubber).signing_secret(support::secret()).build().await.unwrap();
    let server = serve(App::new(engine).unwrap()).await;
    // The same for a user who has opted in.
    let own = json!({ "user_id": "ada", "opt_out": false });
    assert_eq!(acme(server.address, &member(), "POST", "/privacy/train-prefs/user", Some(&own)).await.status, 200);
    let events = [event("s", "nothing"), event("s", "ada@example.com"), event("s", "call +44 20 7946 0958")];
    let told = results(&batch(&server, &member(), &lines(&events)).await);
    let train_ok: Vec<_> = told.iter().map(|result| result["train_ok"].as_bool().unwrap()).collect();
    assert_eq!(train_ok, [true, false, true]);
    let one = acme(server.address, &member(), "POST", "/events", Some(&events[1])).await.json();
    assert_eq!(one["train_ok"], false);
    assert_eq!(exported(&server, "").await.unwrap().len(), 2);
}
