//! Files that vanish, damage that is met while the store runs, disks that do not answer.

use std::{
    fs::OpenOptions,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use engines_core::{
    Code, Error, Store,
    nexus::{Batch, Change, CommitError, Expect, Page, Query},
    stream::Seq,
};
use engines_storage::{SqliteOptions, SqliteStore};
use futures_util::StreamExt;

use super::kit::{Kit, NOTE, canvas};

/// Long enough for a loaded machine; what is waited for takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

fn beside(kit: &Kit, suffix: &str) -> PathBuf {
    kit.folder.path().join(format!("engines.db{suffix}"))
}

fn quick() -> SqliteOptions {
    let mut options = SqliteOptions::default();
    options.busy_timeout = Duration::from_millis(20);
    options.probe_every = Duration::ZERO;
    options.recovery_wait = Duration::from_millis(5);
    options
}

/// What the caller of a commit is told that has stored nothing.
async fn refused(store: &SqliteStore, kit: &Kit, head: u64) -> Error {
    match store.commit(&kit.scope, kit.after(&canvas("c1"), head)).await {
        Err(CommitError::Backend(error)) => error,
        answer => panic!("{answer:?}"),
    }
}

async fn healthy(store: &SqliteStore) {
    let begun = Instant::now();
    while let Err(error) = store.health().await {
        assert!(begun.elapsed() < PATIENCE, "{error:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_while_a_file_is_removed_or_replaced() {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let kit = Kit::new();
        let store = SqliteStore::open(kit.path(), quick()).unwrap();
        store.commit(&kit.scope, kit.after(&canvas("c1"), 0)).await.unwrap();
        store.health().await.unwrap();
        let (path, away) = (beside(&kit, suffix), kit.folder.path().join("away"));
        std::fs::rename(&path, &away).unwrap();
        let error = refused(&store, &kit, 1).await;
        assert_eq!(error.code(), Code::BackendUnavailable);
        assert!(error.detail().contains("removed or replaced"), "{suffix}: {error}");
        assert!(format!("{error:?}").contains("engines.db"), "the log names the file: {error:?}");
        assert!(store.ping().await.is_err() && store.health().await.is_err(), "{suffix}");
        // As `mv copy engines.db` does it.
        std::fs::copy(&away, &path).unwrap();
        refused(&store, &kit, 1).await;
        assert!(store.health().await.is_err(), "{suffix}");
        // When the file itself is back, the store goes on.
        std::fs::rename(&away, &path).unwrap();
        store.commit(&kit.scope, kit.after(&canvas("c1"), 1)).await.unwrap();
        store.health().await.unwrap();
        store.close().await;
        drop(store);
        assert_eq!(kit.open().head(&kit.scope, &canvas("c1")).await.unwrap().seq, Seq(2), "{suffix}");
    }
}

#[tokio::test]
async fn an_orderly_end_keeps_what_a_removed_log_held() {
    let kit = Kit::new();
    let store = kit.open();
    for head in 0..20 {
        store.commit(&kit.scope, kit.after(&canvas("c1"), head)).await.unwrap();
    }
    std::fs::remove_file(beside(&kit, "-wal")).unwrap();
    refused(&store, &kit, 20).await;
    store.close().await;
    drop(store);
    assert_eq!(kit.open().head(&kit.scope, &canvas("c1")).await.unwrap().seq, Seq(20));
}

#[tokio::test]
async fn an_orderly_end_leaves_the_data_file_alone() {
    let kit = Kit::new();
    let store = kit.open();
    store.commit(&kit.scope, kit.after(&canvas("c1"), 0)).await.unwrap();
    store.close().await;
    let left = ["-wal", "-shm"].map(|suffix| beside(&kit, suffix).exists());
    assert_eq!(left, [false, false]);
}

#[tokio::test]
async fn health_knows_that_the_last_commit_failed_and_tries_one_of_its_own() {
    let kit = Kit::new();
    let mut options = quick();
    options.probe_every = Duration::from_secs(3600);
    let store = SqliteStore::open(kit.path(), options).unwrap();
    store.health().await.unwrap();
    let tool = rusqlite::Connection::open(kit.path()).unwrap();
    tool.execute_batch("BEGIN IMMEDIATE").unwrap();
    refused(&store, &kit, 0).await;
    store.ping().await.unwrap();
    // It tries a write, which fails too, and then it does not try again for an hour.
    for _ in 0..3 {
        let begun = Instant::now();
        assert_eq!(store.health().await.unwrap_err().code(), Code::BackendUnavailable);
        assert!(begun.elapsed() < PATIENCE);
    }
    tool.execute_batch("ROLLBACK").unwrap();
    assert!(store.health().await.is_err(), "nothing was written since");
    store.commit(&kit.scope, kit.after(&canvas("c1"), 0)).await.unwrap();
    store.health().await.unwrap();
}

#[tokio::test]
async fn health_recovers_by_its_own_write() {
    let kit = Kit::new();
    let store = SqliteStore::open(kit.path(), quick()).unwrap();
    let tool = rusqlite::Connection::open(kit.path()).unwrap();
    tool.execute_batch("BEGIN IMMEDIATE").unwrap();
    refused(&store, &kit, 0).await;
    assert!(store.health().await.is_err());
    tool.execute_batch("ROLLBACK").unwrap();
    store.health().await.unwrap();
}

/// A page of the data file that holds a note, and the bytes that were there.
fn spoil(path: &Path, marker: &str) -> (u64, Vec<u8>) {
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

fn mend(path: &Path, (at, bytes): &(u64, Vec<u8>)) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(*at)).unwrap();
    file.write_all(bytes).unwrap();
}

/// A data file with a note whose page was overwritten, opened anew so that nobody has it in memory.
async fn spoiled(options: SqliteOptions) -> (Kit, SqliteStore, (u64, Vec<u8>)) {
    let kit = Kit::new();
    let store = kit.open();
    let body = format!("\"marker-{}\"", "x".repeat(3000));
    store.commit(&kit.scope, Batch::new(kit.at()).put(kit.note("n1", &body), Expect::Absent)).await.unwrap();
    store.commit(&kit.scope, kit.after(&canvas("c1"), 0)).await.unwrap();
    store.close().await;
    drop(store);
    let page = spoil(&kit.path(), "marker-");
    let store = SqliteStore::open(kit.path(), options).unwrap();
    (kit, store, page)
}

fn rewrite(kit: &Kit) -> Batch {
    Batch::new(kit.at()).put(kit.note("n1", "\"new\""), Expect::Present)
}

#[tokio::test]
async fn a_fault_makes_the_store_open_its_files_anew_and_go_on() {
    let mut options = quick();
    // Without the check of the whole file, which finds the page.
    options.check_bytes = 0;
    let (kit, store, page) = spoiled(options).await;
    let mut changes = store.changes();
    let failed = store.commit(&kit.scope, rewrite(&kit)).await;
    assert!(matches!(failed, Err(CommitError::Backend(_))), "{failed:?}");
    mend(&kit.path(), &page);
    healthy(&store).await;
    assert!(matches!(changes.next().await, Some(Change::Missed)), "followers are told to look again");
    store.commit(&kit.scope, rewrite(&kit)).await.unwrap();
    store.commit(&kit.scope, kit.after(&canvas("c1"), 1)).await.unwrap();
    let found = store.query(&kit.scope, &Query::kind(NOTE), Page::first(10)).await.unwrap().items;
    assert_eq!(found.iter().map(|note| note.version).collect::<Vec<_>>(), [2]);
    assert_eq!(store.head(&kit.scope, &canvas("c1")).await.unwrap().seq, Seq(2));
}

#[tokio::test]
async fn damage_that_is_met_closes_the_store_and_says_what_to_do() {
    let (kit, store, _) = spoiled(quick()).await;
    assert!(store.commit(&kit.scope, rewrite(&kit)).await.is_err());
    let begun = Instant::now();
    let error = loop {
        match store.health().await {
            Err(error) if error.detail().contains("backup") => break error,
            answer => assert!(begun.elapsed() < PATIENCE, "{answer:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(error.detail().contains("damaged"), "{error}");
    assert!(refused(&store, &kit, 1).await.detail().contains("backup"));
    assert!(store.head(&kit.scope, &canvas("c1")).await.unwrap_err().detail().contains("backup"));
    assert!(store.ping().await.is_err());
    store.close().await;
}

#[tokio::test]
async fn a_log_that_was_cut_is_never_taken_for_the_whole() {
    let mut options = quick();
    options.check_bytes = 0;
    let (kit, store, page) = spoiled(options).await;
    for head in 1..20 {
        store.commit(&kit.scope, kit.after(&canvas("c1"), head)).await.unwrap();
    }
    // The middle of the log is lost, and then the store has to read it again.
    OpenOptions::new().write(true).open(beside(&kit, "-wal")).unwrap().set_len(20_000).unwrap();
    assert!(store.commit(&kit.scope, rewrite(&kit)).await.is_err());
    mend(&kit.path(), &page);
    let begun = Instant::now();
    loop {
        let error = store.health().await.expect_err("what was acknowledged is lost");
        if error.detail().contains("lost transactions that were acknowledged") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{error:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(refused(&store, &kit, 20).await.detail().contains("backup"));
}

#[tokio::test]
async fn closing_does_not_wait_for_ever() {
    for dropped in [false, true] {
        let kit = Kit::new();
        let mut options = quick();
        options.busy_timeout = PATIENCE;
        options.close_timeout = Duration::from_millis(100);
        let store = std::sync::Arc::new(SqliteStore::open(kit.path(), options).unwrap());
        let tool = rusqlite::Connection::open(kit.path()).unwrap();
        tool.execute_batch("BEGIN IMMEDIATE").unwrap();
        // The writer waits for the other program, as it would for a disk.
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
        assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
        // The writer may still write, so that nobody else may open the file.
        assert!(SqliteStore::open(kit.path(), quick()).unwrap_err().detail().contains("in use"));
        tool.execute_batch("ROLLBACK").unwrap();
    }
}

#[tokio::test]
async fn a_log_that_a_reader_has_kept_long_is_cut_again() {
    const KEEP: u64 = 64 << 10;
    let kit = Kit::new();
    let mut options = quick();
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
        assert!(begun.elapsed() < PATIENCE);
    }
}
