//! Idempotency keys: found in memory, in the index, and after any kind of shutdown.

use engines_core::{
    Store,
    nexus::{Batch, CommitError, CommitReceipt, ExpectedHead, Idempotency},
};
use engines_storage::{SqliteOptions, SqliteStore};
use futures_util::{StreamExt, stream};

use super::fixture::{SqliteFixture, canvas};

/// So few keys stay in memory that most are merged into the index while others arrive.
fn options() -> SqliteOptions {
    let mut options = SqliteOptions::default();
    options.recent_keys = 100;
    options
}

fn idempotency(key: &str) -> Idempotency {
    Idempotency {
        namespace: "canvas/c1/ada".to_owned(),
        key: key.to_owned(),
        fingerprint: [7; 32],
        note: format!("note of {key}"),
    }
}

/// Returns keys in no order, some with a number at their end.
fn keys(count: u64) -> Vec<String> {
    let key = |n: u64| match n % 3 {
        0 => format!("cmd-{n}"),
        1 => format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        _ => format!("{}x", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    };
    (0..count).map(key).collect()
}

fn batch(kit: &SqliteFixture, once: Idempotency) -> Batch {
    Batch::new(kit.now()).append(canvas("c1"), ExpectedHead::Any, vec![kit.event("1")]).with_idempotency(once)
}

async fn write(kit: &SqliteFixture, store: &SqliteStore, keys: &[String]) -> Vec<CommitReceipt> {
    let commits = stream::iter(keys).map(|key| store.commit(&kit.scope, batch(kit, idempotency(key))));
    commits.buffered(512).map(Result::unwrap).collect().await
}

async fn check_all_replay(kit: &SqliteFixture, store: &SqliteStore, keys: &[String], first: &[CommitReceipt]) {
    for (again, first) in write(kit, store, keys).await.iter().zip(first) {
        assert_eq!(*again, CommitReceipt { replayed: true, ..first.clone() });
    }
    for (key, first) in keys.iter().zip(first).step_by(37) {
        let (receipt, fingerprint) = store.receipt(&kit.scope, &idempotency(key)).await.unwrap().unwrap();
        assert_eq!((&receipt, fingerprint), (first, [7; 32]));
        let other = batch(kit, Idempotency { fingerprint: [8; 32], ..idempotency(key) });
        assert!(matches!(store.commit(&kit.scope, other).await, Err(CommitError::IdempotencyMismatch)));
    }
    let stranger = Idempotency { namespace: "canvas/c2/ada".to_owned(), ..idempotency(&keys[0]) };
    assert!(store.receipt(&kit.scope, &stranger).await.unwrap().is_none());
    assert!(store.receipt(&kit.scope, &idempotency("never sent")).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_replays_from_memory_and_from_the_index() {
    let kit = SqliteFixture::new();
    let keys = keys(6000);
    let store = SqliteStore::open(kit.path(), options()).unwrap();
    let first = write(&kit, &store, &keys).await;
    assert!(first.iter().all(|receipt| !receipt.replayed));
    check_all_replay(&kit, &store, &keys, &first).await;

    // As after a power cut: only the content of the file and its log is left.
    let copy = kit.folder.path().join("copy.db");
    std::fs::copy(kit.path(), &copy).unwrap();
    std::fs::copy(kit.folder.path().join("engines.db-wal"), kit.folder.path().join("copy.db-wal")).unwrap();
    let copy = SqliteStore::open(copy, options()).unwrap();
    check_all_replay(&kit, &copy, &keys, &first).await;
    copy.close().await;

    store.close().await;
    let tool = rusqlite::Connection::open(kit.path()).unwrap();
    let count = |sql: &str| tool.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM once"), 6000);
    let filed = "SELECT count(*) FROM once JOIN once_index USING (rowkey)";
    assert_eq!((count(filed), count("SELECT count(*) FROM once_index")), (6000, 6000));
    drop(tool);
    let store = SqliteStore::open(kit.path(), options()).unwrap();
    check_all_replay(&kit, &store, &keys, &first).await;
}

#[tokio::test]
async fn rowkeys_of_removed_records_are_not_reused() {
    let kit = SqliteFixture::new();
    let store = SqliteStore::open(kit.path(), options()).unwrap();
    let old = keys(10);
    write(&kit, &store, &old).await;
    store.close().await;
    rusqlite::Connection::open(kit.path()).unwrap().execute("DELETE FROM once", []).unwrap();
    let store = SqliteStore::open(kit.path(), options()).unwrap();
    assert!(store.receipt(&kit.scope, &idempotency(&old[0])).await.unwrap().is_none());
    let new: Vec<_> = (0..10).map(|n| format!("new-{n}")).collect();
    let first = write(&kit, &store, &new).await;
    store.close().await;
    let store = SqliteStore::open(kit.path(), options()).unwrap();
    check_all_replay(&kit, &store, &new, &first).await;
    // A key whose record was removed takes effect again.
    assert!(write(&kit, &store, &old).await.iter().all(|receipt| !receipt.replayed));
}
