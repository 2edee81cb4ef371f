//! The app without a listener, and HTTP/2 with one.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use engines::{
    Code, Engine, Error, RequestContext, Result, Role,
    core::{
        access::RateClass,
        gate::{Decision, Gate, GateRequest},
    },
};
use engines_server::{App, HttpSettings, RequestThrottle, openapi, routes};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use support::token;
use tokio::net::TcpStream;

fn asked(method: &str, path: &str, body: &Value) -> Request<String> {
    let token = token("ada", &[("t_acme", Role::Member)]);
    let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
    let request = request.header("x-tenant-id", "t_acme").header("x-env", "dev");
    request.header("content-type", "application/json").body(body.to_string()).unwrap()
}

async fn read(response: Response<engines_server::Body>) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn an_app_handles_requests_without_a_listener() {
    let app = App::new(support::engine().await).unwrap();
    let (status, thread) = read(app.handle(asked("POST", "/chat/threads", &json!({ "title": "hello" }))).await).await;
    assert_eq!((status, &thread["title"]), (StatusCode::CREATED, &json!("hello")));
    let path = format!("/chat/threads/{}", thread["thread_id"].as_str().unwrap());
    let service: &dyn Fn(Request<String>) -> _ = &|request| hyper::service::Service::call(&app, request);
    assert_eq!(read(service(asked("GET", &path, &Value::Null)).await.unwrap()).await, (StatusCode::OK, thread));
}

#[derive(Debug)]
struct NoWrites;

impl RequestThrottle for NoWrites {
    fn check(&self, _: &RequestContext, class: RateClass) -> Result<()> {
        match class {
            RateClass::Write => {
                Err(Error::new(Code::RateLimited, "test", "slower").with_retry_after(Duration::from_secs(7)))
            }
            _ => Ok(()),
        }
    }
}

#[tokio::test]
async fn the_request_throttle_runs_before_the_handler() {
    let app = App::builder(support::engine().await).throttle(Arc::new(NoWrites)).build().unwrap();
    assert_eq!(app.handle(asked("GET", "/chat/threads", &Value::Null)).await.status(), 200);
    let refused = app.handle(asked("POST", "/chat/threads", &json!({}))).await;
    assert_eq!(refused.headers()["retry-after"], "7");
    assert_eq!(read(refused).await.1["code"], "RATE_LIMITED");
}

/// Refuses, panics or hangs, depending on the id of the thread.
#[derive(Debug)]
struct Odd;

#[async_trait::async_trait]
impl Gate for Odd {
    async fn decide(&self, request: GateRequest<'_>) -> Result<Decision> {
        match request.resource {
            "chat/panics" => panic!("as it was told"),
            "chat/hangs" => std::future::pending().await,
            "chat/denies" => Ok(Decision::Deny { code: Code::KillSwitchBlocked, detail: "paused".into() }),
            _ => Ok(Decision::Allow),
        }
    }
}

#[tokio::test]
async fn a_panicking_handler_returns_a_problem_and_the_server_goes_on() {
    let engine = Engine::builder().memory().signing_secret(support::secret()).gate(Odd).build().await.unwrap();
    let settings = HttpSettings { request_timeout_s: 1, max_in_flight: 1, ..HttpSettings::default() };
    let app = App::builder(engine).settings(settings).build().unwrap();
    let code = async |path: &str| read(app.handle(asked("GET", path, &Value::Null)).await).await;
    let (status, problem) = code("/chat/threads/panics").await;
    assert_eq!((status.as_u16(), &problem["code"]), (500, &json!("INTERNAL")));
    assert!(!problem.to_string().contains("as it was told"), "{problem}");
    let (status, problem) = code("/chat/threads/denies").await;
    assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("KILL_SWITCH_BLOCKED")));
    assert!(problem["decision_id"].is_string());
    // A request that hangs takes the only place until its time is over. Health is reported meanwhile.
    let (hung, (crowded, healthy)) = tokio::join!(code("/chat/threads/hangs"), async {
        tokio::task::yield_now().await;
        (code("/chat/threads/any").await, code("/healthz").await)
    });
    assert_eq!((hung.0.as_u16(), &hung.1["code"]), (503, &json!("BACKEND_UNAVAILABLE")));
    assert_eq!((crowded.0.as_u16(), &crowded.1["limit"]), (503, &json!(1)));
    // After a write, the error says that the outcome is not known.
    let written = app.handle(asked("POST", "/chat/threads/hangs/messages", &json!({ "text": "hello" }))).await;
    assert!(written.headers().contains_key("retry-after"));
    let (status, problem) = read(written).await;
    assert_eq!((status.as_u16(), &problem["code"]), (503, &json!("OUTCOME_UNKNOWN")));
    assert_eq!(healthy.0, 200);
    assert_eq!(code("/chat/threads/any").await.0, 404);
}

#[tokio::test]
async fn readiness_names_each_part_and_why_it_is_not_ready() {
    use engines::storage::{
        MemoryStore, Operation,
        fault_injection::{Fault, Faulty},
    };
    let store = Faulty::new(Arc::new(MemoryStore::new(&engines::IdGenerator::seeded(7))));
    let faults = store.faults().clone();
    let engine = Engine::builder().store(Arc::new(store)).signing_secret(support::secret());
    let app = App::new(engine.build().await.unwrap()).unwrap();
    let ready = async || {
        let request = Request::get("/readyz").body(String::new()).unwrap();
        read(app.handle(request).await).await
    };
    let (status, body) = ready().await;
    assert_eq!((status.as_u16(), &body["status"], &body["failed"]), (200, &json!("ready"), &Value::Null));
    assert_eq!(body["parts"][1], json!({ "name": "store", "ok": true, "required": true }));
    faults.set_for_all(Operation::Ping, Some(Fault::BeforeEffect));
    let (status, body) = ready().await;
    assert_eq!((status.as_u16(), &body["status"], &body["failed"]), (503, &json!("not_ready"), &json!(["store"])));
    let store = &body["parts"][1];
    assert_eq!((&store["ok"], &store["code"]), (&json!(false), &json!("BACKEND_UNAVAILABLE")));
    assert!(!store["reason"].as_str().unwrap().contains("injected"), "the cause is for logs: {store}");
    faults.set_for_all(Operation::Ping, None);
    assert_eq!(ready().await.0, 200);
    app.shutdown().begin();
    let (status, body) = ready().await;
    assert_eq!((status.as_u16(), &body["failed"]), (503, &json!(["server"])));
}

#[tokio::test]
async fn openapi_lists_every_route_with_its_policy() {
    let document = openapi::document(&engines::Limits::default()).unwrap();
    let mut operations = BTreeSet::new();
    for route in routes::all() {
        let path = route.path.replace("{*", "{");
        let operation = &document["paths"][&path][route.method.as_str().to_ascii_lowercase()];
        assert!(operation["x-engines-policy"]["kind"].is_string(), "{route:?}");
        assert!(operations.insert(operation["operationId"].to_string()), "{route:?}");
        let success = &operation["responses"][route.doc.status.to_string()];
        assert!(success["description"].is_string(), "{route:?}");
    }
    // Every reference in the document can be resolved.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn http2_is_served_on_the_same_port() {
    let server = support::start().await;
    let io = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<bytes::Bytes>>(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let url = |path: &str| format!("http://{}{path}", server.address);
    let asked = (0..20).map(|_| client.send_request(Request::get(url("/healthz")).body(Full::default()).unwrap()));
    for answer in futures_util::future::join_all(asked.collect::<Vec<_>>()).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    let bearer = format!("Bearer {}", token("ada", &[("t_acme", Role::Member)]));
    let post = Request::post(url("/canvas")).header("authorization", bearer).header("x-env", "dev");
    let post = post
        .header("x-tenant-id", "t_acme")
        .header("content-type", "application/json")
        .body(Full::from(r#"{"canvas_id":"c"}"#))
        .unwrap();
    let answer = client.send_request(post).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (201, http::Version::HTTP_2));
}
