//! Cross-origin requests.

use engines::Role;
use engines_server::{HttpSettings, Origins, routes};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Answer, Server, acme, ask, start, start_with, streaming::open, token};

const PAGE: &str = "https://app.example.com";
const ALLOWED: &str = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Tenant-Id, X-Env, \
                       X-User-Id, X-Membership-Role, X-Request-Id, traceparent";
const EXPOSED: &str =
    "X-Request-Id, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, ETag, Location";

pub(crate) async fn listed() -> Server {
    let cors_origins = "https://app.example.com,https://*.example.org:8443".parse().unwrap();
    start_with(HttpSettings { cors_origins, ..HttpSettings::default() }).await
}

async fn preflight(server: &Server, path: &str, origin: &str, method: &str) -> Answer {
    let headers = [("Origin", origin), ("Access-Control-Request-Method", method)];
    ask(server.address, "OPTIONS", path, &headers, None).await
}

fn of_cors(answer: &Answer) -> Vec<&(String, String)> {
    answer.headers.iter().filter(|(name, _)| name.starts_with("access-control-")).collect()
}

#[tokio::test]
async fn a_preflight_of_a_listed_origin_is_answered_from_the_table_without_a_token() {
    let server = listed().await;
    let answer = preflight(&server, "/chat/threads", PAGE, "POST").await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    for (name, value) in [
        ("access-control-allow-origin", PAGE),
        ("access-control-allow-methods", "POST, GET, HEAD"),
        ("access-control-allow-headers", ALLOWED),
        ("access-control-max-age", "600"),
        ("vary", "Origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    // Every route, with the methods of the table only.
    for route in routes::all() {
        let path = route.path.replace("{*stream}", "canvas/x").replace(['{', '}'], "");
        let answer = preflight(&server, &path, PAGE, route.method.as_str()).await;
        assert_eq!(answer.status, 204, "{route:?}");
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert!(methods.split(", ").any(|method| method == route.method.as_str()), "{route:?}: {methods}");
        let allowed = answer.header("access-control-allow-headers").unwrap();
        assert!(allowed.starts_with(ALLOWED), "{allowed}");
        for own in route.doc.headers.request {
            assert!(allowed.ends_with(own), "{route:?}: {allowed}");
        }
    }
    let none = preflight(&server, "/no/such/path", PAGE, "GET").await;
    assert_eq!((none.status, none.header("access-control-allow-origin")), (404, Some(PAGE)));
}

#[tokio::test]
async fn answers_to_listed_origins_can_be_read_also_errors_and_streams() {
    let server = listed().await;
    let member = token("ada", &[("t_acme", Role::Member)]);
    acme(server.address, &member, "POST", "/chat/threads", Some(&json!({ "thread_id": "t" }))).await;
    let origin = "https://eu.example.org:8443";
    for (path, status) in [("/healthz", 200), ("/chat/threads", 401), ("/none", 404)] {
        let answer = ask(server.address, "GET", path, &[("Origin", origin)], None).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{path}");
        assert_eq!(answer.header("access-control-expose-headers"), Some(EXPOSED), "{path}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{path}");
    }
    let mut stream = open(&server, &member, "/sse/chat/t", &[("Origin", origin)]).await;
    let head = stream.answer(true).await;
    assert_eq!((head.status, head.header("access-control-allow-origin")), (200, Some(origin)));
    assert_eq!(head.header("vary"), Some("Origin"));
    // A route's own headers are among the exposed ones.
    let admin = token("ada", &[("t_acme", Role::Admin)]);
    let bearer = format!("Bearer {admin}");
    let headers = [("Authorization", &*bearer), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev"), ("Origin", origin)];
    let export = ask(server.address, "GET", "/events/export", &headers, None).await;
    assert!(export.header("access-control-expose-headers").unwrap().ends_with(", Content-Disposition"), "{export:?}");
}

#[tokio::test]
async fn an_unlisted_origin_gets_no_cors_headers() {
    let server = listed().await;
    for origin in
        ["null", "http://app.example.com", "https://app.example.com.evil.test", "https://example.org:8443", "x"]
    {
        let answer = ask(server.address, "GET", "/healthz", &[("Origin", origin)], None).await;
        assert_eq!((answer.status, of_cors(&answer)), (200, vec![]), "{origin}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{origin}");
        let refused = preflight(&server, "/chat/threads", origin, "POST").await;
        assert_eq!((refused.status, of_cors(&refused)), (405, vec![]), "{origin}");
    }
    let twice = [("Origin", PAGE), ("Origin", PAGE)];
    assert_eq!(of_cors(&ask(server.address, "GET", "/healthz", &twice, None).await), Vec::<&(String, String)>::new());
    // By default no origin is listed, and responses have no such headers.
    let none = start().await;
    let answer = ask(none.address, "GET", "/healthz", &[("Origin", PAGE)], None).await;
    assert_eq!((of_cors(&answer), answer.header("vary")), (vec![], None));
}

#[test]
fn origin_patterns_match_exactly_one_wildcard_label() {
    let origins: Origins = "https://*.example.com".parse().unwrap();
    assert!(origins.contains("https://a.example.com") && origins.contains("https://a-b.example.com"));
    for other in [
        "https://example.com",
        "https://.example.com",
        "https://a.b.example.com",
        "http://a.example.com",
        "https://a.example.com:8443",
        "https://a.example.com/",
        "https://evil.test/.example.com",
        "https://x@y.example.com",
        "https://a.example.com.",
    ] {
        assert!(!origins.contains(other), "{other}");
    }
    let exact: Origins =
        r#"["HTTPS://App.Example.com:443", "http://[::1]:5173", "capacitor://localhost"]"#.parse().unwrap();
    for listed in ["https://app.example.com", "http://[::1]:5173", "capacitor://localhost"] {
        assert!(exact.contains(listed), "{listed}");
    }
    for bad in [
        "*",
        "null",
        "example.com",
        "https://",
        "https://*",
        "https://*.com",
        "https://a.*.com",
        "https://*a.example.com",
        "https://a.example.com/",
        "https://a.example.com:0",
        "https://a.example.com:99999",
        "https://user@a.example.com",
        "https://ä.example.com",
        "://a.example.com",
        "[1, 2]",
    ] {
        let fault = bad.parse::<Origins>().unwrap_err().to_string();
        assert!(fault.starts_with("http.cors_origins: "), "{fault}");
    }
}

proptest! {
    #[test]
    fn arbitrary_origin_text_never_panics_or_allows_other_origins(text in "\\PC{0,40}", origin in "\\PC{0,40}") {
        if let Ok(origins) = text.parse::<Origins>() {
            let again = Origins::new(serde_json::from_value::<Vec<String>>(serde_json::to_value(&origins).unwrap()).unwrap());
            prop_assert_eq!(again.unwrap(), origins.clone());
            if !text.contains('*') && origins.contains(&origin) {
                prop_assert!(text.to_ascii_lowercase().contains(origin.trim_end_matches('/')));
            }
        }
    }
}
