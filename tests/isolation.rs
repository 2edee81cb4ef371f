//! Every route, asked by everybody: the expected answers come from the tables of routes and actions, so that a new route is
//! tested because it exists.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../engines-server/tests/support/mod.rs"]
mod support;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use engines::{Role, core::testing::ManualClock};
use engines_server::{
    Route,
    routes::{self, BodyKind, Policy},
};
use serde_json::{Value, json};
use support::{Answer, Server, acme, ask, token, token_at};

const WEBSOCKET: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// A route's path with ids of things that exist in `t_acme/dev`.
fn path(route: &Route, id: &str) -> String {
    route.path.replace("{id}", id).replace("{*stream}", &format!("canvas/{id}"))
}

/// A body that the route accepts.
fn body(route: &Route) -> Option<Value> {
    if route.body == BodyKind::None {
        return None;
    }
    Some(match route.doc.request.unwrap() {
        "NewThread" | "NewCanvas" => json!({}),
        "NewMessage" => json!({ "text": "hello" }),
        // A place of its own for each, so that they can all be rebased.
        "Command" => {
            static PLACE: AtomicU64 = AtomicU64::new(0);
            let path = format!("/k{}", PLACE.fetch_add(1, Ordering::Relaxed));
            json!({ "v": 1, "base_rev": 0, "on_conflict": "rebase", "ops": [{ "op": "add", "path": path, "value": 1 }] })
        }
        "Gesture" => json!({ "kind": "point", "data": { "x": 1 } }),
        "DatasetEvent" => json!({ "surface": "s", "agent_id": "a", "input": {}, "output": {} }),
        other => panic!("say here what a good {other} is"),
    })
}

/// Somebody at the door.
struct Caller {
    name: &'static str,
    token: Option<String>,
    tenant: &'static str,
    /// What the door must answer: a status and a code, or this role.
    expected: Result<Role, (u16, &'static str)>,
}

async fn call(address: SocketAddr, route: &Route, caller: (&Option<String>, &str), id: &str) -> Answer {
    let (token, tenant) = caller;
    let bearer = token.as_ref().map(|token| format!("Bearer {token}"));
    let mut headers = vec![("X-Tenant-Id", tenant), ("X-Env", "dev")];
    headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
    let body = body(route).map(|body| serde_json::to_vec(&body).unwrap());
    headers.extend(body.as_ref().map(|_| ("Content-Type", "application/json")));
    if route.doc.status == 101 {
        headers.extend(WEBSOCKET);
    }
    ask(address, route.method.as_str(), &path(route, id), &headers, body.as_deref()).await
}

/// A server whose `t_acme/dev` has a thread and a canvas, both called `mine`, with something in each.
async fn prepared() -> Server {
    let server = support::start().await;
    let owner = token("root", &[("t_acme", Role::Owner)]);
    let made = [
        ("/chat/threads", json!({ "thread_id": "mine", "title": "acme's own" })),
        ("/canvas", json!({ "canvas_id": "mine" })),
        ("/chat/threads/mine/messages", json!({ "text": "acme's own" })),
        ("/events", json!({ "surface": "acme's own", "agent_id": "a", "input": {}, "output": {} })),
    ];
    for (path, body) in made {
        assert_eq!(acme(server.address, &owner, "POST", path, Some(&body)).await.status, 201, "{path}");
    }
    server
}

#[tokio::test]
async fn every_route_answers_everybody_as_the_tables_say() {
    let server = prepared().await;
    let both = |acme, other| Some(token("ada", &[("t_acme", acme), ("t_other", other)]));
    let past = Arc::new(ManualClock::default());
    let callers = [
        Caller { name: "no token", token: None, tenant: "t_acme", expected: Err((401, "TOKEN_MISSING")) },
        Caller {
            name: "garbage",
            token: Some("garbage".into()),
            tenant: "t_acme",
            expected: Err((401, "TOKEN_INVALID")),
        },
        Caller {
            name: "expired",
            token: Some(token_at(past, "ada", &[("t_acme", Role::Owner)])),
            tenant: "t_acme",
            expected: Err((401, "TOKEN_EXPIRED")),
        },
        Caller {
            name: "another tenant's member",
            token: Some(token("ada", &[("t_other", Role::Owner)])),
            tenant: "t_acme",
            expected: Err((403, "TENANT_FORBIDDEN")),
        },
        // The same user in both tenants: the role in the other one must not count here.
        Caller { name: "viewer", token: both(Role::Viewer, Role::Owner), tenant: "t_acme", expected: Ok(Role::Viewer) },
        Caller {
            name: "member",
            token: both(Role::Member, Role::Viewer),
            tenant: "t_acme",
            expected: Ok(Role::Member),
        },
        Caller { name: "admin", token: both(Role::Admin, Role::Viewer), tenant: "t_acme", expected: Ok(Role::Admin) },
    ];
    for route in routes::all() {
        for caller in &callers {
            let answer = call(server.address, route, (&caller.token, caller.tenant), "mine").await;
            let asked = format!("{route:?} by {}: {}", caller.name, String::from_utf8_lossy(&answer.body));
            let expected = match (route.policy(), caller.expected) {
                (Policy::Public, _) => Ok(()),
                (_, Err((401, code))) => Err((401, code)),
                // Nobody here is in t_system.
                (Policy::Operator, _) => Err((403, "ROLE_INSUFFICIENT")),
                (Policy::Action(_), Err(refusal)) => Err(refusal),
                (Policy::Action(action), Ok(role)) if role < action.spec().least => Err((403, "ROLE_INSUFFICIENT")),
                (Policy::Action(_), Ok(_)) => Ok(()),
            };
            match expected {
                Ok(()) => assert_eq!(answer.status, route.doc.status, "{asked}"),
                Err((status, code)) => {
                    assert_eq!(answer.status, status, "{asked}");
                    assert_eq!(answer.code(), code, "{asked}");
                    assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{asked}");
                    assert_eq!(answer.json()["decision_id"].is_string(), status == 403, "{asked}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_another_tenants_cannot_be_told_from_what_does_not_exist() {
    let server = prepared().await;
    // In t_other and in t_acme's other environments, acme's ids mean nothing, also to somebody who is an owner everywhere.
    let ada = Some(token("ada", &[("t_acme", Role::Owner), ("t_other", Role::Owner)]));
    let without_ids = |mut problem: Value| {
        problem["request_id"] = Value::Null;
        problem
    };
    let mut with_ids = 0;
    for route in routes::all().filter(|route| route.path.contains('{')) {
        let theirs = call(server.address, route, (&ada, "t_other"), "mine").await;
        let nobodys = call(server.address, route, (&ada, "t_other"), "nothing").await;
        assert_eq!((theirs.status, theirs.code().as_str()), (404, "NOT_FOUND"), "{route:?}");
        assert_eq!(without_ids(theirs.json()), without_ids(nobodys.json()), "{route:?}");
        with_ids += 1;
    }
    assert!(with_ids > 10, "the table has lost its routes");
    for route in routes::all().filter(|route| route.doc.response.is_some_and(|name| name.ends_with("Page"))) {
        if route.path.contains('{') {
            continue;
        }
        let theirs = call(server.address, route, (&ada, "t_other"), "mine").await;
        assert_eq!(theirs.json()["items"], json!([]), "{route:?}");
        let own = call(server.address, route, (&ada, "t_acme"), "mine").await;
        assert!(!own.json()["items"].as_array().unwrap().is_empty(), "{route:?}");
    }
}

#[tokio::test]
async fn another_environment_is_another_world() {
    let server = prepared().await;
    let bearer = format!("Bearer {}", token("ada", &[("t_acme", Role::Owner)]));
    for (env, status) in [("dev", 200), ("DEV", 200), ("prod", 404), ("staging", 404), ("stage", 404), ("moon", 400)] {
        let headers = [("Authorization", bearer.as_str()), ("X-Tenant-Id", "t_acme"), ("X-Env", env)];
        for path in ["/chat/threads/mine", "/canvas/mine", "/canvas/mine/snapshot", "/presence/canvas/mine"] {
            assert_eq!(ask(server.address, "GET", path, &headers, None).await.status, status, "{path} in {env}");
        }
    }
}

#[tokio::test]
async fn metrics_are_for_admins_of_the_control_plane() {
    let server = support::start().await;
    for (role, status) in [(Role::Member, 403), (Role::Admin, 200), (Role::Owner, 200)] {
        let bearer = format!("Bearer {}", token("ops", &[("t_system", role)]));
        let answer = ask(server.address, "GET", "/metrics", &[("Authorization", &bearer)], None).await;
        assert_eq!(answer.status, status, "{role:?}");
        if status == 200 {
            let text = String::from_utf8(answer.body).unwrap();
            assert!(
                text.contains("engines_http_requests_total{method=\"GET\",route=\"/metrics\",status=\"403\"} 1"),
                "{text}"
            );
            assert!(!text.contains("t_system"), "{text}");
        }
    }
}
