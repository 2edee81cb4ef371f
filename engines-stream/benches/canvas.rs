//! Durable commands per second: one at a time, hundreds in flight on one canvas, and across a hundred canvases.
//!
//! `cargo bench -p engines-stream --bench canvas [-- seconds words…]`. Each command writes its idempotency key, an
//! audit record and its event in one batch. Words select the cases whose label contains all of them.

#![expect(clippy::print_stdout, reason = "it prints its figures")]
#![expect(clippy::expect_used, reason = "a bench may panic")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use engines_core::{Guard, IdGenerator, Limits, RequestContext, ResourceId, Role, Store, testing};
use engines_storage::{MemoryStore, SqliteOptions, SqliteStore};
use engines_stream::{
    canvas::{CanvasCommand, CanvasService, NewCanvas},
    chat::{ChatService, NewMessage, NewThread},
};
use futures_util::{StreamExt, stream};
use serde_json::json;

struct BenchFixture {
    canvases: CanvasService,
    chat: ChatService,
    ada: RequestContext,
}

impl BenchFixture {
    fn new(store: Arc<dyn Store>) -> Self {
        let guard = Guard::allow_all().expect("randomness");
        let limits = Arc::new(Limits::default());
        Self {
            canvases: CanvasService::new(Arc::clone(&store), guard.clone(), Arc::clone(&limits)),
            chat: ChatService::new(store, guard, limits),
            ada: testing::context("t_bench", "ada", Role::Member).expect("a context"),
        }
    }

    async fn canvas(&self) -> ResourceId {
        self.canvases.create(&self.ada, NewCanvas::default()).await.expect("a canvas").canvas_id
    }

    /// Sends commands to one canvas, `window` of them in flight, until the time is over; returns their number.
    async fn send_commands(&self, id: ResourceId, window: usize, until: Instant) -> u64 {
        let running = stream::iter(0_u64..).take_while(|_| std::future::ready(Instant::now() < until));
        running
            .map(|rev| {
                let ops = json!([{"op": "set_token", "path": "/node", "value": {"text": "hello there", "n": rev}}]);
                let command = CanvasCommand::new(rev, &ops).expect("a command").with_idempotency_key(rev.to_string());
                self.canvases.command(&self.ada, &id, command)
            })
            .buffered(window)
            .fold(0, |count, answer| std::future::ready(count + u64::from(answer.is_ok())))
            .await
    }

    async fn post_messages(&self, id: ResourceId, window: usize, until: Instant) -> u64 {
        let running = stream::iter(0_u64..).take_while(|_| std::future::ready(Instant::now() < until));
        running
            .map(|_| self.chat.post(&self.ada, &id, NewMessage::text("hello there, how are you?")))
            .buffered(window)
            .fold(0, |count, answer| std::future::ready(count + u64::from(answer.is_ok())))
            .await
    }
}

/// The same settings as in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The measured cases.
#[derive(Clone, Copy)]
enum BenchCase {
    Canvas { canvases: usize, in_flight: usize },
    Thread { in_flight: usize },
}

const CASES: [BenchCase; 8] = [
    BenchCase::Canvas { canvases: 1, in_flight: 1 },
    BenchCase::Canvas { canvases: 1, in_flight: 64 },
    BenchCase::Canvas { canvases: 1, in_flight: 512 },
    BenchCase::Canvas { canvases: 1, in_flight: 1024 },
    BenchCase::Canvas { canvases: 100, in_flight: 1 },
    BenchCase::Canvas { canvases: 100, in_flight: 16 },
    BenchCase::Canvas { canvases: 100, in_flight: 64 },
    BenchCase::Thread { in_flight: 512 },
];

async fn measure(bench: Arc<BenchFixture>, case: BenchCase, time: Duration) -> f64 {
    let mut targets = Vec::new();
    match case {
        BenchCase::Canvas { canvases, .. } => {
            for _ in 0..canvases {
                targets.push(bench.canvas().await);
            }
        }
        BenchCase::Thread { .. } => {
            targets.push(bench.chat.create_thread(&bench.ada, NewThread::default()).await.expect("a thread").thread_id);
        }
    }
    let began = Instant::now();
    let until = began + time;
    let mut drivers = Vec::new();
    for id in targets {
        let bench = Arc::clone(&bench);
        drivers.push(tokio::spawn(async move {
            match case {
                BenchCase::Canvas { in_flight, .. } => bench.send_commands(id, in_flight, until).await,
                BenchCase::Thread { in_flight } => bench.post_messages(id, in_flight, until).await,
            }
        }));
    }
    let mut count = 0;
    for driver in drivers {
        count += driver.await.expect("a driver");
    }
    count as f64 / began.elapsed().as_secs_f64()
}

async fn run(name: &str, store: Arc<dyn Store>, time: Duration, only: &[String]) {
    let bench = Arc::new(BenchFixture::new(store));
    for case in CASES {
        let label = match case {
            BenchCase::Canvas { canvases, in_flight } => {
                format!("{name}: commands on {canvases} canvas(es), {in_flight} in flight each")
            }
            BenchCase::Thread { in_flight } => format!("{name}: messages on 1 thread, {in_flight} in flight"),
        };
        if only.iter().all(|word| label.contains(word.as_str())) {
            println!("{label:60} {:9.0}/s", measure(Arc::clone(&bench), case, time).await);
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let seconds = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(2.0);
    let only: Vec<String> = args.into_iter().filter(|arg| arg.parse::<f64>().is_err()).collect();
    let time = Duration::from_secs_f64(seconds);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let ids = IdGenerator::from_os().expect("randomness");
        run("memory", Arc::new(MemoryStore::new(&ids)), time, &only).await;
        let folder = tempfile::tempdir().expect("a folder");
        let sqlite = SqliteStore::open(folder.path().join("bench.db"), SqliteOptions::default()).expect("a store");
        let sqlite = Arc::new(sqlite);
        run("sqlite", Arc::clone(&sqlite) as Arc<dyn Store>, time, &only).await;
        sqlite.close().await;
    });
}
