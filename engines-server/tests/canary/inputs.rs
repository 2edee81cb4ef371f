//! All inputs, and the responses to them.

use engines::{DatasetEvent, RequestContext, storage::event_log::privacy::RedactRequest};
use serde_json::{Map, Value, json};

use crate::{
    canaries::Canary,
    fixture::{World, admin, headers},
    outputs::{Output, html, json as escaped, percent},
    support::{Answer, acme, ask},
};

/// Sends every canary to every input.
pub(crate) async fn everything(world: &World, canaries: &[Canary]) -> Vec<Output> {
    let mut out = Vec::new();
    for canary in canaries {
        recorded(world, canary, &mut out).await;
        refused(world, canary, &mut out).await;
        asked(world, canary, &mut out).await;
        in_process(world, canary, &mut out).await;
        redacted(world, canary, &mut out).await;
    }
    world.engine.recorder().flush().await;
    assert_eq!(world.engine.recorder().counts().recorded, canaries.len() as u64);
    batched(world, canaries, &mut out).await;
    out
}

fn answered(out: &mut Vec<Output>, way: &str, answer: &Answer) {
    let head: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    out.push((format!("answer: {way}"), [head.as_bytes(), answer.body.as_slice()].concat()));
}

/// Returns an event with the canary in every text field.
pub(crate) fn event(canary: &Canary) -> Value {
    let text = &canary.text;
    let mut input = Map::new();
    input.insert("text".into(), json!(text));
    input.insert(text.clone(), json!(1));
    input.insert("deep".into(), json!([[{ "list": [text, text] }, { text.as_str(): { text.as_str(): text } }]]));
    input.insert("json in a text".into(), json!(json!({ "inside": [text] }).to_string()));
    input.insert(
        "json in json in a text".into(),
        json!(json!({ "inside": json!({ "twice": text }).to_string() }).to_string()),
    );
    input.insert("url".into(), json!(format!("https://example.org/?q={}", percent(text))));
    input.insert("html".into(), json!(format!("<p>{}</p>", html(text))));
    input.insert("lines".into(), json!(format!("before\n{text}\nafter")));
    if let Ok(number) = canary.value.replace(' ', "").parse::<u64>() {
        let cue = canary.text.split(&canary.value).next().unwrap().trim();
        input.insert("numbers".into(), json!({ cue: number }));
    }
    json!({
        "surface": text, "agent_id": text, "input": input, "output": { "text": text }, "metadata": { text.as_str(): text },
        "utm_source": text, "utm_campaign": { text.as_str(): [text] }, "seo_title": text, format!("utm_{text}"): text,
        "analytics_event_type": text, "analytics_platform": text, "asset_alt_text": text, "episode_id": text,
        "trace_id": text, "request_id": text, "idempotency_key": text,
        "unknown": text, text.as_str(): text,
    })
}

async fn recorded(world: &World, canary: &Canary, out: &mut Vec<Output>) {
    let answer = acme(world.server.address, &admin(), "POST", "/events", Some(&event(canary))).await;
    assert_eq!(answer.status, 201, "{}: {}", canary.text, String::from_utf8_lossy(&answer.body));
    answered(out, "events", &answer);
    // The same key for other content.
    let other =
        json!({ "surface": "other", "agent_id": "a", "input": {}, "output": {}, "idempotency_key": canary.text });
    let answer = acme(world.server.address, &admin(), "POST", "/events", Some(&other)).await;
    assert_eq!(answer.code(), "IDEMPOTENCY_MISMATCH");
    answered(out, "refusal", &answer);
}

/// Sends bodies that are invalid at the position of the canary.
async fn refused(world: &World, canary: &Canary, out: &mut Vec<Output>) {
    let (text, quoted) = (&canary.text, escaped(&canary.text));
    let good = |more: &str| format!("{{\"surface\":\"s\",\"agent_id\":\"a\",\"output\":{{}},{more}}}");
    let bodies = [
        text.clone(),
        format!("{{\"{quoted}\": "),
        format!("[\"{quoted}\"]"),
        format!("\"{quoted}\""),
        good(&format!("\"input\":\"{quoted}\"")),
        good(&format!("\"input\":{{\"{quoted}\":1,\"{quoted}\":2}}")),
        good(&format!("\"input\":{{\"{quoted}\":1e999}}")),
        good(&format!("\"input\":{{\"{quoted}\":\"\\ud800\"}}")),
        good(&format!("\"input\":{{\"{quoted}\":tru}}")),
        good(&format!("\"input\":{{}},\"actor_type\":\"{quoted}\"")),
        good(&format!("\"input\":{{}},\"surface\":\"{quoted}\"")),
        good(&format!("\"input\":{{}},\"tenant_id\":\"{quoted}\"")),
        good(&format!("\"input\":{{}},\"env\":\"{quoted}\"")),
        format!("{{\"surface\":{{\"{quoted}\":1}},\"agent_id\":\"a\",\"input\":{{}},\"output\":{{}}}}"),
        format!("{{\"agent_id\":\"{quoted}\",\"input\":{{}},\"output\":{{}}}}"),
        good(&format!("\"input\":{{}},\"idempotency_key\":[\"{quoted}\"]")),
        good(&format!("\"input\":{{}},\"idempotency_key\":\"{}\"", quoted.repeat(200))),
    ];
    let bearer = format!("Bearer {}", admin());
    let mut with_type = headers(&bearer).to_vec();
    with_type.push(("Content-Type", "application/json"));
    for body in bodies {
        let answer = ask(world.server.address, "POST", "/events", &with_type, Some(body.as_bytes())).await;
        assert!(answer.status >= 400, "{body}");
        answered(out, "refusal", &answer);
    }
    let wrong = [
        ("PUT", "/privacy/policy", json!({ "policy": { "entities": { text.as_str(): {} } } })),
        ("PUT", "/privacy/policy", json!({ "policy": { text.as_str(): 1 } })),
        ("PUT", "/privacy/policy", json!({ "policy": { "default": text } })),
        ("POST", "/privacy/train-prefs/user", json!({ "user_id": text, "opt_out": true })),
        ("POST", "/privacy/train-prefs/tenant", json!({ "opt_out": text })),
        ("POST", "/pii/redact", json!({ "text": text, "mode": text })),
        ("POST", "/pii/redact", json!({ "text": { text.as_str(): text } })),
        ("POST", "/chat/threads", json!({ "thread_id": text })),
        ("POST", "/canvas", json!({ "canvas_id": [text] })),
    ];
    for (method, path, body) in wrong {
        let answer = acme(world.server.address, &admin(), method, path, Some(&body)).await;
        assert!(answer.status >= 400, "{path} {body}");
        answered(out, "refusal", &answer);
    }
}

/// Sends the canary in URLs and headers.
async fn asked(world: &World, canary: &Canary, out: &mut Vec<Output>) {
    let encoded = percent(&canary.text);
    let bearer = format!("Bearer {}", admin());
    let paths = [
        format!("/events?surface={encoded}&agent_id={encoded}&trace_id={encoded}&type={encoded}"),
        format!("/events?after={encoded}"),
        format!("/events?limit={encoded}"),
        format!("/events?from={encoded}"),
        format!("/events?{encoded}=1&surface=a&surface={encoded}"),
        format!("/events/{encoded}"),
        format!("/{encoded}"),
        format!("/chat/threads/{encoded}"),
        format!("/sse/chat/{encoded}?cursor={encoded}"),
        format!("/sse/chat/mine?ticket={encoded}"),
        format!("/events?tenant_id={encoded}&env={encoded}"),
    ];
    for path in paths {
        let answer = ask(world.server.address, "GET", &path, &headers(&bearer), None).await;
        answered(out, "refusal", &answer);
    }
    // A header can contain visible ASCII only.
    if canary.text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        let text = canary.text.as_str();
        let token = format!("Bearer {}", canary.value);
        for name in [
            "X-Tenant-Id",
            "X-Env",
            "X-User-Id",
            "X-Membership-Role",
            "X-Request-Id",
            "traceparent",
            "Last-Event-ID",
            "Authorization",
        ] {
            let mut with = headers(&bearer).to_vec();
            with.retain(|(known, _)| *known != name);
            with.push((name, if name == "Authorization" { &token } else { text }));
            let answer = ask(world.server.address, "GET", "/events", &with, None).await;
            // The content of successful responses is checked once, with the rest of the log.
            if answer.status >= 400 {
                answered(out, "refusal", &answer);
            }
        }
    }
}

async fn in_process(world: &World, canary: &Canary, out: &mut Vec<Output>) {
    let context: RequestContext = world.context();
    let events = world.engine.events();
    let mut body = event(canary);
    body["idempotency_key"] = Value::Null;
    let raw: DatasetEvent = serde_json::from_value(body.clone()).unwrap();
    out.push(("library: debug".into(), format!("{raw:?}").into_bytes()));
    events.record(&context, raw.clone()).await.unwrap();
    assert!(world.engine.recorder().record(&context, raw.clone()));
    let mut wrong = [raw.clone(), raw];
    wrong[0].actor_type = Some(canary.text.clone());
    wrong[1].idempotency_key = Some(canary.text.repeat(300));
    for event in wrong {
        let error = events.record(&context, event).await.unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        out.push((
            "library: errors".into(),
            format!("{error} {error:?} {source:?} {:?}", error.members()).into_bytes(),
        ));
    }
}

async fn redacted(world: &World, canary: &Canary, out: &mut Vec<Output>) {
    let text = &canary.text;
    for mode in ["mask", "pseudonym", "report"] {
        for body in [json!({ "text": text, "mode": mode }), json!({ "json": { text.as_str(): [text] }, "mode": mode })]
        {
            let answer = acme(world.server.address, &admin(), "POST", "/pii/redact", Some(&body)).await;
            assert_eq!(answer.status, 200);
            answered(out, "redact", &answer);
        }
    }
    let request: RedactRequest = serde_json::from_value(json!({ "text": text })).unwrap();
    out.push(("library: debug".into(), format!("{request:?}").into_bytes()));
    let redacted = world.engine.privacy().redact(&world.context(), request).await.unwrap();
    out.push(("library: debug".into(), format!("{redacted:?}").into_bytes()));
}

/// Sends all canaries in one body, with invalid lines among them.
async fn batched(world: &World, canaries: &[Canary], out: &mut Vec<Output>) {
    let bearer = format!("Bearer {}", admin());
    let mut with_type = headers(&bearer).to_vec();
    with_type.push(("Content-Type", "application/x-ndjson"));
    let mut lines = String::new();
    for canary in canaries {
        let mut good = event(canary);
        good["idempotency_key"] = json!(format!("batch {}", canary.text));
        let quoted = escaped(&canary.text);
        lines +=
            &format!("{good}\n{{\"surface\":\"{quoted}\"}}\n{{\"{quoted}\":\n{{\"surface\":{{\"{quoted}\":1}}}}\n");
    }
    let answer = ask(world.server.address, "POST", "/events/batch", &with_type, Some(lines.as_bytes())).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answered(out, "batch", &answer);
}
