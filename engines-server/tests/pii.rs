//! `/pii/redact` and `/privacy/policy` over HTTP, and the effect of a policy on the event log.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::SocketAddr;

use engines::Role;
use serde_json::{Value, json};
use support::{Answer, acme, ask, token};

fn member() -> String {
    token("ada", &[("t_acme", Role::Member), ("t_other", Role::Member)])
}

fn admin() -> String {
    token("root", &[("t_acme", Role::Admin), ("t_other", Role::Admin)])
}

async fn redact(address: SocketAddr, body: Value) -> Answer {
    acme(address, &member(), "POST", "/pii/redact", Some(&body)).await
}

async fn in_tenant(address: SocketAddr, tenant: &str, method: &str, path: &str, body: &Value) -> Value {
    let bearer = format!("Bearer {}", admin());
    let headers = [
        ("Authorization", bearer.as_str()),
        ("X-Tenant-Id", tenant),
        ("X-Env", "dev"),
        ("Content-Type", "application/json"),
    ];
    ask(address, method, path, &headers, Some(&serde_json::to_vec(body).unwrap())).await.json()
}

#[tokio::test]
async fn findings_come_with_spans_types_and_confidence() {
    let server = support::start().await;
    let text = "\u{e9} ana@example.org and 4111 1111 1111 1111";
    for mode in ["mask", "report", "pseudonym"] {
        let answer = redact(server.address, json!({ "text": text, "mode": mode })).await;
        let answer = answer.json();
        assert_eq!(answer["counts"], json!({ "EMAIL_ADDRESS": 1, "CREDIT_CARD": 1 }), "{answer}");
        assert_eq!((&answer["mode"], &answer["policy"]), (&json!(mode), &json!("default-1")), "{answer}");
        let findings = answer["findings"].as_array().unwrap();
        let found: Vec<_> = findings
            .iter()
            .map(|finding| {
                let [start, end] =
                    ["start", "end"].map(|name| usize::try_from(finding[name].as_u64().unwrap()).unwrap());
                assert!(finding["score"].as_f64().is_some_and(|score| score > 0.5 && score <= 1.0), "{finding}");
                (finding["entity"].as_str().unwrap(), &text[start..end])
            })
            .collect();
        assert_eq!(found, [("EMAIL_ADDRESS", "ana@example.org"), ("CREDIT_CARD", "4111 1111 1111 1111")]);
        match mode {
            "mask" => assert_eq!(answer["text"], "\u{e9} [EMAIL_ADDRESS] and [CREDIT_CARD]"),
            "report" => assert!(answer.get("text").is_none(), "{answer}"),
            _ => assert!(answer["text"].as_str().unwrap().starts_with("\u{e9} [EMAIL_ADDRESS:"), "{answer}"),
        }
    }
    assert_eq!(redact(server.address, json!({ "text": "" })).await.json()["findings"], json!([]));
}

#[tokio::test]
async fn json_keeps_its_shape_and_findings_say_where() {
    let server = support::start().await;
    let value = json!({ "user": [{ "dob": "1980-05-17", "n": 1 }], "bob@example.com": "caf\u{e9} ana@example.org", "card": 4_111_111_111_111_111_u64 });
    let answer = redact(server.address, json!({ "json": value })).await.json();
    let clean = json!({ "user": [{ "dob": "[DATE_OF_BIRTH]", "n": 1 }], "[EMAIL_ADDRESS]": "caf\u{e9} [EMAIL_ADDRESS]", "card": "[CREDIT_CARD]" });
    assert_eq!(answer["json"], clean);
    let mut found: Vec<_> = answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let at = |name: &str| finding[name].as_u64().unwrap();
            (
                finding["path"].as_str().unwrap(),
                finding["key"] == true,
                finding["entity"].as_str().unwrap(),
                at("start"),
                at("end"),
            )
        })
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("/[EMAIL_ADDRESS]", false, "EMAIL_ADDRESS", 6, 21),
            ("/[EMAIL_ADDRESS]", true, "EMAIL_ADDRESS", 0, 15),
            ("/card", false, "CREDIT_CARD", 0, 16),
            ("/user/0/dob", false, "DATE_OF_BIRTH", 0, 10),
        ]
    );
    for scalar in [json!("ana@example.org"), json!(["ana@example.org"])] {
        assert_eq!(redact(server.address, json!({ "json": scalar })).await.json()["counts"]["EMAIL_ADDRESS"], 1);
    }
}

#[tokio::test]
async fn invalid_requests_are_rejected_without_echoing_their_text() {
    let server = support::start().await;
    let wrong = [
        json!({}),
        json!({ "text": "ana@example.org", "json": {} }),
        json!({ "text": ["ana@example.org"] }),
        json!({ "text": "x", "mode": "ana@example.org" }),
        json!({ "text": "x", "mode": { "ana@example.org": 1 } }),
    ];
    for body in wrong {
        let answer = redact(server.address, body.clone()).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "BODY_INVALID"), "{body}");
        assert!(!String::from_utf8(answer.body).unwrap().contains("ana@"), "{body}");
    }
    let viewer = token("eve", &[("t_acme", Role::Viewer)]);
    assert_eq!(acme(server.address, &viewer, "POST", "/pii/redact", Some(&json!({ "text": "x" }))).await.status, 403);
}

#[tokio::test]
async fn pseudonyms_differ_between_tenants() {
    let server = support::start().await;
    let body = json!({ "text": "ana@example.org", "mode": "pseudonym" });
    let first = in_tenant(server.address, "t_acme", "POST", "/pii/redact", &body).await;
    assert_eq!(first["text"], in_tenant(server.address, "t_acme", "POST", "/pii/redact", &body).await["text"]);
    assert_ne!(first["text"], in_tenant(server.address, "t_other", "POST", "/pii/redact", &body).await["text"]);
    let upper = json!({ "json": "ANA@example.org", "mode": "pseudonym" });
    assert_eq!(first["text"], in_tenant(server.address, "t_acme", "POST", "/pii/redact", &upper).await["json"]);
}

#[tokio::test]
async fn a_policy_is_set_with_a_version_and_applies_at_once() {
    let server = support::start().await;
    let put = async |body: Value| acme(server.address, &admin(), "PUT", "/privacy/policy", Some(&body)).await;
    let get = async || acme(server.address, &admin(), "GET", "/privacy/policy", None).await.json();
    let none = get().await;
    assert_eq!(
        (&none["version"], &none["updated_at"], &none["policy"]["default"]),
        (&json!(0), &Value::Null, &json!("mask"))
    );

    let policy = json!({
        "entities": { "CREDIT_CARD": { "operator": "partial" }, "IP_ADDRESS": { "enabled": false } },
        "allow": ["@example.org"],
        "deny": ["Nightfall"],
        "no_training": ["CREDIT_CARD"],
    });
    let set = put(json!({ "version": 0, "policy": policy })).await.json();
    assert_eq!((&set["version"], &set["policy"]["version"]), (&json!(1), &json!("tenant-1")), "{set}");
    assert_eq!(get().await, set);

    let text = "Nightfall ana@example.org bob@example.com 8.8.8.8";
    let redacted = redact(server.address, json!({ "text": text })).await.json();
    assert_eq!(redacted["text"], "[DENY_LIST] ana@example.org [EMAIL_ADDRESS] 8.8.8.8");
    assert_eq!(redacted["policy"], "tenant-1");
    let elsewhere = in_tenant(server.address, "t_other", "POST", "/pii/redact", &json!({ "text": text })).await;
    assert_eq!(elsewhere["text"], "Nightfall [EMAIL_ADDRESS] [EMAIL_ADDRESS] [IP_ADDRESS]");

    let event = json!({ "surface": "s", "agent_id": "a", "input": { "t": "Nightfall ana@example.org 4111111111111111" }, "output": {} });
    let recorded = acme(server.address, &member(), "POST", "/events", Some(&event)).await.json();
    assert_eq!(
        (&recorded["pii_flags"]["policy"], &recorded["train_ok"]),
        (&json!("tenant-1"), &json!(false)),
        "{recorded}"
    );
    let listed = acme(server.address, &member(), "GET", "/events", None).await.json();
    assert_eq!(listed["items"][0]["input"]["t"], "[DENY_LIST] ana@example.org [CREDIT_CARD:1111]");

    for (version, status) in [(json!(0), 409), (json!(2), 409), (json!(1), 200), (Value::Null, 200)] {
        let answer = put(json!({ "version": version, "policy": {} })).await;
        assert_eq!(answer.status, status, "{version}");
        if status == 409 {
            assert_eq!((answer.code().as_str(), &answer.json()["version"]), ("VERSION_MISMATCH", &json!(1)));
        }
    }
    assert_eq!(get().await["version"], 3);
    let back = redact(server.address, json!({ "text": text })).await.json();
    assert_eq!(back["text"], "Nightfall [EMAIL_ADDRESS] [EMAIL_ADDRESS] [IP_ADDRESS]");
}

#[tokio::test]
async fn an_invalid_policy_is_rejected() {
    let server = support::start().await;
    let wrong = [
        json!({}),
        json!({ "policy": { "entites": {} } }),
        json!({ "policy": { "entities": { "ana@example.org": {} } } }),
        json!({ "policy": { "entities": { "CREDIT_CARD": { "operator": "ana@example.org" } } } }),
        json!({ "policy": { "entities": { "CREDIT_CARD": { "min_score": 2 } } } }),
        json!({ "policy": { "entities": { "SECRET_JWT": { "enabled": false } } } }),
        json!({ "policy": { "entities": { "SECRET_PASSWORD": { "min_score": 0.9 } } } }),
        json!({ "policy": { "default": "seal" } }),
        json!({ "policy": { "actions": { "exprot": { "EMAIL_ADDRESS": "drop" } } } }),
        json!({ "policy": { "deny": [""] } }),
        json!({ "policy": { "no_training": ["NOT_THERE"] } }),
        json!({ "policy": { "deny": vec!["a term that is denied"; 9_000].iter().enumerate().map(|(at, term)| format!("{term} {at}")).collect::<Vec<_>>() } }),
        json!({ "version": "ana@example.org", "policy": {} }),
    ];
    for body in wrong {
        let answer = acme(server.address, &admin(), "PUT", "/privacy/policy", Some(&body)).await;
        let shown = body.to_string().chars().take(200).collect::<String>();
        assert_eq!((answer.status, answer.code().as_str()), (400, "BODY_INVALID"), "{shown}");
        assert!(!String::from_utf8(answer.body).unwrap().contains("ana@"), "{shown}");
    }
    for (role, status) in [(Role::Member, 403), (Role::Admin, 200)] {
        let token = token("eve", &[("t_acme", role)]);
        assert_eq!(acme(server.address, &token, "GET", "/privacy/policy", None).await.status, status);
    }
}
