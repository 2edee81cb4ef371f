//! Waiting for a password hash does not block other requests.

use std::time::Duration;

use engines::auth::{identity::IdentitySettings, password::HashSettings};
use engines_server::{App, HttpSettings};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{self, ask};

/// More requests than one address may have in the queue for hashes.
const FLOOD: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_hashes_takes_no_place_of_refreshes_and_forgotten_passwords() {
    // A hash takes some time, and a second one more.
    let password =
        HashSettings { memory_kib: 16 << 10, iterations: 3, lanes: 1, threads: 1, ..HashSettings::default() };
    let password = HashSettings { queue: 64, queue_per_network: 8, ..password };
    let engine =
        support::builder().identity(IdentitySettings { password, ..support::identity() }).build().await.unwrap();
    let mut settings = HttpSettings::default();
    (settings.budgets.anonymous_in_flight, settings.budgets.refresh_in_flight) = (1, 1);
    settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let server = support::serve(App::builder(engine).settings(settings).build().unwrap()).await;
    let post = async |path: &str, body: &Value, from: &str| {
        let headers = [("x-forwarded-for", from)];
        ask(server.address, "POST", path, &headers, Some(body.to_string().as_bytes())).await
    };
    let account = json!({ "email": "ada@example.org", "password": "plum-Lantern-77 quiet" });
    let made = post("/auth/signup", &account, "198.51.100.1").await;
    assert_eq!(made.status, 201, "{made:?}");
    let refresh = json!({ "refresh_token": made.json()["refresh_token"] });

    let flood = join_all((0..FLOOD).map(|number| {
        let body = json!({ "email": format!("u{number}@example.org"), "password": "no password of anybody" });
        async move { post("/auth/login", &body, "203.0.113.7").await.status }
    }));
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let refreshed = post("/auth/refresh", &refresh, "198.51.100.1").await;
        let forgot = post("/auth/password/forgot", &json!({ "email": "a@example.org" }), "198.51.100.1").await;
        let login = post("/auth/login", &account, "198.51.100.1").await;
        [refreshed.status, forgot.status, login.status]
    };
    let (flooded, others) = tokio::join!(flood, others);
    assert_eq!(others, [200, 202, 200]);
    // The flood fills its share of the queue. Its other requests get 429.
    let refused = flooded.iter().filter(|&&status| status == 429).count();
    assert!(refused > 0 && flooded.iter().all(|status| [401, 429].contains(status)), "{flooded:?}");
}
