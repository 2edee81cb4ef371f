//! Refused attempts in the audit log.

use std::sync::Arc;

use engines_auth::{
    Admission, AuthInput, FieldValues, Identity, JwtSettings, SigningSecret, TokenIssuer,
    identity::{AuthFailureLog, AuthFailureSettings, Caller, LoginRequest},
    password::Password,
};
use engines_core::{
    Clock, Guard, IdGenerator, Scope, Store, Trace,
    audit::{AuditEntry, AuditFilter, AuditOutcome},
    gate::AllowAll,
    nexus::PageRequest,
    testing::ManualClock,
};

use crate::fixture::{SECRET, secret, settings};

async fn recorded(store: &dyn Store) -> Vec<AuditEntry> {
    let page = store.audit(&Scope::system().unwrap(), &AuditFilter::default(), PageRequest::first(500)).await.unwrap();
    page.items.into_iter().filter(|entry| entry.outcome == AuditOutcome::Refused).collect()
}

#[tokio::test]
async fn auth_failures_are_logged_without_secrets_at_a_bounded_rate() {
    let ids = IdGenerator::from_os().unwrap();
    let (store, _kept) = crate::backend::open();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
    let (log, writer) =
        AuthFailureLog::new(Arc::clone(&store), Arc::clone(&clock), ids.clone(), AuthFailureSettings::default());
    let signing = SigningSecret::new(SECRET).unwrap();
    let guard = Guard::new(Arc::new(AllowAll), Arc::clone(&clock), ids.clone());
    let tokens = TokenIssuer::new(&signing, JwtSettings::default(), Arc::clone(&clock), ids.clone()).unwrap();
    let identity = Identity::builder(Arc::clone(&store), guard, tokens, &signing)
        .settings(settings())
        .failure_sink(log.clone())
        .build()
        .unwrap();
    let admission = Admission::builder(Arc::clone(&clock), ids.clone()).failure_sink(log.clone()).build();
    drop(log);

    let trace = Trace::begin(&*clock, &ids);
    for _ in 0..2 {
        let caller = Caller { address: Some("192.0.2.7"), user_agent: None, trace: &trace };
        let request = LoginRequest { email: secret("ada@example.org"), password: Password::new("hunter2 hunter2") };
        identity.login(request, caller).await.unwrap_err();
    }
    for _ in 0..200 {
        let presented = AuthInput {
            authorization: FieldValues::one("Bearer very-secret-bearer"),
            path: "/events\r\nX: y",
            address: Some("2001:db8::1"),
            ..AuthInput::default()
        };
        admission.authenticate(&presented).await.unwrap_err();
    }
    drop((identity, admission));
    writer.run().await.unwrap();

    let entries = recorded(&*store).await;
    assert_eq!(entries.len(), 2 + 50, "the flood from one address is cut off, and hides nobody else");
    let login = &entries[0];
    assert_eq!(login.action, "accounts.login");
    assert_eq!(login.request_id, trace.request_id);
    assert!(login.actor.id.as_str().starts_with("email:"));
    assert_eq!(login.actor.id, entries[1].actor.id, "two tries at one account are seen to be that");
    let reason = login.reason.as_deref().unwrap();
    assert!(reason.starts_with("CREDENTIALS_INVALID: ") && reason.ends_with("; from 192.0.2.7"), "{reason}");
    let admission = &entries[2];
    assert_eq!((&*admission.action, &*admission.resource), ("admission.enter", "/eventsX:y"));
    let all = format!("{entries:?}{}", serde_json::to_string(&entries).unwrap());
    for hidden in ["hunter2", "ada@", "example.org", "very-secret"] {
        assert!(!all.contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn dropped_auth_failures_are_counted() {
    let ids = IdGenerator::from_os().unwrap();
    let (store, _kept) = crate::backend::open();
    let clock = ManualClock::default();
    let settings = AuthFailureSettings { queue: 3, ..AuthFailureSettings::default() };
    let (log, writer) = AuthFailureLog::new(Arc::clone(&store), Arc::new(clock.clone()), ids.clone(), settings);
    let admission = Admission::builder(Arc::new(clock.clone()), ids).failure_sink(log).build();
    for _ in 0..10 {
        admission.authenticate(&AuthInput::default()).await.unwrap_err();
    }
    let run = tokio::spawn(writer.run());
    while recorded(&*store).await.len() < 3 {
        tokio::task::yield_now().await;
    }
    admission.authenticate(&AuthInput::default()).await.unwrap_err();
    drop(admission);
    run.await.unwrap().unwrap();
    let entries = recorded(&*store).await;
    assert_eq!(entries.len(), 4);
    assert!(entries[3].reason.as_deref().unwrap().ends_with("; 7 more before it were not recorded"));
}
