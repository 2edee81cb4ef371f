//! What was removed is gone from the files, and the others' data and the file's size are as if it had never been there.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use engines_core::{
    DatasetEvent, Env, IdGenerator, RequestContext, Role, Scope, Store, Timestamp,
    audit::{AuditEntry, AuditFilter, Outcome},
    event::{CleanEvent, EventFilter, EventStamp, clean},
    nexus::{Batch, EventFeed, Expect, ExpectedHead, Kind, NewDocument, Once, Page, Query, Removal},
    pii::Scrubber,
    stream::{NewEvent, Seq},
    testing,
};
use engines_storage::{SqliteOptions, SqliteStore};
use rusqlite::Connection;
use serde_json::{Map, Value, value::RawValue};

use crate::kit::canvas;

/// Letters that no test data but the removed tenant's has. Too short and plain for any rule of the PII engine.
const CANARY: &str = "qzxjvw";
const NOTE: Kind = Kind::known("note");

/// How much is written; larger with `ENGINES_PURGE_TENANTS` and `ENGINES_PURGE_EVENTS`.
struct Size {
    tenants: usize,
    events: usize,
}

impl Size {
    fn wanted() -> Self {
        let number = |name: &str, usual| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
        Self { tenants: number("ENGINES_PURGE_TENANTS", 10), events: number("ENGINES_PURGE_EVENTS", 2000) }
    }
}

/// Numbers that look like chance and are the same every time.
struct Chance(AtomicU64);

impl Chance {
    fn below(&self, end: u64) -> u64 {
        let next = |state: u64| state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (next(self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| Some(next(state))).unwrap()) >> 33)
            % end
    }
}

/// A tenant and what its data is marked with.
struct Tenant {
    scope: Scope,
    context: RequestContext,
    mark: &'static str,
    ids: IdGenerator,
}

impl Tenant {
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
        clean(&Scrubber::default(), event, stamp, &self.context).unwrap()
    }

    /// A batch with something of everything.
    fn batch(&self, n: usize, chance: &Chance) -> Batch {
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
        let once = |realm: String| Once {
            realm,
            key: format!("{mark}-key-{random}"),
            fingerprint: [7; 32],
            note: format!("{mark}-note"),
        };
        let audit =
            AuditEntry::new(self.ids.ulid(at), at, &self.context, "canvas.command", key.as_str(), Outcome::Done);
        Batch::new(at)
            .put(document, Expect::Any)
            .append(key.clone(), ExpectedHead::Any, vec![event])
            .record_once(self.dataset(n, at, long(30)), once(format!("events/{mark}")))
            .audit(audit)
            .once(once(format!("{key}/ada")))
    }
}

/// Writes `events` batches for each tenant, one after the other or mixed by chance. The number of one is the same with and without the others.
async fn fill(store: &SqliteStore, tenants: &[Tenant], events: usize) {
    for n in 0..events {
        let mut waiting = Vec::new();
        for (place, tenant) in tenants.iter().enumerate() {
            let chance = Chance(AtomicU64::new((n * 1000 + place) as u64 * 31 + 17));
            waiting.push(store.commit(&tenant.scope, tenant.batch(n, &chance)));
        }
        for answer in futures_util::future::join_all(waiting).await {
            answer.unwrap();
        }
    }
}

/// Everything a reader sees of a tenant, as text.
async fn seen(store: &SqliteStore, tenant: &Tenant) -> Vec<String> {
    let mut all = Vec::new();
    let query = Query::kind(NOTE);
    let mut page = Page::first(500);
    loop {
        let found = store.query(&tenant.scope, &query, page).await.unwrap();
        all.extend(found.items.iter().map(|document| format!("{document:?}")));
        let Some(next) = found.next else { break };
        page = Page::after(500, next);
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
    let mut page = Page::first(500);
    loop {
        let found = store.events(&tenant.scope, &EventFilter::default(), page).await.unwrap();
        all.extend(found.items.iter().map(|event| format!("{event:?}")));
        let Some(next) = found.next else { break };
        page = Page::after(500, next);
    }
    let mut page = Page::first(500);
    loop {
        let found = store.audit(&tenant.scope, &AuditFilter::default(), page).await.unwrap();
        all.extend(found.items.iter().map(|entry| format!("{entry:?}")));
        let Some(next) = found.next else { break };
        page = Page::after(500, next);
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

/// Asks until all is done; the bound is far above what it takes.
async fn reclaim(store: &SqliteStore) {
    for _ in 0..20_000 {
        if store.reclaim().await.unwrap() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("removed content could not be made unreadable");
}

/// How often the canary is in the store's files.
fn canaries(path: &Path) -> usize {
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
    let files = [path.to_owned(), beside("-wal"), beside("-shm")];
    let count = |file: &PathBuf| {
        let bytes = std::fs::read(file).unwrap_or_default();
        bytes.windows(CANARY.len()).filter(|window| *window == CANARY.as_bytes()).count()
    };
    files.iter().map(count).sum()
}

fn sound(path: &Path) {
    let connection = Connection::open(path).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_tenant_leaves_nothing_in_any_file_and_its_space_is_given_back() {
    let size = Size::wanted();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engines.db");
    let gone = size.tenants / 2;
    let all: Vec<_> = (0..size.tenants).map(|n| Tenant::new(n, if n == gone { CANARY } else { "plain" })).collect();

    let without = folder.path().join("without.db");
    let store = SqliteStore::open(&without, SqliteOptions::default()).unwrap();
    let others: Vec<_> = (0..size.tenants).filter(|n| *n != gone).map(|n| Tenant::new(n, "plain")).collect();
    fill(&store, &others, size.events).await;
    store.close().await;
    let wanted = std::fs::metadata(&without).unwrap().len();

    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    fill(&store, &all, size.events).await;
    let before = seen(&store, &all[gone + 1]).await;
    assert!(canaries(&path) > 4 * size.events, "the canary is not in the files: the test could not fail");
    let full = std::fs::metadata(&path).unwrap().len();

    assert!(remove_all(&store, &all[gone].scope, &Removal::Scope).await >= 4 * size.events as u64);
    assert_eq!(seen(&store, &all[gone]).await, Vec::<String>::new());
    reclaim(&store).await;
    assert_eq!(canaries(&path), 0);
    let now = std::fs::metadata(&path).unwrap().len();
    assert!(now <= wanted + wanted / 10, "{now} bytes, {wanted} without the tenant, {full} with it");
    println!("{full} bytes with the tenant, {now} after its removal, {wanted} without it");

    assert_eq!(seen(&store, &all[gone + 1]).await, before);
    assert_eq!(store.after(0, 10).await.unwrap().len(), 10);
    // What is written later brings nothing back.
    fill(&store, &others, 5).await;
    store.close().await;
    assert_eq!(canaries(&path), 0);
    sound(&path);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_stream_and_deleted_events_leave_nothing_but_the_streams_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engines.db");
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    let tenant = Tenant::new(1, "plain");
    let key = canvas("c1");
    let text = format!("\"{}\"", format!("{CANARY} ").repeat(200));
    for n in 0..300 {
        let at = Timestamp::from_secs(1_770_000_000 + n);
        let data = RawValue::from_string(text.clone()).unwrap();
        let event = NewEvent::new(tenant.ids.ulid(at), at, "canvas_commit", &tenant.context, data);
        let once = Once {
            realm: format!("{key}/ada"),
            key: format!("{CANARY}{n}"),
            fingerprint: [1; 32],
            note: CANARY.to_owned(),
        };
        let batch = Batch::new(at)
            .append(key.clone(), ExpectedHead::Any, vec![event])
            .record(tenant.dataset(0, at, format!("{CANARY} {n}")))
            .once(once);
        store.commit(&tenant.scope, batch).await.unwrap();
    }
    assert!(canaries(&path) > 1000);
    let at = Timestamp::from_secs(1_770_001_000);
    store.commit(&tenant.scope, Batch::new(at).delete_stream(key)).await.unwrap();
    let everything = Removal::Events { filter: EventFilter::default(), delivered: None };
    assert_eq!(remove_all(&store, &tenant.scope, &everything).await, 300);
    reclaim(&store).await;
    assert_eq!(canaries(&path), 0);
    store.close().await;
    sound(&path);
}

/// Rows of many sizes in an order that makes SQLite split, fill and merge pages, so that copies are left in the gaps of pages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_that_sqlite_leaves_in_gaps_of_pages_are_overwritten() {
    for seed in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engines.db");
        let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        let tenants: Vec<_> = (0..6).map(|n| Tenant::new(n, if n == 3 { CANARY } else { "plain" })).collect();
        let chance = Chance(AtomicU64::new(seed * 977 + 5));
        for n in 0..1500 {
            let tenant = &tenants[usize::try_from(chance.below(6)).unwrap()];
            store.commit(&tenant.scope, tenant.batch(n, &chance)).await.unwrap();
        }
        // Some of the neighbours' rows go and come meanwhile.
        let names: BTreeSet<_> = seen(&store, &tenants[1]).await.into_iter().collect();
        loop {
            let step = store.remove(&tenants[3].scope, &Removal::Scope, 40, None).await.unwrap();
            let tenant = &tenants[usize::try_from(chance.below(3)).unwrap()];
            store.commit(&tenant.scope, tenant.batch(7, &chance)).await.unwrap();
            if step.done {
                break;
            }
        }
        reclaim(&store).await;
        assert_eq!(canaries(&path), 0, "seed {seed}");
        let still: BTreeSet<_> = seen(&store, &tenants[1]).await.into_iter().collect();
        assert!(names.is_subset(&still), "a neighbour lost something");
        store.close().await;
        sound(&path);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_an_older_version_gives_space_back_once_it_was_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engines.db");
    let tenants: Vec<_> = (0..2).map(|n| Tenant::new(n, "plain")).collect();
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
            store.events(&tenants[1].scope, &EventFilter::default(), Page::first(500)).await.unwrap().items.len(),
            300
        );
        store.close().await;
        sizes.push(std::fs::metadata(&path).unwrap().len());
        sound(&path);
    }
    assert!(sizes[1] < sizes[0] * 3 / 4, "{sizes:?}");
}
