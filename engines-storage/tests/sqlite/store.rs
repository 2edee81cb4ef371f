//! Groups of batches, failures, reopening.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::fixture::{NOTE, SqliteFixture, canvas};
use engines_core::{
    Code, DocId, Store,
    nexus::{
        Batch, CommitError, DocumentQuery, Expect, ExpectedHead, FailedPrecondition, Idempotency, PageRequest,
        QueryOrder, StoreChange,
    },
    stream::Seq,
};
use engines_storage::{SqliteOptions, SqliteStore};
use futures_util::{StreamExt, future::join_all};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_of_commits_is_applied_in_order() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    let key = canvas("c1");
    let commits = (0..500).map(|head| store.commit(&kit.scope, kit.after(&key, head)));
    for (at, receipt) in join_all(commits).await.into_iter().enumerate() {
        assert_eq!(receipt.unwrap().appended[0].last, Seq(at as u64 + 1));
    }
    assert_eq!(store.head(&kit.scope, &key).await.unwrap().seq, Seq(500));
    let events = store.read(&kit.scope, &key, Seq(490), 100).await.unwrap();
    assert_eq!(events.iter().map(|event| event.seq.0).collect::<Vec<_>>(), (491..=500).collect::<Vec<_>>());
    assert_eq!(events[0].event.data.get(), r#"{"op":"add"}"#);
    assert_eq!(store.audit(&kit.scope, &Default::default(), PageRequest::first(1000)).await.unwrap().items.len(), 500);
}

#[tokio::test]
async fn failing_and_succeeding_batches_share_a_transaction() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    let key = canvas("c1");
    let note = |id: &str| kit.note(id, "{}");
    let batches = vec![
        kit.after(&key, 0),
        // Rejected, and nothing of it is stored.
        Batch::new(kit.now()).put(note("lost"), Expect::Any).append(
            key.clone(),
            ExpectedHead::Seq(Seq(0)),
            vec![kit.event("1")],
        ),
        kit.after(&key, 1),
        Batch::new(kit.now()).put(note("n1"), Expect::Absent),
        Batch::new(kit.now()).put(note("n1"), Expect::Absent),
        Batch::new(kit.now()).put(note("n1"), Expect::Version(1)),
    ];
    let results = join_all(batches.into_iter().map(|batch| store.commit(&kit.scope, batch))).await;
    let ok: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(ok, [true, false, true, true, false, true]);
    assert!(matches!(
        &results[1],
        Err(CommitError::Precondition { index: 1, failed: FailedPrecondition::Stream { head: Seq(1), .. } })
    ));
    assert!(matches!(
        &results[4],
        Err(CommitError::Precondition { index: 0, failed: FailedPrecondition::Document { version: Some(1), .. } })
    ));
    assert!(store.get(&kit.scope, &NOTE, &"lost".parse().unwrap()).await.unwrap().is_none());
    assert_eq!(store.get(&kit.scope, &NOTE, &"n1".parse().unwrap()).await.unwrap().unwrap().version, 2);
}

#[tokio::test]
async fn an_unexpected_failure_fails_only_its_own_batch() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    let tool = rusqlite::Connection::open(kit.path()).unwrap();
    tool.execute_batch(
        "CREATE TRIGGER broken BEFORE INSERT ON audit WHEN new.resource = 'secret-resource' \
         BEGIN SELECT RAISE(ABORT, 'secret-text'); END",
    )
    .unwrap();
    let key = canvas("c1");
    let bad = Batch::new(kit.now())
        .put(kit.note("half", "{}"), Expect::Any)
        .append(canvas("half"), ExpectedHead::Any, vec![kit.event("1")])
        .audit(kit.audit("secret-resource"));
    let batches = vec![kit.after(&key, 0), bad, kit.after(&key, 1)];
    let results = join_all(batches.into_iter().map(|batch| store.commit(&kit.scope, batch))).await;
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    let Err(CommitError::Backend(error)) = &results[1] else { panic!("{results:?}") };
    assert_eq!(error.code(), Code::BackendUnavailable);
    assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
    assert_eq!(store.head(&kit.scope, &canvas("half")).await.unwrap().seq, Seq(0));
    assert!(store.get(&kit.scope, &NOTE, &"half".parse().unwrap()).await.unwrap().is_none());
    assert_eq!(store.head(&kit.scope, &key).await.unwrap().seq, Seq(2));
}

#[tokio::test]
async fn commits_resume_when_another_program_releases_its_lock() {
    let kit = SqliteFixture::new();
    let mut options = SqliteOptions::default();
    options.busy_timeout = Duration::from_millis(20);
    let store = SqliteStore::open(kit.path(), options).unwrap();
    let key = canvas("c1");
    store.commit(&kit.scope, kit.after(&key, 0)).await.unwrap();
    let tool = rusqlite::Connection::open(kit.path()).unwrap();
    tool.execute_batch("BEGIN IMMEDIATE").unwrap();
    let Err(CommitError::Backend(error)) = store.commit(&kit.scope, kit.after(&key, 1)).await else { panic!() };
    assert_eq!(error.code(), Code::BackendUnavailable);
    assert_eq!(store.head(&kit.scope, &key).await.unwrap().seq, Seq(1), "reads go on");
    tool.execute_batch("ROLLBACK").unwrap();
    store.commit(&kit.scope, kit.after(&key, 1)).await.unwrap();
}

#[tokio::test]
async fn an_idempotency_key_holds_within_a_group_and_after_reopening() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    let key = canvas("c1");
    let once = |print| Idempotency {
        namespace: "canvas/c1".into(),
        key: "k ü".into(),
        fingerprint: [print; 32],
        note: "n".into(),
    };
    let batch = |print| kit.append(&key, ExpectedHead::Any, "1").with_idempotency(once(print));
    let results = join_all([1, 1, 2].map(|print| store.commit(&kit.scope, batch(print)))).await;
    let [Ok(first), Ok(again), Err(CommitError::IdempotencyMismatch)] = &results[..] else { panic!("{results:?}") };
    assert!(!first.replayed && again.replayed);
    assert_eq!((&first.appended, &first.note), (&again.appended, &again.note));
    store.close().await;
    let log = store.log_id();
    drop(store);
    let store = kit.open();
    assert_eq!(store.log_id(), log);
    let (kept, print) = store.receipt(&kit.scope, &once(9)).await.unwrap().unwrap();
    assert_eq!((&kept, print), (first, [1; 32]));
    assert!(store.commit(&kit.scope, batch(1)).await.unwrap().replayed);
    assert_eq!(store.head(&kit.scope, &key).await.unwrap().seq, Seq(1));
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let kit = SqliteFixture::new();
    let key = canvas("c1");
    let big = format!("\"{}ü🙂\\u0000\"", "x".repeat(5 << 20));
    {
        let store = kit.open();
        for head in 0..3 {
            store.commit(&kit.scope, kit.after(&key, head)).await.unwrap();
        }
        store.commit(&kit.scope, Batch::new(kit.now()).trim(key.clone(), Seq(4))).await.unwrap();
        let mut note = kit.note("big", &big);
        note.tags = vec!["ü🙂\0'\"%".into(), "x".into()];
        store.commit(&kit.scope, Batch::new(kit.now()).put(note, Expect::Absent)).await.unwrap();
        // The store is dropped without being closed.
    }
    let store = kit.open();
    let head = store.head(&kit.scope, &key).await.unwrap();
    assert_eq!((head.seq, head.first), (Seq(3), Seq(4)));
    assert!(store.read(&kit.scope, &key, Seq(0), 10).await.unwrap().is_empty());
    store.commit(&kit.scope, kit.after(&key, 3)).await.unwrap();
    assert_eq!(store.read(&kit.scope, &key, Seq(0), 10).await.unwrap()[0].seq, Seq(4));
    let id: DocId = "big".parse().unwrap();
    assert_eq!(store.get(&kit.scope, &NOTE, &id).await.unwrap().unwrap().body.get(), big);
    let query = DocumentQuery::of_kind(NOTE).tag("x").tag("ü🙂\0'\"%").order(QueryOrder::UpdatedDescending);
    assert_eq!(store.query(&kit.scope, &query, PageRequest::first(10)).await.unwrap().items[0].id, id);
}

#[tokio::test]
async fn a_dropped_commit_is_atomic_and_blocks_no_other() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    let key = canvas("c1");
    for _ in 0..50 {
        let commit = store.commit(&kit.scope, kit.append(&key, ExpectedHead::Any, "1"));
        tokio::select! { biased; _ = commit => {}, () = std::future::ready(()) => {} }
    }
    store.commit(&kit.scope, kit.append(&key, ExpectedHead::Any, "2")).await.unwrap();
    let head = store.head(&kit.scope, &key).await.unwrap().seq;
    let events = store.read(&kit.scope, &key, Seq(0), 100).await.unwrap();
    let audited = store.audit(&kit.scope, &Default::default(), PageRequest::first(100)).await.unwrap().items;
    assert_eq!((events.len() as u64, audited.len() as u64), (head.0, head.0));
}

#[tokio::test]
async fn changes_name_each_stream_once_and_report_lag() {
    let kit = SqliteFixture::new();
    let mut options = SqliteOptions::default();
    options.changes = 2;
    let store = SqliteStore::open(kit.path(), options).unwrap();
    let mut changes = store.changes();
    let (a, b) = (canvas("a"), canvas("b"));
    let batches = vec![kit.after(&a, 0), kit.after(&b, 0), kit.after(&a, 1)];
    join_all(batches.into_iter().map(|batch| store.commit(&kit.scope, batch))).await;
    let mut heads = std::collections::BTreeMap::new();
    while heads.get(&a) != Some(&Seq(2)) || heads.get(&b) != Some(&Seq(1)) {
        let Some(StoreChange::Appended(streams)) = changes.next().await else { panic!("no change") };
        let names: std::collections::BTreeSet<_> = streams.iter().map(|(_, key, _)| key.clone()).collect();
        assert_eq!(names.len(), streams.len());
        heads.extend(streams.iter().map(|(_, key, seq)| (key.clone(), *seq)));
    }
    for head in 2..8 {
        store.commit(&kit.scope, kit.after(&a, head)).await.unwrap();
    }
    assert!(matches!(changes.next().await, Some(StoreChange::Lagged)));
    store.close().await;
    while changes.next().await.is_some() {}
}

#[tokio::test]
async fn a_full_queue_and_a_closed_store_reject_commits() {
    let kit = SqliteFixture::new();
    let mut options = SqliteOptions::default();
    options.write_queue = 8;
    let store = SqliteStore::open(kit.path(), options).unwrap();
    let key = canvas("c1");
    let results = join_all((0..2000).map(|_| store.commit(&kit.scope, kit.append(&key, ExpectedHead::Any, "1")))).await;
    let done = results.iter().filter(|result| result.is_ok()).count() as u64;
    for result in results {
        if let Err(error) = result {
            assert_eq!(engines_core::Error::from(error).code(), Code::BackendUnavailable);
        }
    }
    assert_eq!(store.head(&kit.scope, &key).await.unwrap().seq, Seq(done));
    store.close().await;
    store.close().await;
    let refused = store.commit(&kit.scope, kit.after(&key, done)).await.unwrap_err();
    assert_eq!(engines_core::Error::from(refused).code(), Code::BackendUnavailable);
    assert!(store.ping().await.is_err());
}

/// Many readers and a writer: once any reader has seen a version, no reader sees an older one, by any kind of read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_never_go_back_in_time() {
    for cached in [0, 1 << 20] {
        let kit = Arc::new(SqliteFixture::new());
        let mut options = SqliteOptions::default();
        (options.document_cache_bytes, options.head_cache) = (cached, cached);
        let store = Arc::new(SqliteStore::open(kit.path(), options).unwrap());
        let (seen_version, seen_head) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (kit, store) = (Arc::clone(&kit), Arc::clone(&store));
                let (seen_version, seen_head) = (Arc::clone(&seen_version), Arc::clone(&seen_head));
                tokio::spawn(async move {
                    let id = "n1".parse().unwrap();
                    while seen_head.load(Ordering::SeqCst) < 200 {
                        let before = seen_version.load(Ordering::SeqCst);
                        let found = store.get(&kit.scope, &NOTE, &id).await.unwrap().map_or(0, |note| note.version);
                        assert!(found >= before, "version {found} after {before}");
                        seen_version.fetch_max(found, Ordering::SeqCst);
                        let before = seen_head.load(Ordering::SeqCst);
                        let found = store.head(&kit.scope, &canvas("c1")).await.unwrap().seq.0;
                        assert!(found >= before, "head {found} after {before}");
                        seen_head.fetch_max(found, Ordering::SeqCst);
                        let listed = store
                            .query(&kit.scope, &DocumentQuery::of_kind(NOTE), PageRequest::first(1))
                            .await
                            .unwrap();
                        seen_version.fetch_max(listed.items.first().map_or(0, |note| note.version), Ordering::SeqCst);
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for head in 0..200 {
            let batch = kit.after(&canvas("c1"), head).put(kit.note("n1", "{}"), Expect::Any);
            store.commit(&kit.scope, batch).await.unwrap();
        }
        for reader in readers {
            reader.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_trim_takes_effect_at_once_and_rows_are_removed_later() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    let (a, b) = (canvas("a"), canvas("b"));
    for key in [&a, &b] {
        let events = (0..2500).map(|_| kit.event("1")).collect();
        store.commit(&kit.scope, Batch::new(kit.now()).append(key.clone(), ExpectedHead::Any, events)).await.unwrap();
    }
    store.commit(&kit.scope, Batch::new(kit.now()).trim(a.clone(), Seq(2401)).trim(b.clone(), Seq(2))).await.unwrap();
    assert_eq!(store.read(&kit.scope, &a, Seq(0), 9999).await.unwrap().len(), 100);
    let tool = rusqlite::Connection::open(kit.path()).unwrap();
    let count =
        |table: &str| tool.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("stream_log"), 100 + 2499);
    while count("stream_events") != 100 + 2499 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.read(&kit.scope, &a, Seq(0), 9999).await.unwrap()[0].seq, Seq(2401));
    assert_eq!(store.read(&kit.scope, &b, Seq(0), 9999).await.unwrap()[0].seq, Seq(2));
}
