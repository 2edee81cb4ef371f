//! Removed and replaced files, damage that is found while the store runs, and disks that do not answer.

use std::{
    fs::OpenOptions,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use engines_core::{
    Code, Error, Store,
    nexus::{Batch, CommitError, DocumentQuery, Expect, PageRequest, StoreChange},
    stream::Seq,
};
use engines_storage::{SqliteOptions, SqliteStore};
use futures_util::StreamExt;

use super::fixture::{NOTE, SqliteFixture, canvas};

/// A time limit for a loaded machine; the awaited events take milliseconds.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);

fn sibling_path(kit: &SqliteFixture, suffix: &str) -> PathBuf {
    kit.folder.path().join(format!("engines.db{suffix}"))
}

fn fast_options() -> SqliteOptions {
    let mut options = SqliteOptions::default();
    options.busy_timeout = Duration::from_millis(20);
    options.probe_every = Duration::ZERO;
    options.recovery_wait = Duration::from_millis(5);
    options
}

/// Commits a batch that must fail and not be stored; returns the error.
async fn commit_refused(store: &SqliteStore, kit: &SqliteFixture, head: u64) -> Error {
    match store.commit(&kit.scope, kit.after(&canvas("c1"), head)).await {
        Err(CommitError::Backend(error)) => error,
        answer => panic!("{answer:?}"),
    }
}

async fn wait_healthy(store: &SqliteStore) {
    let begun = Instant::now();
    while let Err(error) = store.health().await {
        assert!(begun.elapsed() < TEST_TIMEOUT, "{error:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_while_a_file_is_removed_or_replaced() {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let kit = SqliteFixture::new();
        let store = SqliteStore::open(kit.path(), fast_options()).unwrap();
        store.commit(&kit.scope, kit.after(&canvas("c1"), 0)).await.unwrap();
        store.health().await.unwrap();
        let (path, away) = (sibling_path(&kit, suffix), kit.folder.path().join("away"));
        std::fs::rename(&path, &away).unwrap();
        let error = commit_refused(&store, &kit, 1).await;
        assert_eq!(error.code(), Code::BackendUnavailable);
        assert!(error.detail().contains("removed or replaced"), "{suffix}: {error}");
        assert!(format!("{error:?}").contains("engines.db"), "the log names the file: {error:?}");
        assert!(store.ping().await.is_err() && store.health().await.is_err(), "{suffix}");
        // The effect of `mv copy engines.db`.
        std::fs::copy(&away, &path).unwrap();
        commit_refused(&store, &kit, 1).await;
        assert!(store.health().await.is_err(), "{suffix}");
        // When the original file is back, the store continues.
        std::fs::rename(&away, &path).unwrap();
        store.commit(&kit.scope, kit.after(&canvas("c1"), 1)).await.unwrap();
        store.health().await.unwrap();
        store.close().await;
        drop(store);
        assert_eq!(kit.open().head(&kit.scope, &canvas("c1")).await.unwrap().seq, Seq(2), "{suffix}");
    }
}

#[tokio::test]
async fn closing_keeps_data_whose_log_file_was_removed() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    for head in 0..20 {
        store.commit(&kit.scope, kit.after(&canvas("c1"), head)).await.unwrap();
    }
    std::fs::remove_file(sibling_path(&kit, "-wal")).unwrap();
    commit_refused(&store, &kit, 20).await;
    store.close().await;
    drop(store);
    assert_eq!(kit.open().head(&kit.scope, &canvas("c1")).await.unwrap().seq, Seq(20));
}

#[tokio::test]
async fn closing_removes_the_log_and_its_index() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    store.commit(&kit.scope, kit.after(&canvas("c1"), 0)).await.unwrap();
    store.close().await;
    let left = ["-wal", "-shm"].map(|suffix| sibling_path(&kit, suffix).exists());
    assert_eq!(left, [false, false]);
}

#[tokio::test]
async fn health_fails_after_a_failed_commit_and_probes_with_its_own_write() {
    let kit = SqliteFixture::new();
    let mut options = fast_options();
    options.probe_every = Duration::from_secs(3600);
    let store = SqliteStore::open(kit.path(), options).unwrap();
    store.health().await.unwrap();
    let tool = rusqlite::Connection::open(kit.path()).unwrap();
    tool.execute_batch("BEGIN IMMEDIATE").unwrap();
    commit_refused(&store, &kit, 0).await;
    store.ping().await.unwrap();
    // The store tries a write, which fails too, and then does not try again for an hour.
    for _ in 0..3 {
        let begun = Instant::now();
        assert_eq!(store.health().await.unwrap_err().code(), Code::BackendUnavailable);
        assert!(begun.elapsed() < TEST_TIMEOUT);
    }
    tool.execute_batch("ROLLBACK").unwrap();
    assert!(store.health().await.is_err(), "nothing was written since");
    store.commit(&kit.scope, kit.after(&canvas("c1"), 0)).await.unwrap();
    store.health().await.unwrap();
}

#[tokio::test]
async fn health_recovers_through_its_probe_write() {
    let kit = SqliteFixture::new();
    let store = SqliteStore::open(kit.path(), fast_options()).unwrap();
    let tool = rusqlite::Connection::open(kit.path()).unwrap();
    tool.execute_batch("BEGIN IMMEDIATE").unwrap();
    commit_refused(&store, &kit, 0).await;
    assert!(store.health().await.is_err());
    tool.execute_batch("ROLLBACK").unwrap();
    store.health().await.unwrap();
}

/// Returns a page of the data file that contains a note, and its former bytes.
fn damage_page(path: &Path, marker: &str) -> (u64, Vec<u8>) {
    const PAGE: usize = 4096;
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let found = bytes.windows(marker.len()).position(|part| part == marker.as_bytes()).unwrap();
    let at = (found / PAGE) * PAGE;
    assert!(at > 0);
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&[0xa5; PAGE]).unwrap();
    (at as u64, bytes[at..at + PAGE].to_vec())
}

fn restore_page(path: &Path, (at, bytes): &(u64, Vec<u8>)) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(*at)).unwrap();
    file.write_all(bytes).unwrap();
}

/// Creates a data file with a note whose page was overwritten, and opens it again, so that nothing is cached.
async fn open_damaged(options: SqliteOptions) -> (SqliteFixture, SqliteStore, (u64, Vec<u8>)) {
    let kit = SqliteFixture::new();
    let store = kit.open();
    let body = format!("\"marker-{}\"", "x".repeat(3000));
    store.commit(&kit.scope, Batch::new(kit.now()).put(kit.note("n1", &body), Expect::Absent)).await.unwrap();
    store.commit(&kit.scope, kit.after(&canvas("c1"), 0)).await.unwrap();
    store.close().await;
    drop(store);
    let page = damage_page(&kit.path(), "marker-");
    let store = SqliteStore::open(kit.path(), options).unwrap();
    (kit, store, page)
}

fn rewrite_note(kit: &SqliteFixture) -> Batch {
    Batch::new(kit.now()).put(kit.note("n1", "\"new\""), Expect::Present)
}

#[tokio::test]
async fn the_store_reopens_its_files_after_a_disk_fault() {
    let mut options = fast_options();
    // Without the check of the whole file, which would find the page.
    options.check_bytes = 0;
    let (kit, store, page) = open_damaged(options).await;
    let mut changes = store.changes();
    let failed = store.commit(&kit.scope, rewrite_note(&kit)).await;
    assert!(matches!(failed, Err(CommitError::Backend(_))), "{failed:?}");
    restore_page(&kit.path(), &page);
    wait_healthy(&store).await;
    assert!(matches!(changes.next().await, Some(StoreChange::Lagged)), "followers are told to look again");
    store.commit(&kit.scope, rewrite_note(&kit)).await.unwrap();
    store.commit(&kit.scope, kit.after(&canvas("c1"), 1)).await.unwrap();
    let found = store.query(&kit.scope, &DocumentQuery::of_kind(NOTE), PageRequest::first(10)).await.unwrap().items;
    assert_eq!(found.iter().map(|note| note.version).collect::<Vec<_>>(), [2]);
    assert_eq!(store.head(&kit.scope, &canvas("c1")).await.unwrap().seq, Seq(2));
}

#[tokio::test]
async fn damage_found_while_running_closes_the_store_with_advice() {
    let (kit, store, _) = open_damaged(fast_options()).await;
    assert!(store.commit(&kit.scope, rewrite_note(&kit)).await.is_err());
    let begun = Instant::now();
    let error = loop {
        match store.health().await {
            Err(error) if error.detail().contains("backup") => break error,
            answer => assert!(begun.elapsed() < TEST_TIMEOUT, "{answer:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(error.detail().contains("damaged"), "{error}");
    assert!(commit_refused(&store, &kit, 1).await.detail().contains("backup"));
    assert!(store.head(&kit.scope, &canvas("c1")).await.unwrap_err().detail().contains("backup"));
    assert!(store.ping().await.is_err());
    store.close().await;
}

#[tokio::test]
async fn a_truncated_log_is_never_accepted_as_complete() {
    let mut options = fast_options();
    options.check_bytes = 0;
    let (kit, store, page) = open_damaged(options).await;
    for head in 1..20 {
        store.commit(&kit.scope, kit.after(&canvas("c1"), head)).await.unwrap();
    }
    // The middle of the log is lost; then the store has to read the log again.
    OpenOptions::new().write(true).open(sibling_path(&kit, "-wal")).unwrap().set_len(20_000).unwrap();
    assert!(store.commit(&kit.scope, rewrite_note(&kit)).await.is_err());
    restore_page(&kit.path(), &page);
    let begun = Instant::now();
    loop {
        let error = store.health().await.expect_err("what was acknowledged is lost");
        if error.detail().contains("lost transactions that were acknowledged") {
            break;
        }
        assert!(begun.elapsed() < TEST_TIMEOUT, "{error:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(commit_refused(&store, &kit, 20).await.detail().contains("backup"));
}

#[tokio::test]
async fn closing_times_out() {
    for dropped in [false, true] {
        let kit = SqliteFixture::new();
        let mut options = fast_options();
        options.busy_timeout = TEST_TIMEOUT;
        options.close_timeout = Duration::from_millis(100);
        let store = std::sync::Arc::new(SqliteStore::open(kit.path(), options).unwrap());
        let tool = rusqlite::Connection::open(kit.path()).unwrap();
        tool.execute_batch("BEGIN IMMEDIATE").unwrap();
        // The writer waits for the other program as it would for a disk.
        let (key, scope) = (canvas("c1"), kit.scope.clone());
        let waiting = tokio::spawn({
            let (store, batch) = (std::sync::Arc::clone(&store), kit.after(&key, 0));
            async move { store.commit(&scope, batch).await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        let begun = Instant::now();
        if dropped {
            waiting.abort();
            let _ = waiting.await;
            drop(std::sync::Arc::into_inner(store).unwrap());
        } else {
            store.close().await;
        }
        assert!(begun.elapsed() < TEST_TIMEOUT / 2, "{:?}", begun.elapsed());
        // The writer may still write, so no other process may open the file.
        assert!(SqliteStore::open(kit.path(), fast_options()).unwrap_err().detail().contains("in use"));
        tool.execute_batch("ROLLBACK").unwrap();
    }
}

#[tokio::test]
async fn a_log_held_by_a_long_read_is_truncated_afterwards() {
    const KEEP: u64 = 64 << 10;
    let kit = SqliteFixture::new();
    let mut options = fast_options();
    (options.checkpoint_pages, options.log_keep_bytes) = (8, KEEP);
    let store = SqliteStore::open(kit.path(), options).unwrap();
    let key = canvas("c1");
    store.commit(&kit.scope, kit.after(&key, 0)).await.unwrap();
    let tool = rusqlite::Connection::open(kit.path()).unwrap();
    tool.execute_batch("BEGIN").unwrap();
    tool.query_row("SELECT count(*) FROM streams", [], |row| row.get::<_, i64>(0)).unwrap();
    let mut head = 1;
    while store.usage().log_bytes.unwrap() < 16 * KEEP {
        store.commit(&kit.scope, kit.after(&key, head)).await.unwrap();
        head += 1;
    }
    assert!(store.usage().data_bytes.unwrap() > 0);
    tool.execute_batch("COMMIT").unwrap();
    let begun = Instant::now();
    while store.usage().log_bytes.unwrap() > 2 * KEEP {
        store.commit(&kit.scope, kit.after(&key, head)).await.unwrap();
        head += 1;
        assert!(begun.elapsed() < TEST_TIMEOUT);
    }
}
