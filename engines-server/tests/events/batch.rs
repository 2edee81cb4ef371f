//! Batches of events.

use engines::{Engine, Limits, Role};
use engines_server::App;
use serde_json::json;

use crate::{
    fixture::{NDJSON, admin, batch, event, lines, listed, member, results, send},
    support::{self, Connection, acme, request, serve, token},
};

#[tokio::test]
async fn each_line_has_its_result() {
    let server = support::start().await;
    let long = "x".repeat(1 << 20);
    let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
    let body = [
        event("s", "write to ada@example.com").to_string(),
        "  ".into(),
        "{".into(),
        "[1]".into(),
        event("", "no surface").to_string(),
        json!({ "surface": "s", "agent_id": "a", "input": [], "output": {} }).to_string(),
        json!({ "surface": "s", "agentId": "b", "input": {}, "output": {}, "tenantId": "t_acme", "env": "DEV", "traceId": "T", "actorType": "agent" }).to_string(),
        json!({ "surface": "s", "agent_id": "a", "input": {}, "output": {}, "tenant_id": "t_other" }).to_string(),
        json!({ "surface": "s", "agent_id": "a", "input": {}, "output": {}, "tenantId": "t_other" }).to_string(),
        json!({ "surface": "s", "agent_id": "a", "input": {}, "output": {}, "env": "prod" }).to_string(),
        format!(r#"{{"surface":"s","agent_id":"a","input":{{"x":{deep}}},"output":{{}}}}"#),
        event("s", &long).to_string(),
        r#"{"surface":"s","surface":"t","agent_id":"a","input":{},"output":{}}"#.into(),
        event("s", "last, without a line feed").to_string(),
    ];
    let mut bytes = body.join("\n").into_bytes();
    let not_utf8 = bytes.windows(4).position(|four| four == b"[1]\n").unwrap();
    bytes[not_utf8] = 0xff;
    let answer = batch(&server, &member(), &bytes).await;
    let told: Vec<_> = results(&answer)
        .iter()
        .map(|result| {
            let word = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
            (result["line"].as_u64().unwrap(), word("status"), word("code"), word("field"))
        })
        .collect();
    let row =
        |line, status: &str, code: &str, field: &str| (line, status.to_owned(), code.to_owned(), field.to_owned());
    assert_eq!(
        told,
        [
            row(1, "accepted", "", ""),
            row(3, "rejected", "BODY_INVALID", ""),
            row(4, "rejected", "BODY_INVALID", ""),
            row(5, "rejected", "BODY_INVALID", "/surface"),
            row(6, "rejected", "BODY_INVALID", "/input"),
            row(7, "accepted", "", ""),
            row(8, "rejected", "CONTEXT_MISMATCH", "/tenant_id"),
            row(9, "rejected", "CONTEXT_MISMATCH", "/tenantId"),
            row(10, "rejected", "CONTEXT_MISMATCH", "/env"),
            row(11, "rejected", "BODY_INVALID", ""),
            row(12, "rejected", "BODY_TOO_LARGE", ""),
            row(13, "rejected", "BODY_INVALID", "/surface"),
            row(14, "accepted", "", ""),
        ]
    );
    let first = &results(&answer)[0];
    assert_eq!(
        (&first["seq"], &first["train_ok"], &first["pii_flags"]["counts"]),
        (&json!(1), &json!(true), &json!({ "EMAIL_ADDRESS": 1 }))
    );
    let all = listed(&server, "").await;
    assert_eq!(all.len(), 3);
    assert_eq!(all[0]["input"]["text"], "write to [EMAIL_ADDRESS]");
    assert_eq!(
        (&all[1]["agent_id"], &all[1]["trace_id"], &all[1]["actor_type"]),
        (&json!("b"), &json!("T"), &json!("agent"))
    );
    assert_eq!(all[0]["event_id"], first["event_id"]);
}

#[tokio::test]
async fn batch_media_types_empty_bodies_roles_and_accept_headers_are_checked() {
    let server = support::start().await;
    let one = lines(&[event("s", "x")]);
    for (kind, status) in [
        ("application/x-ndjson", 200),
        ("application/ndjson", 200),
        ("application/jsonl; charset=utf-8", 200),
        ("application/json", 415),
        ("text/plain", 415),
        ("application/x-ndjson; charset=latin1", 415),
    ] {
        let answer = send(&server, &member(), "/events/batch", &[("Content-Type", kind)], &one).await;
        assert_eq!(answer.status, status, "{kind}");
    }
    for empty in [&b""[..], b"\n \n\r\n"] {
        let answer = batch(&server, &member(), empty).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "BODY_INVALID"));
    }
    // A caller without the right gets that error, whatever the body.
    let viewer = token("eve", &[("t_acme", Role::Viewer)]);
    assert_eq!(batch(&server, &viewer, b"{").await.code(), "ROLE_INSUFFICIENT");
    for (accept, kind) in [
        ("application/json", "application/json"),
        ("application/json, */*", "application/json"),
        ("application/json;q=0.5, application/x-ndjson", "application/x-ndjson"),
        ("*/*", "application/x-ndjson"),
    ] {
        let answer = send(
            &server,
            &member(),
            "/events/batch",
            &[NDJSON, ("Accept", accept)],
            &lines(&[event("s", "x"), json!(1)]),
        )
        .await;
        assert_eq!(answer.header("content-type"), Some(kind), "{accept}");
        if kind == "application/json" {
            let items = answer.json()["items"].clone();
            assert_eq!((items.as_array().unwrap().len(), &items[1]["status"]), (2, &json!("rejected")));
        }
    }
}

#[tokio::test]
async fn a_batch_has_limits() {
    let limits = Limits { batch_lines: 300, batch_body_bytes: 100_000, batch_group: 16, ..Limits::default() };
    let engine = Engine::builder().memory().limits(limits).signing_secret(support::secret()).build().await.unwrap();
    let server = serve(App::new(engine).unwrap()).await;
    let many: Vec<_> = (0..400).map(|n| event("s", &n.to_string())).collect();
    let answer = batch(&server, &member(), &lines(&many)).await;
    let told = results(&answer);
    assert_eq!(told.len(), 301);
    assert!(told[..300].iter().all(|result| result["status"] == "accepted"));
    assert_eq!(
        (&told[300]["code"], &told[300]["line"], &told[300]["limit"]),
        (&json!("BODY_TOO_LARGE"), &json!(301), &json!(300))
    );
    // The announced length is too large, so nothing is read.
    let large = lines(&vec![event("s", &"x".repeat(400)); 280]);
    assert!(large.len() > 100_000);
    assert_eq!(batch(&server, &member(), &large).await.code(), "BODY_TOO_LARGE");
    assert_eq!(listed(&server, "").await.len(), 300);
    // The length is not announced. The lines before the limit are stored, and the last result has the error.
    let bearer = format!("Bearer {}", member());
    let headers = [
        ("Authorization", bearer.as_str()),
        ("X-Tenant-Id", "t_acme"),
        ("X-Env", "dev"),
        ("Transfer-Encoding", "chunked"),
        NDJSON,
    ];
    let mut connection = Connection::open(server.address).await;
    connection.write(&request("POST", "/events/batch", &headers, None)).await;
    for piece in large.chunks(7_000) {
        connection.write(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).await;
    }
    connection.write(b"0\r\n\r\n").await;
    let told = results(&connection.answer(false).await);
    let (last, others) = told.split_last().unwrap();
    assert!(!others.is_empty() && others.iter().all(|result| result["status"] == "accepted"));
    assert_eq!((&last["code"], &last["line"]), (&json!("BODY_TOO_LARGE"), &json!(told.len())));
    assert_eq!(listed(&server, "").await.len(), 300 + others.len());
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped() {
    let server = support::start().await;
    let whole = lines(&[event("s", "one"), event("s", "two")]);
    let marked = [b"\xef\xbb\xbf", &*whole].concat();
    let told = results(&batch(&server, &member(), &marked).await);
    assert!(told.iter().all(|line| line["status"] == "accepted"), "{told:?}");
    // The line is not blank, and it does not affect the others.
    let told = results(&batch(&server, &member(), &[&*whole, b"\xef\xbb\xbf", &*whole].concat()).await);
    assert_eq!(told.iter().map(|line| &line["line"]).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!((&told[2]["code"], &told[3]["status"]), (&json!("BODY_INVALID"), &json!("accepted")));
    assert_eq!(batch(&server, &member(), b"\xef\xbb\xbf\r\n").await.code(), "BODY_INVALID");
}

#[tokio::test]
async fn idempotency_compares_the_sent_event_not_the_scrubbed_one() {
    let server = support::start().await;
    let keyed = |mailbox: &str| {
        let mut event = event("s", &format!("write to {mailbox}"));
        event["idempotency_key"] = "k".into();
        event
    };
    let first = acme(server.address, &member(), "POST", "/events", Some(&keyed("ana@example.org"))).await.json();
    // Both addresses become `[EMAIL_ADDRESS]`. If the key depended on that, the second event would be lost.
    let other = acme(server.address, &member(), "POST", "/events", Some(&keyed("bob@example.org"))).await;
    assert_eq!(other.code(), "IDEMPOTENCY_MISMATCH");
    // Another policy removes more of the event, and the key still identifies it.
    let policy = json!({ "policy": { "default": "drop" } });
    assert_eq!(acme(server.address, &admin(), "PUT", "/privacy/policy", Some(&policy)).await.status, 200);
    let again = acme(server.address, &member(), "POST", "/events", Some(&keyed("ana@example.org"))).await.json();
    assert_eq!((&again["event_id"], &again["replayed"]), (&first["event_id"], &json!(true)), "{again}");
}

#[tokio::test]
async fn idempotency_keys_make_events_take_effect_once() {
    let server = support::start().await;
    let keyed = |text: &str, key: &str| {
        let mut event = event("s", text);
        event["idempotency_key"] = key.into();
        event
    };
    // The same event twice in one batch, the same key for another event, and an event that was sent alone before.
    let alone = acme(server.address, &member(), "POST", "/events", Some(&keyed("alone", "z"))).await.json();
    let events = [
        keyed("one", "a"),
        keyed("one", "a"),
        keyed("two", "a"),
        keyed("alone", "z"),
        event("s", "free"),
        event("s", "free"),
    ];
    let first = results(&batch(&server, &member(), &lines(&events)).await);
    assert_eq!(first[1]["event_id"], first[0]["event_id"]);
    assert_eq!((&first[0]["replayed"], &first[1]["replayed"]), (&json!(false), &json!(true)));
    assert_eq!(first[2]["code"], "IDEMPOTENCY_MISMATCH");
    assert_eq!((&first[3]["event_id"], &first[3]["seq"]), (&alone["event_id"], &alone["seq"]));
    assert_eq!(listed(&server, "").await.len(), 4);
    let again = results(&batch(&server, &member(), &lines(&events)).await);
    for line in [0, 1, 3] {
        assert_eq!((&again[line]["event_id"], &again[line]["replayed"]), (&first[line]["event_id"], &json!(true)));
    }
    assert_eq!(listed(&server, "").await.len(), 6);
    // The same key of another user is another key.
    let other = token("bob", &[("t_acme", Role::Member)]);
    assert_eq!(results(&batch(&server, &other, &lines(&events[..1])).await)[0]["replayed"], false);
    // A key for all lines gets the number of the line. Lines with their own key keep it.
    let events = [event("s", "same"), event("s", "same"), keyed("one", "a")];
    let headers = [NDJSON, ("Idempotency-Key", "upload-1")];
    let before = listed(&server, "").await.len();
    let first = results(&send(&server, &member(), "/events/batch", &headers, &lines(&events)).await);
    assert_ne!(first[0]["event_id"], first[1]["event_id"]);
    assert_eq!(first[2]["replayed"], true);
    let again = results(&send(&server, &member(), "/events/batch", &headers, &lines(&events)).await);
    assert!(
        again
            .iter()
            .zip(&first)
            .all(|(again, first)| again["event_id"] == first["event_id"] && again["replayed"] == true)
    );
    assert_eq!(listed(&server, "").await.len(), before + 2);
    let long = "k".repeat(256);
    let answer =
        send(&server, &member(), "/events/batch", &[NDJSON, ("Idempotency-Key", &long)], &lines(&events)).await;
    assert_eq!(answer.code(), "BODY_INVALID");
}
