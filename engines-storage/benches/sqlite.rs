//! Durable appends: a batch is one event of about 300 bytes, with its expected head, and one audit record.
//!
//! `cargo bench -p engines-storage --bench sqlite [-- SECONDS [FOLDER]]` prints batches per second for each number of
//! concurrent batches. The folder must be on a real disk: `fsync` dominates the figures.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use engines_core::{
    Env, IdGenerator, RequestContext, Role, Scope, Store, StreamKey, Timestamp,
    audit::{AuditEntry, AuditOutcome},
    nexus::{Batch, ExpectedHead},
    stream::{NewEvent, Seq},
    testing,
};
use engines_storage::{SqliteOptions, SqliteStore};
use futures_util::{StreamExt, stream::FuturesOrdered};
use serde_json::value::RawValue;

type BenchError = Box<dyn std::error::Error + Send + Sync>;

struct BatchMaker {
    scope: Scope,
    context: RequestContext,
    ids: IdGenerator,
    data: Box<RawValue>,
}

impl BatchMaker {
    fn batch(&self, key: &StreamKey, head: u64) -> Batch {
        let at = Timestamp::from_secs(1_770_000_000);
        let event = NewEvent::new(self.ids.ulid(at), at, "canvas_commit", &self.context, self.data.clone());
        let audit =
            AuditEntry::new(self.ids.ulid(at), at, &self.context, "canvas.command", key.as_str(), AuditOutcome::Done);
        Batch::new(at).append(key.clone(), ExpectedHead::Seq(Seq(head)), vec![event]).audit(audit)
    }
}

/// Keeps `depth` commits to one stream in flight; returns how many succeeded.
async fn pipeline(
    store: Arc<SqliteStore>,
    maker: Arc<BatchMaker>,
    key: StreamKey,
    depth: usize,
    until: Instant,
) -> Result<u64, BenchError> {
    let (mut flight, mut sent, mut done) = (FuturesOrdered::new(), 0, 0);
    while Instant::now() < until {
        while flight.len() < depth {
            flight.push_back(store.commit(&maker.scope, maker.batch(&key, sent)));
            sent += 1;
        }
        if let Some(receipt) = flight.next().await {
            receipt?;
            done += 1;
        }
    }
    while let Some(receipt) = flight.next().await {
        receipt?;
        done += 1;
    }
    Ok(done)
}

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
#[tokio::main]
async fn main() -> Result<(), BenchError> {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let seconds: f64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(3.0);
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent)?;
    let text =
        serde_json::json!({ "ops": [{ "op": "replace", "path": "/title", "value": "x".repeat(230) }], "rev": 1 });
    let maker = Arc::new(BatchMaker {
        scope: testing::scope("t_acme", Env::Dev)?,
        context: testing::context("t_acme", "ada", Role::Member)?,
        ids: IdGenerator::seeded(1),
        data: serde_json::value::to_raw_value(&text)?,
    });
    for (at, (streams, depth)) in [(1, 1), (1, 16), (1, 256), (1, 1024), (100, 1), (100, 8)].into_iter().enumerate() {
        let store = Arc::new(SqliteStore::open(folder.path().join(format!("{at}.db")), SqliteOptions::default())?);
        let (begin, mut tasks) = (Instant::now(), tokio::task::JoinSet::new());
        let until = begin + Duration::from_secs_f64(seconds);
        for stream in 0..streams {
            let key: StreamKey = format!("canvas/c{stream}").parse()?;
            tasks.spawn(pipeline(Arc::clone(&store), Arc::clone(&maker), key, depth, until));
        }
        let mut done = 0;
        while let Some(count) = tasks.join_next().await {
            done += count??;
        }
        let rate = done as f64 / begin.elapsed().as_secs_f64();
        println!("{streams:>4} streams, {depth:>5} in flight on each: {rate:>9.0} batches/s");
        store.close().await;
    }
    Ok(())
}
