//! The metrics, and who may read them.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use engines::{
    Code, Engine, Error, Result, Role,
    auth::mail::{Mail, MailPurpose, MailSettings, Mailer},
};
use engines_server::App;
use serde_json::json;
use support::{acme, ask, token};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

#[tokio::test]
async fn metrics_cover_requests_and_the_store_without_tenant_or_user_ids() {
    let server = support::start().await;
    let ada = token("ada", &[("t_acme", Role::Owner)]);
    let made = acme(server.address, &ada, "POST", "/chat/threads", Some(&json!({ "thread_id": "secret-plan" }))).await;
    assert_eq!(made.status, 201);
    let refused = acme(server.address, &ada, "GET", "/metrics", None).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "TENANT_FORBIDDEN"));

    let operator = format!("Bearer {}", token("root", &[("t_system", Role::Admin)]));
    let answer = ask(server.address, "GET", "/metrics", &[("Authorization", &operator)], None).await;
    assert_eq!(answer.status, 200);
    let text = String::from_utf8(answer.body).unwrap();
    for line in [
        "engines_http_requests_total{method=\"POST\",route=\"/chat/threads\",status=\"201\"} 1",
        "engines_store_duration_seconds_bucket{le=\"+Inf\",operation=\"commit\"} ",
        "engines_recorder_events_total{what=\"dropped\"} 0",
        "engines_store_undone_total{operation=\"commit\",why=\"failed\"} 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let commits =
        text.lines().find_map(|line| line.strip_prefix("engines_store_duration_seconds_count{operation=\"commit\"} "));
    assert!(commits.unwrap().parse::<u64>().unwrap() >= 1, "{text}");
    for personal in ["t_acme", "ada", "secret-plan", "root"] {
        assert!(!text.contains(personal), "{personal}\n{text}");
    }
}

/// A mailer that waits for a permit before each mail, and refuses mails that no password can be reset.
#[derive(Debug, Clone)]
struct Gate(Arc<Semaphore>);

#[async_trait]
impl Mailer for Gate {
    async fn send(&self, mail: &Mail) -> Result<()> {
        self.0.acquire().await.unwrap().forget();
        match mail.purpose() {
            MailPurpose::ResetUnknown => Err(Error::new(Code::BodyInvalid, "mail.gate", "refused")),
            _ => Ok(()),
        }
    }
}

#[tokio::test]
async fn mails_are_counted_by_what_became_of_them() {
    let gate = Gate(Arc::new(Semaphore::new(0)));
    let settings = MailSettings { queue: 2, concurrency: 1, ..MailSettings::default() };
    let engine = Engine::builder()
        .mailer(gate.clone(), settings)
        .memory()
        .signing_secret(support::secret())
        .root_key(support::root())
        .identity(support::identity());
    let server = support::serve(App::new(engine.build().await.unwrap()).unwrap()).await;
    let operator = format!("Bearer {}", token("root", &[("t_system", Role::Admin)]));
    let counted = async |lines: &[&str]| {
        let all = async {
            loop {
                let answer = ask(server.address, "GET", "/metrics", &[("Authorization", &operator)], None).await;
                let text = String::from_utf8(answer.body).unwrap();
                if lines.iter().all(|line| text.lines().any(|found| found == *line)) {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(Duration::from_secs(20), all).await.is_ok(), "{lines:?}");
    };
    let signup = async |name: &str| {
        let body = json!({ "email": format!("{name}@example.org"), "password": "plum-Lantern-77 quiet" });
        let answer = ask(server.address, "POST", "/auth/signup", &[], Some(body.to_string().as_bytes())).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    };
    let forgot = async |name: &str| {
        let body = json!({ "email": format!("{name}@example.org") });
        let answer = ask(server.address, "POST", "/auth/password/forgot", &[], Some(body.to_string().as_bytes())).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    };
    // The first mail is being sent, two wait, and one is too many.
    signup("ada").await;
    counted(&["engines_mails_total{what=\"queued\"} 1", "engines_mails_waiting 0"]).await;
    for name in ["bob", "cyn", "dan"] {
        signup(name).await;
    }
    counted(&[
        "engines_mails_total{what=\"queued\"} 3",
        "engines_mails_total{what=\"dropped\"} 1",
        "engines_mails_total{what=\"sent\"} 0",
        "engines_mails_waiting 2",
    ])
    .await;
    gate.0.add_permits(100);
    counted(&["engines_mails_total{what=\"sent\"} 3", "engines_mails_waiting 0"]).await;
    // No account has this address. The owner of an unverified address gets a mail that says so, which this mailer
    // refuses.
    forgot("nobody").await;
    forgot("ada").await;
    counted(&[
        "engines_mails_total{what=\"queued\"} 5",
        "engines_mails_total{what=\"needless\"} 1",
        "engines_mails_total{what=\"failed\"} 1",
        "engines_mails_total{what=\"sent\"} 3",
    ])
    .await;
}
