//! A server with all outputs that could leak data: a durable store, sinks, logs at their lowest level.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, OnceLock},
};

use async_trait::async_trait;
use engines::{
    Code, Engine, Error, RequestContext, Role, Scope,
    auth::RootKey,
    core::{
        event::CleanEvent,
        nexus::{EventSink, PageRequest, SinkError},
        pii::Policy,
        testing,
    },
};
use engines_server::App;
use tempfile::TempDir;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

use crate::{
    canaries,
    outputs::Output,
    support::{self, Connection, Server, acme, ask, request, token},
};

/// All log lines, unchanged.
static LOGS: OnceLock<Arc<Mutex<String>>> = OnceLock::new();

struct Exporter(Arc<Mutex<String>>);

struct Lines<'l>(&'l Mutex<String>);

impl Visit for Lines<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write as _;
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl<S: Subscriber> Layer<S> for Exporter {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        attributes.record(&mut Lines(&self.0));
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(&mut Lines(&self.0));
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Lines(&self.0));
    }
}

/// Starts to keep all log lines of this process, at every level.
pub(crate) fn listen_to_logs() {
    LOGS.get_or_init(|| {
        let lines = Arc::new(Mutex::new(String::new()));
        let subscriber = tracing_subscriber::registry().with(Exporter(lines.clone()));
        tracing::subscriber::set_global_default(subscriber).unwrap();
        lines
    });
}

pub(crate) fn logs() -> String {
    LOGS.get().unwrap().lock().unwrap().clone()
}

/// Keeps the events that it gets, and accepts or refuses them.
#[derive(Debug, Clone)]
struct Sink {
    name: &'static str,
    takes: bool,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Sink {
    fn new(name: &'static str, takes: bool) -> Self {
        Self { name, takes, seen: Arc::default() }
    }
}

#[async_trait]
impl EventSink for Sink {
    fn name(&self) -> &str {
        self.name
    }

    async fn write(&self, _: &Scope, batch: &[CleanEvent]) -> Result<(), SinkError> {
        let mut seen = Vec::new();
        for event in batch {
            seen.extend(format!("{event:?}\n").into_bytes());
            seen.extend(serde_json::to_vec(&event.clone().into_stored(engines::core::stream::Seq(1))).unwrap());
        }
        self.seen.lock().unwrap().extend(seen);
        if self.takes {
            return Ok(());
        }
        // It rejects every event for good: each is counted and skipped.
        let source = Error::new(Code::BackendUnavailable, "sink.write", "it takes nothing");
        Err(SinkError::Rejected { indexes: (0..batch.len()).collect(), source })
    }
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) engine: Engine,
    folder: TempDir,
    sinks: [Sink; 2],
    follower: tokio::sync::Mutex<Connection>,
}

impl World {
    pub(crate) async fn open(policy: Policy) -> Self {
        listen_to_logs();
        let folder = tempfile::tempdir().unwrap();
        let sinks = [Sink::new("takes", true), Sink::new("refuses", false)];
        let engine = Engine::builder()
            .sqlite(folder.path().join("engines.db"))
            .signing_secret(support::secret())
            .root_key(RootKey::new("a root key for tests alone, of 32 bytes").unwrap())
            .identity(support::identity())
            .scrubber(canaries::scrubber(policy))
            .sink(sinks[0].clone())
            .sink(sinks[1].clone())
            .build()
            .await
            .unwrap();
        let server = support::serve(App::new(engine.clone()).unwrap()).await;
        let thread = serde_json::json!({ "thread_id": "mine" });
        assert_eq!(acme(server.address, &admin(), "POST", "/chat/threads", Some(&thread)).await.status, 201);
        let mut follower = Connection::open(server.address).await;
        let bearer = format!("Bearer {}", admin());
        follower.write(&request("GET", "/sse/chat/mine", &headers(&bearer), None)).await;
        follower.until("retry: 1500").await;
        Self { server, engine, folder, sinks, follower: tokio::sync::Mutex::new(follower) }
    }

    /// Returns a context like the one that admission returns.
    pub(crate) fn context(&self) -> RequestContext {
        testing::context("t_acme", "ada", Role::Admin).unwrap()
    }

    /// Returns all outputs that show stored data, while the server runs and after it has stopped.
    pub(crate) async fn ways_out(self) -> Vec<Output> {
        let mut out = Vec::new();
        let address = self.server.address;
        let mut after = String::new();
        loop {
            let page = acme(address, &admin(), "GET", &format!("/events?limit=500{after}"), None).await;
            assert_eq!(page.status, 200);
            let next = page.json()["next"].as_str().map(|next| format!("&after={next}"));
            out.push(("answer: list".into(), page.body));
            match next {
                Some(next) => after = next,
                None => break,
            }
        }
        let bearer = format!("Bearer {}", admin());
        let mut export = Connection::open(address).await;
        let mut closing = headers(&bearer).to_vec();
        closing.push(("Connection", "close"));
        export.write(&request("GET", "/events/export?format=jsonl", &closing, None)).await;
        out.push(("answer: export".into(), export.rest().await));
        let operator = format!("Bearer {}", token("ops", &[("t_system", Role::Admin)]));
        let metrics = ask(address, "GET", "/metrics", &[("Authorization", &operator)], None).await;
        assert_eq!(metrics.status, 200);
        out.push(("answer: metrics".into(), metrics.body));

        let said = serde_json::json!({ "text": "the last word" });
        assert_eq!(acme(address, &admin(), "POST", "/chat/threads/mine/messages", Some(&said)).await.status, 201);
        out.push(("stream: sse".into(), self.follower.lock().await.until("the last word").await.into_bytes()));

        let mut page = PageRequest::first(500);
        loop {
            let audit = self.engine.store().audit(self.context().scope(), &Default::default(), page).await.unwrap();
            assert!(!audit.items.is_empty());
            out.push((
                "audit records".into(),
                format!("{:?} {}", audit.items, serde_json::to_string(&audit.items).unwrap()).into_bytes(),
            ));
            match audit.next {
                Some(next) => page = PageRequest::after(500, next),
                None => break,
            }
        }
        // Wait until both sinks have processed all events.
        while self.engine.sinks().iter().any(|sink| sink.waiting_since.is_some() || sink.delivered + sink.rejected == 0)
        {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        out.push(("sink status".into(), format!("{:?}", self.engine.sinks()).into_bytes()));
        let debug = format!("{:?} {:?} {:?}", self.engine, self.server.app, self.engine.privacy().policies());
        out.push(("library: debug".into(), debug.into_bytes()));
        // The files as a crash would leave them: the database and its log.
        out.push(("sqlite files, running".into(), files(self.folder.path())));
        self.engine.shutdown().await;
        out.push(("sqlite files, closed".into(), files(self.folder.path())));
        for (name, sink) in ["sink", "sink that refuses"].into_iter().zip(&self.sinks) {
            out.push((name.into(), sink.seen.lock().unwrap().clone()));
        }
        out.push(("logs and spans".into(), logs().into_bytes()));
        out
    }
}

pub(crate) fn admin() -> String {
    token("root", &[("t_acme", Role::Admin)])
}

pub(crate) fn headers(bearer: &str) -> [(&str, &str); 3] {
    [("Authorization", bearer), ("X-Tenant-Id", "t_acme"), ("X-Env", "dev")]
}

/// Returns the content of all files, which must not be empty.
pub(crate) fn files(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    collect(folder, &mut bytes);
    assert!(!bytes.is_empty());
    bytes
}

fn collect(folder: &Path, bytes: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, bytes);
        } else {
            bytes.extend(std::fs::read(path).unwrap());
        }
    }
}
