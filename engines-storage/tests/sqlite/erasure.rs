//! Removed content is gone from the files. Other tenants' data, and the size of the file, are as if the removed data
//! had never been there.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use engines_core::{
    DatasetEvent, Env, IdGenerator, RequestContext, Role, Scope, Store, Timestamp,
    audit::{AuditEntry, AuditFilter, AuditOutcome},
    event::{CleanEvent, EventFilter, EventStamp, scrub_event},
    nexus::{
        Batch, DocumentKind, DocumentQuery, EventFeed, Expect, ExpectedHead, Idempotency, NewDocument, PageRequest,
        Removal,
    },
    pii::Scrubber,
    stream::{NewEvent, Seq},
    testing,
};
use engines_storage::{SqliteOptions, SqliteStore};
use rusqlite::Connection;
use serde_json::{Map, Value, value::RawValue};

use crate::fixture::canvas;

/// A word that only the removed tenant's data contains. It is too short and plain for any rule of the PII engine.
const CANARY: &str = "qzxjvw";
const NOTE: DocumentKind = DocumentKind::from_static("note");

/// The amount of data; `ENGINES_PURGE_TENANTS` and `ENGINES_PURGE_EVENTS` increase it.
struct DataSize {
    tenants: usize,
    events: usize,
}

impl DataSize {
    fn from_env() -> Self {
        let number = |name: &str, usual| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
        Self { tenants: number("ENGINES_PURGE_TENANTS", 10), events: number("ENGINES_PURGE_EVENTS", 2000) }
    }
}

/// Pseudo-random numbers that are the same in every run.
struct PseudoRandom(AtomicU64);

impl PseudoRandom {
    fn below(&self, end: u64) -> u64 {
        let next = |state: u64| state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (next(self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| Some(next(state))).unwrap()) >> 33)
            % end
    }
}

/// A tenant and the word that marks its data.
struct MarkedTenant {
    scope: Scope,
    context: RequestContext,
    mark: &'static str,
    ids: IdGenerator,
}

impl MarkedTenant {
    fn new(n: usize, mark: &'static str) -> Self {
        let name = format!("t_{n}");
        Self {
            scope: testing::scope(&name, Env::Dev).unwrap(),
            context: testing::context(&name, "ada", Role::Owner).unwrap(),
            mark,
            ids: IdGenerator::seeded(n as u64 + 1),
        }
    }

    fn dataset(&self, n: usize, at: Timestamp, text: String) -> CleanEvent {
        let event = DatasetEvent {
            surface: format!("{}-{}", self.mark, n % 7),
            agent_id: format!("{}-agent", self.mark),
            input: Map::from_iter([("text".to_owned(), Value::from(text))]),
            ..DatasetEvent::default()
        };
        let stamp =
            EventStamp { event_id: self.ids.ulid(at), ts: at, actor: self.context.actor().clone(), train_ok: true };
        scrub_event(&Scrubber::default(), event, stamp, &self.context).unwrap()
    }

    /// Returns a batch with data of every kind.
    fn batch(&self, n: usize, chance: &PseudoRandom) -> Batch {
        let at = Timestamp::from_secs(1_770_000_000 + n as i64);
        let mark = self.mark;
        let long = |most: u64| format!("{mark} ").repeat(1 + usize::try_from(chance.below(most)).unwrap());
        let random = chance.below(1 << 40);
        let body = serde_json::to_string(&long([8, 40, 40, 120, 900][n % 5])).unwrap();
        let document = NewDocument {
            kind: NOTE,
            id: format!("{mark}-{random}").parse().unwrap(),
            tags: vec!["all".to_owned(), format!("of:{mark}-{}", random % 100)],
            body: RawValue::from_string(body.clone()).unwrap(),
        };
        let key = canvas(&format!("{mark}-{}", random % 20));
        let event =
            NewEvent::new(self.ids.ulid(at), at, "canvas_commit", &self.context, RawValue::from_string(body).unwrap());
        let once = |realm: String| Idempotency {
            namespace: realm,
            key: format!("{mark}-key-{random}"),
            fingerprint: [7; 32],
            note: format!("{mark}-note"),
        };
        let audit =
            AuditEntry::new(self.ids.ulid(at), at, &self.context, "canvas.command", key.as_str(), AuditOutcome::Done);
        Batch::new(at)
            .put(document, Expect::Any)
            .append(key.clone(), ExpectedHead::Any, vec![event])
            .record_idempotent(self.dataset(n, at, long(30)), once(format!("events/{mark}")))
            .audit(audit)
            .with_idempotency(once(format!("{key}/ada")))
    }
}

/// Writes `events` batches for each tenant, one tenant after the other or in random order. A tenant's batches are the
/// same with and without the others.
async fn fill(store: &SqliteStore, tenants: &[MarkedTenant], events: usize) {
    for n in 0..events {
        let mut waiting = Vec::new();
        for (place, tenant) in tenants.iter().enumerate() {
            let chance = PseudoRandom(AtomicU64::new((n * 1000 + place) as u64 * 31 + 17));
            waiting.push(store.commit(&tenant.scope, tenant.batch(n, &chance)));
        }
        for answer in futures_util::future::join_all(waiting).await {
            answer.unwrap();
        }
    }
}

/// Returns everything that a reader sees of a tenant, as text.
async fn visible_text(store: &SqliteStore, tenant: &MarkedTenant) -> Vec<String> {
    let mut all = Vec::new();
    let query = DocumentQuery::of_kind(NOTE);
    let mut page = PageRequest::first(500);
    loop {
        let found = store.query(&tenant.scope, &query, page).await.unwrap();
        all.extend(found.items.iter().map(|document| format!("{document:?}")));
        let Some(next) = found.next else { break };
        page = PageRequest::after(500, next);
    }
    for n in 0..20 {
        let (key, mut after) = (canvas(&format!("{}-{n}", tenant.mark)), Seq::ZERO);
        loop {
            let events = store.read(&tenant.scope, &key, after, 500).await.unwrap();
            let Some(last) = events.last() else { break };
            after = last.seq;
            all.extend(events.iter().map(|event| format!("{event:?}")));
        }
    }
    let mut page = PageRequest::first(500);
    loop {
        let found = store.events(&tenant.scope, &EventFilter::default(), page).await.unwrap();
        all.extend(found.items.iter().map(|event| format!("{event:?}")));
        let Some(next) = found.next else { break };
        page = PageRequest::after(500, next);
    }
    let mut page = PageRequest::first(500);
    loop {
        let found = store.audit(&tenant.scope, &AuditFilter::default(), page).await.unwrap();
        all.extend(found.items.iter().map(|entry| format!("{entry:?}")));
        let Some(next) = found.next else { break };
        page = PageRequest::after(500, next);
    }
    all
}

async fn remove_all(store: &SqliteStore, scope: &Scope, removal: &Removal) -> u64 {
    let (mut total, mut after) = (0, None);
    loop {
        let step = store.remove(scope, removal, 500, after.as_deref()).await.unwrap();
        total += step.removed;
        if step.done {
            return total;
        }
        after = step.position;
    }
}

/// Repeats the request until everything is erased. The bound on the attempts is far above what is needed.
async fn reclaim(store: &SqliteStore) {
    for _ in 0..20_000 {
        if store.reclaim().await.unwrap() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("removed content could not be made unreadable");
}

/// Counts the occurrences of the canary in the store's files.
fn count_canaries(path: &Path) -> usize {
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
    let files = [path.to_owned(), beside("-wal"), beside("-shm")];
    let count = |file: &PathBuf| {
        let bytes = std::fs::read(file).unwrap_or_default();
        memchr::memmem::find_iter(&bytes, CANARY).count()
    };
    files.iter().map(count).sum()
}

fn check_integrity(path: &Path) {
    let connection = Connection::open(path).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_tenant_is_erased_from_all_files_and_space_is_reclaimed() {
    let size = DataSize::from_env();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engines.db");
    let gone = size.tenants / 2;
    let all: Vec<_> =
        (0..size.tenants).map(|n| MarkedTenant::new(n, if n == gone { CANARY } else { "plain" })).collect();

    let without = folder.path().join("without.db");
    let store = SqliteStore::open(&without, SqliteOptions::default()).unwrap();
    let others: Vec<_> = (0..size.tenants).filter(|n| *n != gone).map(|n| MarkedTenant::new(n, "plain")).collect();
    fill(&store, &others, size.events).await;
    store.close().await;
    let wanted = std::fs::metadata(&without).unwrap().len();

    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    fill(&store, &all, size.events).await;
    let before = visible_text(&store, &all[gone + 1]).await;
    assert!(count_canaries(&path) > 4 * size.events, "the canary is not in the files: the test could not fail");
    let full = std::fs::metadata(&path).unwrap().len();

    assert!(remove_all(&store, &all[gone].scope, &Removal::Scope).await >= 4 * size.events as u64);
    assert_eq!(visible_text(&store, &all[gone]).await, Vec::<String>::new());
    reclaim(&store).await;
    assert_eq!(count_canaries(&path), 0);
    let now = std::fs::metadata(&path).unwrap().len();
    assert!(now <= wanted + wanted / 10, "{now} bytes, {wanted} without the tenant, {full} with it");
    println!("{full} bytes with the tenant, {now} after its removal, {wanted} without it");

    assert_eq!(visible_text(&store, &all[gone + 1]).await, before);
    assert_eq!(store.after(0, 10).await.unwrap().len(), 10);
    // Later writes do not bring removed content back.
    fill(&store, &others, 5).await;
    store.close().await;
    assert_eq!(count_canaries(&path), 0);
    check_integrity(&path);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_streams_and_events_leave_only_the_stream_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engines.db");
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    let tenant = MarkedTenant::new(1, "plain");
    let key = canvas("c1");
    let text = format!("\"{}\"", format!("{CANARY} ").repeat(200));
    for n in 0..300 {
        let at = Timestamp::from_secs(1_770_000_000 + n);
        let data = RawValue::from_string(text.clone()).unwrap();
        let event = NewEvent::new(tenant.ids.ulid(at), at, "canvas_commit", &tenant.context, data);
        let once = Idempotency {
            namespace: format!("{key}/ada"),
            key: format!("{CANARY}{n}"),
            fingerprint: [1; 32],
            note: CANARY.to_owned(),
        };
        let batch = Batch::new(at)
            .append(key.clone(), ExpectedHead::Any, vec![event])
            .record(tenant.dataset(0, at, format!("{CANARY} {n}")))
            .with_idempotency(once);
        store.commit(&tenant.scope, batch).await.unwrap();
    }
    assert!(count_canaries(&path) > 1000);
    let at = Timestamp::from_secs(1_770_001_000);
    store.commit(&tenant.scope, Batch::new(at).delete_stream(key)).await.unwrap();
    let everything = Removal::Events { filter: EventFilter::default(), delivered: None };
    assert_eq!(remove_all(&store, &tenant.scope, &everything).await, 300);
    reclaim(&store).await;
    assert_eq!(count_canaries(&path), 0);
    store.close().await;
    check_integrity(&path);
}

/// Writes rows of many sizes in an order that makes SQLite split, fill and merge pages, so that copies are left in
/// unallocated parts of pages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_log_is_truncated_in_parts_until_it_is_empty() {
    const PART_BYTES: u64 = 64 << 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engines.db");
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    let tenant = MarkedTenant::new(0, CANARY);
    let put = |n: usize, text: String| {
        let id: engines_core::DocId = format!("d{n}").parse().unwrap();
        let document = NewDocument::new(NOTE, id, &text).unwrap();
        store.commit(&tenant.scope, Batch::new(Timestamp::from_secs(1)).put(document, Expect::Any))
    };
    put(0, "first".into()).await.unwrap();
    {
        // The read transaction of another program keeps the log from restarting.
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM documents").unwrap();
        for n in 1..=170 {
            put(n, format!("{CANARY}{n} ").repeat(120_000)).await.unwrap();
        }
    }
    let length = || std::fs::metadata(folder.path().join("engines.db-wal")).unwrap().len();
    let long = length();
    assert!(long > 2 * PART_BYTES + (8 << 20), "{long}");
    remove_all(&store, &tenant.scope, &Removal::Scope).await;
    let (mut sizes, mut erased) = (vec![length()], false);
    for _ in 0..2_000 {
        erased = store.reclaim().await.unwrap();
        sizes.push(length());
        if erased {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    sizes.dedup();
    assert!(erased && count_canaries(&path) == 0, "{sizes:?}");
    // A part is cut by each commit that restarts the log. Two of them may follow one another between two looks.
    assert!(sizes.windows(2).all(|pair| pair[0].saturating_sub(pair[1]) <= 2 * PART_BYTES), "{sizes:?}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unallocated_page_space_is_overwritten() {
    for seed in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engines.db");
        let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        let tenants: Vec<_> = (0..6).map(|n| MarkedTenant::new(n, if n == 3 { CANARY } else { "plain" })).collect();
        let chance = PseudoRandom(AtomicU64::new(seed * 977 + 5));
        for n in 0..1500 {
            let tenant = &tenants[usize::try_from(chance.below(6)).unwrap()];
            store.commit(&tenant.scope, tenant.batch(n, &chance)).await.unwrap();
        }
        // Meanwhile rows of neighbours are deleted and inserted.
        let names: BTreeSet<_> = visible_text(&store, &tenants[1]).await.into_iter().collect();
        loop {
            let step = store.remove(&tenants[3].scope, &Removal::Scope, 40, None).await.unwrap();
            let tenant = &tenants[usize::try_from(chance.below(3)).unwrap()];
            store.commit(&tenant.scope, tenant.batch(7, &chance)).await.unwrap();
            if step.done {
                break;
            }
        }
        reclaim(&store).await;
        assert_eq!(count_canaries(&path), 0, "seed {seed}");
        let still: BTreeSet<_> = visible_text(&store, &tenants[1]).await.into_iter().collect();
        assert!(names.is_subset(&still), "a neighbour lost something");
        store.close().await;
        check_integrity(&path);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_file_reclaims_space_after_a_rebuild() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engines.db");
    let tenants: Vec<_> = (0..2).map(|n| MarkedTenant::new(n, "plain")).collect();
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    fill(&store, &tenants, 300).await;
    store.close().await;
    drop(store);
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA auto_vacuum = NONE; VACUUM").unwrap();
    drop(connection);
    let mut sizes = Vec::new();
    for rebuild in [false, true] {
        let mut options = SqliteOptions::default();
        options.rebuild = rebuild;
        let store = SqliteStore::open(&path, options).unwrap();
        if !rebuild {
            remove_all(&store, &tenants[0].scope, &Removal::Scope).await;
        }
        reclaim(&store).await;
        assert_eq!(
            store
                .events(&tenants[1].scope, &EventFilter::default(), PageRequest::first(500))
                .await
                .unwrap()
                .items
                .len(),
            300
        );
        store.close().await;
        sizes.push(std::fs::metadata(&path).unwrap().len());
        check_integrity(&path);
    }
    assert!(sizes[1] < sizes[0] * 3 / 4, "{sizes:?}");
}
