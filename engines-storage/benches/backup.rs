//! A backup of a large data file while 5,000 batches a second are committed.
//!
//! `cargo bench -p engines-storage --bench backup -- FOLDER [GIB [RATE [MIB_PER_S [MODE]]]]` fills a data file
//! and commits at a constant rate before, during and after a backup. It prints the duration of the slowest commit in
//! each phase, how far the log grew, and whether the restored copy contains everything that was acknowledged before.
//! MODE `vacuum` copies with `VACUUM INTO` instead, for comparison.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark stops where something fails, and prints its figures"
)]

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use engines_core::{
    ActorType, Clock, Env, IdGenerator, RequestContext, Scope, Store, StreamKey, SystemClock, TenantId,
    audit::{AuditEntry, AuditOutcome},
    nexus::{Batch, CopyLimits, ExpectedHead, Idempotency},
    stream::NewEvent,
};
use engines_storage::{
    SqliteOptions, SqliteStore,
    backup::{Backups, NewBackup, Restore},
};
use serde_json::value::RawValue;

const STREAMS: u64 = 200;
/// Size of an event's data, while the file is filled and later.
const FILL_BYTES: usize = 2000;
const EVENT_BYTES: usize = 300;

struct BackupLoad {
    store: Arc<SqliteStore>,
    scope: Scope,
    context: RequestContext,
    ids: IdGenerator,
    /// The highest acknowledged sequence of each stream, and the time of its acknowledgement.
    acknowledged: Mutex<HashMap<StreamKey, u64>>,
    slowest_us: AtomicU64,
    /// The slowest commit since the last sample.
    sampled_us: AtomicU64,
    latencies: Mutex<Vec<u32>>,
    stop: AtomicBool,
}

struct Sample {
    at: Duration,
    slowest_us: u64,
    log_bytes: u64,
}

fn key(n: u64) -> StreamKey {
    format!("canvas/c{}", n % STREAMS).parse().unwrap()
}

impl BackupLoad {
    fn event(&self, bytes: usize) -> NewEvent {
        let now = SystemClock.now();
        let data = RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).unwrap();
        NewEvent::new(self.ids.ulid(now), now, "canvas_commit", &self.context, data)
    }

    async fn fill(&self, path: &Path, bytes: u64) {
        let mut n = 0;
        while fs::metadata(path).unwrap().len() < bytes {
            for _ in 0..16 {
                let events = (0..1000).map(|_| self.event(FILL_BYTES)).collect();
                self.store
                    .commit(&self.scope, Batch::new(SystemClock.now()).append(key(n), ExpectedHead::Any, events))
                    .await
                    .unwrap();
                n += 1;
            }
        }
    }

    /// Returns the batch of a canvas commit: an event, an audit record and an idempotency key.
    async fn commit(self: Arc<Self>, n: u64, due: Instant) {
        let now = SystemClock.now();
        let audit =
            AuditEntry::new(self.ids.ulid(now), now, &self.context, "canvas.command", "canvas", AuditOutcome::Done);
        let once = Idempotency {
            namespace: "canvas".into(),
            key: format!("{n}-{}", self.ids.ulid(now)),
            fingerprint: [7; 32],
            note: "applied".into(),
        };
        let batch = Batch::new(now)
            .append(key(n), ExpectedHead::Any, vec![self.event(EVENT_BYTES)])
            .audit(audit)
            .with_idempotency(once);
        let receipt = self.store.commit(&self.scope, batch).await.unwrap();
        let took = u64::try_from(due.elapsed().as_micros()).unwrap();
        self.slowest_us.fetch_max(took, Ordering::Relaxed);
        self.sampled_us.fetch_max(took, Ordering::Relaxed);
        self.latencies.lock().unwrap().push(u32::try_from(took).unwrap_or(u32::MAX));
        let last = receipt.appended[0].last.0;
        let mut acknowledged = self.acknowledged.lock().unwrap();
        let known = acknowledged.entry(key(n)).or_default();
        *known = last.max(*known);
    }

    /// Commits at a constant rate. A commit's duration is measured from the time at which it was due.
    async fn run(self: Arc<Self>, rate: u64) {
        let begin = Instant::now();
        let mut n = 0_u64;
        while !self.stop.load(Ordering::Relaxed) {
            let due = u64::try_from(begin.elapsed().as_micros()).unwrap() * rate / 1_000_000;
            while n < due {
                let at = begin + Duration::from_micros(n * 1_000_000 / rate);
                tokio::spawn(Arc::clone(&self).commit(n, at));
                n += 1;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Takes a sample every 250 ms until the load ends.
    async fn sample(self: Arc<Self>, path: PathBuf) -> Vec<Sample> {
        let (begin, mut samples) = (Instant::now(), Vec::new());
        while !self.stop.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let slowest_us = self.sampled_us.swap(0, Ordering::Relaxed);
            samples.push(Sample { at: begin.elapsed(), slowest_us, log_bytes: wal(&path) });
        }
        samples
    }

    fn phase(&self, name: &str, took: Duration) {
        let mut all = std::mem::take(&mut *self.latencies.lock().unwrap());
        all.sort_unstable();
        let at =
            |part: f64| all.get(((all.len() as f64 - 1.0) * part) as usize).map_or(0.0, |us| f64::from(*us) / 1000.0);
        let slowest = self.slowest_us.swap(0, Ordering::Relaxed) as f64 / 1000.0;
        println!(
            "{name:<8} {:>7.1} s  {:>7.0} commits/s  p50 {:>7.1} ms  p99 {:>7.1} ms  slowest {slowest:>7.1} ms",
            took.as_secs_f64(),
            all.len() as f64 / took.as_secs_f64(),
            at(0.5),
            at(0.99),
        );
    }
}

fn wal(path: &Path) -> u64 {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    fs::metadata(PathBuf::from(name)).map_or(0, |log| log.len())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let Some(folder) = args.first().map(PathBuf::from) else {
        println!("name a folder to run it");
        return;
    };
    let number = |at: usize, default: u64| args.get(at).map_or(default, |text| text.parse().unwrap());
    let (gib, rate, mib_per_s) = (number(1, 2), number(2, 5000), number(3, 64));
    let vacuum = args.get(4).is_some_and(|mode| mode == "vacuum");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("engines.db");
    let ids = IdGenerator::from_os().unwrap();
    let scope = Scope::new(TenantId::new("t_acme").unwrap(), Env::Prod);
    let context = RequestContext::system(scope.clone(), "benchmark", &SystemClock, &ids).unwrap();
    assert_eq!(context.actor().kind, ActorType::System);
    let load = Arc::new(BackupLoad {
        store: Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap()),
        scope,
        context,
        ids: ids.clone(),
        acknowledged: Mutex::default(),
        slowest_us: AtomicU64::new(0),
        sampled_us: AtomicU64::new(0),
        latencies: Mutex::default(),
        stop: AtomicBool::new(false),
    });
    load.fill(&path, gib << 30).await;
    println!("filled to {:.2} GiB", fs::metadata(&path).unwrap().len() as f64 / f64::from(1 << 30));
    let running = tokio::spawn(Arc::clone(&load).run(rate));
    let samples = tokio::spawn(Arc::clone(&load).sample(path.clone()));
    // The first commits wait for the log that filling the file has left.
    tokio::time::sleep(Duration::from_secs(3)).await;
    load.latencies.lock().unwrap().clear();
    load.slowest_us.store(0, Ordering::Relaxed);
    let begin = Instant::now();
    tokio::time::sleep(Duration::from_secs(10)).await;
    load.phase("before", begin.elapsed());

    let before: HashMap<_, _> = load.acknowledged.lock().unwrap().clone();
    let (begin, backups) = (Instant::now(), Backups::folder(folder.join("backups")));
    let made = if vacuum {
        let (source, target) = (path.clone(), folder.join("vacuum.db"));
        tokio::task::spawn_blocking(move || {
            let connection = rusqlite::Connection::open(source).unwrap();
            connection.execute("VACUUM INTO ?1", [target.to_str().unwrap()]).unwrap();
            fs::File::open(target).unwrap().sync_all().unwrap();
        })
        .await
        .unwrap();
        None
    } else {
        let limits = CopyLimits { bytes_per_s: mib_per_s << 20, ..CopyLimits::default() };
        Some(backups.create(NewBackup::new(&*load.store, &SystemClock, &ids).limits(limits)).await.unwrap())
    };
    load.phase("during", begin.elapsed());
    let begin = Instant::now();
    tokio::time::sleep(Duration::from_secs(15)).await;
    load.phase("after", begin.elapsed());
    load.stop.store(true, Ordering::Relaxed);
    running.await.unwrap();
    let mut samples = samples.await.unwrap();
    println!("the log had {} MiB at most", samples.iter().map(|sample| sample.log_bytes).max().unwrap() >> 20);
    samples.sort_by_key(|sample| std::cmp::Reverse(sample.slowest_us));
    for Sample { at, slowest_us, log_bytes } in samples.iter().take(8) {
        let (at, slowest) = (at.as_secs_f64(), *slowest_us as f64 / 1000.0);
        println!("slow: {slowest:>7.1} ms at {at:>5.1} s, the log had {} MiB", log_bytes >> 20);
    }
    if let Some(made) = made {
        println!("the backup has {:.2} GiB", made.total_bytes() as f64 / f64::from(1 << 30));
        let restored = folder.join("restored");
        let begin = Instant::now();
        backups.restore(Restore::new(made.id, &restored, &ids)).await.unwrap();
        println!("restored and checked in {:.1} s", begin.elapsed().as_secs_f64());
        let copy = SqliteStore::open(restored.join("engines.db"), SqliteOptions::default()).unwrap();
        for (key, last) in &before {
            let head = copy.head(&load.scope, key).await.unwrap().seq.0;
            assert!(head >= *last, "{key}: {last} were acknowledged before, {head} are in the copy");
        }
        println!("every one of {} streams has what was acknowledged before", before.len());
    }
    load.store.close().await;
}
