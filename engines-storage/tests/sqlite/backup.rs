//! Backups of the data file into a folder: made while it is written to, verified, removed, restored.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use engines_core::{
    Clock, Code, Error, IdGenerator, Result, Store, SystemClock, Timestamp,
    nexus::{
        BackupContent, BackupFiles, BackupPosition, BackupSource, Batch, CopyLimits, Expect, ExpectedHead,
        RestoreTarget,
    },
    stream::Seq,
};
use engines_storage::{
    SqliteOptions, SqliteStore,
    backup::{BackupId, BackupManifest, BackupRetention, Backups, NewBackup, Restore},
};
use futures_util::{StreamExt, stream};
use tokio::time::sleep;

use crate::fixture::{SqliteFixture, canvas};

/// A copy without pauses.
const FAST: CopyLimits = CopyLimits { bytes_per_s: 0, log_bytes: 0 };
/// A speed at which a copy of some MiB takes far longer than a test.
const SLOW: CopyLimits = CopyLimits { bytes_per_s: 256 << 10, log_bytes: 0 };

pub(crate) async fn back_up(kit: &SqliteFixture, store: &SqliteStore, backups: &Backups) -> BackupManifest {
    backups.create(NewBackup::new(store, &SystemClock, &kit.ids).limits(FAST)).await.unwrap()
}

fn restored(kit: &SqliteFixture, name: &str) -> PathBuf {
    kit.folder.path().join(name)
}

/// Writes some MiB, so that a copy takes many steps.
async fn fill(kit: &SqliteFixture, store: &SqliteStore) {
    let body = serde_json::to_string(&"x".repeat(64 << 10)).unwrap();
    for n in 0..64 {
        let note = kit.note(&format!("filler{n}"), &body);
        store.commit(&kit.scope, Batch::new(kit.now()).put(note, Expect::Any)).await.unwrap();
    }
}

/// Waits until the folder contains an unfinished backup.
async fn wait_for_unfinished_backup(backups: &Path) {
    for _ in 0..2000 {
        let partial = fs::read_dir(backups).into_iter().flatten().flatten();
        if partial.into_iter().any(|entry| entry.path().join("store/engines.db").exists()) {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("no backup was begun");
}

#[tokio::test]
async fn a_backup_is_restored_with_everything_acknowledged_before_it_and_under_another_log_id() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    for head in 0..20 {
        store.commit(&kit.scope, kit.after(&canvas("c1"), head)).await.unwrap();
    }
    let note = Batch::new(kit.now()).put(kit.note("n1", r#""kept""#), Expect::Absent);
    store.commit(&kit.scope, note).await.unwrap();
    let backups = Backups::folder(kit.folder.path().join("backups"));
    let before = SystemClock.now();
    let made = back_up(&kit, &store, &backups).await;
    store.commit(&kit.scope, kit.after(&canvas("c1"), 20)).await.unwrap();

    assert!(made.as_of >= before);
    assert_eq!(made.position.log_id, store.log_id());
    let [scope] = &made.position.scopes[..] else { panic!("{:?}", made.position) };
    assert_eq!((&scope.scope, scope.streams, scope.appended, scope.audit), (&kit.scope, 1, 20, 20));
    assert_eq!(backups.verify_files(&made.id).await.unwrap(), made);

    let folder = restored(&kit, "restored");
    let done = backups.restore(Restore::new(made.id.clone(), &folder, &kit.ids)).await.unwrap();
    let copy = SqliteStore::open(folder.join("engines.db"), SqliteOptions::default()).unwrap();
    assert_eq!(copy.log_id(), done.log_id);
    assert_ne!(copy.log_id(), store.log_id());
    assert_eq!(copy.head(&kit.scope, &canvas("c1")).await.unwrap().seq, Seq(20));
    let (ours, theirs) = (
        store.read(&kit.scope, &canvas("c1"), Seq::ZERO, 20).await.unwrap(),
        copy.read(&kit.scope, &canvas("c1"), Seq::ZERO, 100).await.unwrap(),
    );
    assert_eq!(theirs.len(), 20);
    assert!(ours.iter().zip(&theirs).all(|(one, other)| one.event.event_id == other.event.event_id));
    assert!(copy.get(&kit.scope, &crate::fixture::NOTE, &"n1".parse().unwrap()).await.unwrap().is_some());
    // The restored store continues from there.
    copy.commit(&kit.scope, kit.after(&canvas("c1"), 20)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_constant_writes_is_one_consistent_snapshot() {
    let kit = Arc::new(SqliteFixture::new());
    let store = Arc::new(kit.open());
    fill(&kit, &store).await;
    let acknowledged = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let writer = {
        let (kit, store, acknowledged) = (Arc::clone(&kit), Arc::clone(&store), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            for head in 0.. {
                // Two streams in one batch: a copy of one instant contains both appends or neither.
                let batch = kit.append(&canvas("c1"), ExpectedHead::Seq(Seq(head)), "1");
                let batch = batch.append(canvas("c2"), ExpectedHead::Seq(Seq(head)), vec![kit.event("1")]);
                store.commit(&kit.scope, batch).await.unwrap();
                acknowledged.store(head + 1, std::sync::atomic::Ordering::SeqCst);
            }
        })
    };
    while acknowledged.load(std::sync::atomic::Ordering::SeqCst) < 10 {
        sleep(Duration::from_millis(1)).await;
    }
    let backups = Backups::folder(kit.folder.path().join("backups"));
    let before = acknowledged.load(std::sync::atomic::Ordering::SeqCst);
    let limits = CopyLimits { bytes_per_s: 8 << 20, log_bytes: 0 };
    let made = backups.create(NewBackup::new(&*store, &SystemClock, &kit.ids).limits(limits)).await.unwrap();
    let after = acknowledged.load(std::sync::atomic::Ordering::SeqCst);
    writer.abort();
    assert!(after > before, "nothing was written meanwhile");

    let folder = restored(&kit, "restored");
    backups.restore(Restore::new(made.id, &folder, &kit.ids)).await.unwrap();
    let copy = SqliteStore::open(folder.join("engines.db"), SqliteOptions::default()).unwrap();
    let one = copy.head(&kit.scope, &canvas("c1")).await.unwrap().seq.0;
    let other = copy.head(&kit.scope, &canvas("c2")).await.unwrap().seq.0;
    assert_eq!(one, other, "the copy shows two instants");
    assert!((before..=after + 1).contains(&one), "{before} were acknowledged before, {after} after, {one} are in it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_concurrent_backup_is_rejected_and_leftovers_are_removed_by_the_next() {
    let kit = Arc::new(SqliteFixture::new());
    let store = Arc::new(kit.open());
    fill(&kit, &store).await;
    let folder = kit.folder.path().join("backups");
    let backups = Backups::folder(&folder);
    let first = {
        let (kit, store, backups) = (Arc::clone(&kit), Arc::clone(&store), backups.clone());
        tokio::spawn(async move { backups.create(NewBackup::new(&*store, &SystemClock, &kit.ids).limits(SLOW)).await })
    };
    wait_for_unfinished_backup(&folder).await;
    // Another backup into the same folder, and of the same store into another folder.
    for place in [backups.clone(), Backups::folder(kit.folder.path().join("others"))] {
        let second = place.create(NewBackup::new(&*store, &SystemClock, &kit.ids).limits(FAST)).await.unwrap_err();
        assert_eq!(second.code(), Code::AlreadyExists, "{second}");
    }
    assert_eq!(backups.prune(BackupRetention::default(), kit.now()).await.unwrap_err().code(), Code::AlreadyExists);
    assert!(backups.ids().await.unwrap().is_empty(), "an unfinished backup is listed");
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    // The copy's thread ends at its next step; only then can the next copy begin.
    let made = loop {
        match backups.create(NewBackup::new(&*store, &SystemClock, &kit.ids).limits(FAST)).await {
            Ok(made) => break made,
            Err(error) => assert_eq!(error.code(), Code::AlreadyExists, "{error}"),
        }
        sleep(Duration::from_millis(5)).await;
    };
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}: the backup and the lock are to be there");
    assert_eq!(backups.ids().await.unwrap(), [made.id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_aborts_when_the_log_exceeds_its_limit() {
    let kit = Arc::new(SqliteFixture::new());
    let store = Arc::new(kit.open());
    fill(&kit, &store).await;
    let folder = kit.folder.path().join("backups");
    let limits = CopyLimits { log_bytes: 64 << 10, ..SLOW };
    let running = {
        let (kit, store, backups) = (Arc::clone(&kit), Arc::clone(&store), Backups::folder(&folder));
        tokio::spawn(
            async move { backups.create(NewBackup::new(&*store, &SystemClock, &kit.ids).limits(limits)).await },
        )
    };
    wait_for_unfinished_backup(&folder).await;
    // Each batch alone exceeds the limit, so that the copy reaches it before it can run at full speed.
    let body = serde_json::to_string(&"y".repeat(256 << 10)).unwrap();
    while !running.is_finished() {
        let large = Batch::new(kit.now()).put(kit.note("large", &body), Expect::Any);
        store.commit(&kit.scope, large).await.unwrap();
        sleep(Duration::from_millis(20)).await;
    }
    let failed = running.await.unwrap().unwrap_err();
    assert_eq!(failed.code(), Code::BackendUnavailable);
    assert!(failed.detail().contains("backup.log_bytes"), "{failed}");
    assert!(Backups::folder(&folder).ids().await.unwrap().is_empty());
    assert!(!fs::read_dir(&folder).unwrap().any(|entry| entry.unwrap().path().is_dir()), "a part was left");
    store.commit(&kit.scope, kit.after(&canvas("c1"), 0)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_the_store_ends_a_backup() {
    let kit = Arc::new(SqliteFixture::new());
    let store = Arc::new(kit.open());
    fill(&kit, &store).await;
    let folder = kit.folder.path().join("backups");
    let running = {
        let (kit, store, backups) = (Arc::clone(&kit), Arc::clone(&store), Backups::folder(&folder));
        tokio::spawn(async move { backups.create(NewBackup::new(&*store, &SystemClock, &kit.ids).limits(SLOW)).await })
    };
    wait_for_unfinished_backup(&folder).await;
    store.close().await;
    assert_eq!(running.await.unwrap().unwrap_err().code(), Code::ShuttingDown);
}

#[tokio::test]
async fn a_backup_that_was_damaged_is_neither_verified_nor_restored() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    fill(&kit, &store).await;
    let root = kit.folder.path().join("backups");
    let backups = Backups::folder(&root);
    let made = back_up(&kit, &store, &backups).await;
    let file = root.join(made.id.as_str()).join("store/engines.db");
    let whole = fs::read(&file).unwrap();
    let target = restored(&kit, "restored");
    let refused = async |what: &str| {
        let verified = backups.verify_files(&made.id).await.unwrap_err();
        assert_eq!(verified.code(), Code::HashMismatch, "{what}: {verified}");
        let restored = backups.restore(Restore::new(made.id.clone(), &target, &kit.ids)).await.unwrap_err();
        assert_eq!(restored.code(), Code::HashMismatch, "{what}: {restored}");
        assert!(!target.exists(), "{what}: something was put in place");
    };
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&file, &flipped).unwrap();
    refused("a flipped bit").await;
    fs::write(&file, &whole[..whole.len() - 4096]).unwrap();
    refused("a shorter file").await;
    fs::remove_file(&file).unwrap();
    assert_eq!(backups.verify_files(&made.id).await.unwrap_err().code(), Code::NotFound);
    fs::write(&file, &whole).unwrap();
    backups.verify_files(&made.id).await.unwrap();

    // A manifest that was written for damaged data: the hashes match, and the data file is damaged.
    let manifest = root.join(made.id.as_str()).join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"appended\": 0", "\"appended\": 1")).unwrap();
    let moved = backups.restore(Restore::new(made.id.clone(), &target, &kit.ids)).await.unwrap_err();
    assert!(moved.detail().contains("position"), "{moved}");
    assert!(!target.exists());
    for outside in ["../../outside", "/etc/passwd", "store/../../x", ".hidden", "store//x", "store\\x", ""] {
        let name = serde_json::to_string(outside).unwrap();
        fs::write(&manifest, text.replace("\"store/engines.db\"", &name)).unwrap();
        assert!(backups.manifest(&made.id).await.is_err(), "{outside:?} was taken");
    }
    // A backup without its manifest is not complete.
    fs::remove_file(&manifest).unwrap();
    assert!(backups.ids().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_damaged_copy_is_rejected_even_if_its_hash_matches() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    for head in 0..200 {
        store.commit(&kit.scope, kit.after(&canvas("c1"), head)).await.unwrap();
    }
    let root = kit.folder.path().join("backups");
    let backups = Backups::folder(&root);
    let made = back_up(&kit, &store, &backups).await;
    let folder = root.join(made.id.as_str());
    let mut data = fs::read(folder.join("store/engines.db")).unwrap();
    // Everything but the first page.
    data[4096..].fill(0x5a);
    fs::write(folder.join("store/engines.db"), &data).unwrap();
    let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
    let hash = {
        use sha2::Digest;
        sha2::Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    fs::write(folder.join("manifest.json"), manifest.replace(&made.files[0].sha256, &hash)).unwrap();
    backups.verify_files(&made.id).await.unwrap();
    let target = restored(&kit, "restored");
    let refused = backups.restore(Restore::new(made.id, &target, &kit.ids)).await.unwrap_err();
    assert!(refused.detail().contains("damaged"), "{refused}");
    assert!(!target.exists());
}

#[tokio::test]
async fn a_nonempty_folder_is_not_restored_into_and_leftovers_are_removed() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    let backups = Backups::folder(kit.folder.path().join("backups"));
    let made = back_up(&kit, &store, &backups).await;
    let target = restored(&kit, "data");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("root.key"), "something").unwrap();
    let refused = backups.restore(Restore::new(made.id.clone(), &target, &kit.ids)).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    fs::remove_file(target.join("root.key")).unwrap();
    // The leftovers of a killed restore, and those of one in progress.
    let left = kit.folder.path().join(".data.restore-0000");
    let other = kit.folder.path().join(".data.restore-1111");
    for folder in [&left, &other] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join(".restore.lock"), "").unwrap();
        fs::write(folder.join("engines.db"), "half").unwrap();
    }
    let held = fs::File::open(other.join(".restore.lock")).unwrap();
    held.lock().unwrap();
    let restore = Restore::new(made.id, &target, &kit.ids).root_key(b"the key");
    backups.restore(restore).await.unwrap();
    assert!(!left.exists() && other.exists());
    let mut names: Vec<_> = fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["engines.db", "root.key"]);
    assert_eq!(fs::read(target.join("root.key")).unwrap(), b"the key");
}

#[tokio::test]
async fn backup_files_are_private_and_match_sha256sum() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    let root = kit.folder.path().join("backups");
    let backups = Backups::folder(&root);
    let new = NewBackup::new(&store, &SystemClock, &kit.ids).limits(FAST);
    let made = backups.create(new.root_key("0123", Some(b"sealed".to_vec()))).await.unwrap();
    let whole = root.join(made.id.as_str());
    let target = restored(&kit, "restored");
    backups.restore(Restore::new(made.id.clone(), &target, &kit.ids).root_key(b"key")).await.unwrap();
    let (mut files, mut folders) = (0, vec![root, target]);
    while let Some(folder) = folders.pop() {
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "{}", folder.display());
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
            files += 1;
        }
    }
    assert_eq!(files, 7, "data file, sealed key, sums, manifest, lock; data file, key");
    let check =
        std::process::Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(whole).output();
    let check = check.unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    assert_eq!(backups.sealed_root_key(&made).await.unwrap().unwrap(), b"sealed");
}

/// Blobs beside the store, as artifacts will be.
#[derive(Debug, Default)]
struct BlobSource(Mutex<Vec<(String, Vec<u8>)>>);

#[async_trait]
impl BackupSource for BlobSource {
    fn name(&self) -> &str {
        "artifacts"
    }

    async fn back_up(&self, files: &mut dyn BackupFiles, _: CopyLimits) -> Result<Option<BackupPosition>> {
        let all = self.0.lock().unwrap().clone();
        for (name, content) in all {
            let chunks: Vec<_> = content.chunks(3).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
            files.add_stream(&name, Box::pin(stream::iter(chunks))).await?;
        }
        Ok(None)
    }
}

#[async_trait]
impl RestoreTarget for BlobSource {
    fn name(&self) -> &str {
        "artifacts"
    }

    async fn restore(&self, name: &str, mut content: BackupContent) -> Result<()> {
        let mut whole = Vec::new();
        while let Some(chunk) = content.next().await {
            whole.extend_from_slice(&chunk?);
        }
        self.0.lock().unwrap().push((name.to_owned(), whole));
        Ok(())
    }
}

#[tokio::test]
async fn additional_sources_are_backed_up_verified_and_restored() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    let blobs = BlobSource::default();
    *blobs.0.lock().unwrap() = vec![("sha/ab/cd".to_owned(), b"ten bytes.".to_vec()), ("empty".to_owned(), Vec::new())];
    let root = kit.folder.path().join("backups");
    let backups = Backups::folder(&root);
    let made = backups.create(NewBackup::new(&store, &SystemClock, &kit.ids).source(&blobs)).await.unwrap();
    let names: Vec<_> = made.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["store/engines.db", "artifacts/sha/ab/cd", "artifacts/empty"]);

    let target = BlobSource::default();
    let restore = Restore::new(made.id.clone(), restored(&kit, "one"), &kit.ids).target(&target);
    backups.restore(restore).await.unwrap();
    assert_eq!(*target.0.lock().unwrap(), *blobs.0.lock().unwrap());
    // Without a target they go into the data folder.
    let folder = restored(&kit, "other");
    backups.restore(Restore::new(made.id.clone(), &folder, &kit.ids)).await.unwrap();
    assert_eq!(fs::read(folder.join("artifacts/sha/ab/cd")).unwrap(), b"ten bytes.");

    fs::write(root.join(made.id.as_str()).join("artifacts/sha/ab/cd"), b"ten bytes,").unwrap();
    assert_eq!(backups.verify_files(&made.id).await.unwrap_err().code(), Code::HashMismatch);
    let restore = Restore::new(made.id, restored(&kit, "three"), &kit.ids).target(&target);
    assert_eq!(backups.restore(restore).await.unwrap_err().code(), Code::HashMismatch);

    // A source may not name files outside of its folder, nor a file twice.
    for bad in [vec!["../x"], vec!["/x"], vec!["a", "a"], vec![".x"]] {
        *blobs.0.lock().unwrap() = bad.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
        let failed = backups.create(NewBackup::new(&store, &SystemClock, &kit.ids).source(&blobs)).await;
        assert_eq!(failed.unwrap_err().code(), Code::Internal, "{bad:?}");
    }
    assert_eq!(backups.ids().await.unwrap().len(), 1);
}

#[tokio::test]
async fn expired_backups_are_removed_and_the_last_good_one_never_is() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    let root = kit.folder.path().join("backups");
    let backups = Backups::folder(&root);
    let day = |n: i64| Timestamp::from_secs(1_770_000_000 + n * 86_400);
    let mut ids = Vec::new();
    for n in 0..5 {
        let id = BackupId::new(day(n), &kit.ids);
        assert_eq!(id.started_at(), day(n));
        assert_eq!(id.as_str().parse::<BackupId>().unwrap(), id);
        backups.create(NewBackup::new(&store, &SystemClock, &kit.ids).limits(FAST).id(id.clone())).await.unwrap();
        ids.push(id);
    }
    assert!(backups.prune(BackupRetention::default(), day(100)).await.unwrap().is_empty());
    let removed = backups.prune(BackupRetention { keep_last: 2, keep_days: 4 }, day(5)).await.unwrap();
    assert_eq!(removed, ids[..2], "those of the last four days stay, and two anyway");
    // The newest manifest is unreadable: the backup before it is the last readable one.
    fs::write(root.join(ids[4].as_str()).join("manifest.json"), "{").unwrap();
    let removed = backups.prune(BackupRetention { keep_last: 1, keep_days: 1 }, day(1000)).await.unwrap();
    assert_eq!(removed, ids[2..3]);
    assert_eq!(backups.latest().await.unwrap().unwrap().id, ids[3]);
    assert_eq!(backups.ids().await.unwrap(), ids[3..]);
    assert!(backups.list().await.unwrap()[1].1.is_err());
    // With the rule of days only, all backups are too old.
    assert!(backups.prune(BackupRetention { keep_last: 0, keep_days: 1 }, day(1000)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_store_without_a_backup_source_is_rejected() {
    let kit = SqliteFixture::new();
    let store = StoreWithoutBackup(kit.open());
    let backups = Backups::folder(kit.folder.path().join("backups"));
    let ids = IdGenerator::seeded(3);
    let refused: Error = backups.create(NewBackup::new(&store, &SystemClock, &ids)).await.unwrap_err();
    assert_eq!(refused.code(), Code::OpInvalid, "{refused}");
}

/// A custom backend without backups.
#[derive(Debug)]
struct StoreWithoutBackup(SqliteStore);

mod no_copy {
    use async_trait::async_trait;
    use engines_core::{
        DocId, Result, Scope, Store,
        audit::{AuditEntry, AuditFilter},
        event::{EventFilter, StoredEvent},
        nexus::{
            Batch, Capabilities, CommitError, CommitReceipt, Document, DocumentKind, DocumentQuery, Idempotency, Page,
            PageRequest, StoreChanges, StreamHead,
        },
        stream::{LogId, Seq, StreamEvent, StreamKey},
    };

    #[async_trait]
    impl Store for super::StoreWithoutBackup {
        fn capabilities(&self) -> Capabilities {
            Capabilities { backup: false, name: "own", ..self.0.capabilities() }
        }

        fn log_id(&self) -> LogId {
            self.0.log_id()
        }

        async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError> {
            self.0.commit(scope, batch).await
        }

        async fn receipt(&self, scope: &Scope, once: &Idempotency) -> Result<Option<(CommitReceipt, [u8; 32])>> {
            self.0.receipt(scope, once).await
        }

        async fn get(&self, scope: &Scope, kind: &DocumentKind, id: &DocId) -> Result<Option<Document>> {
            self.0.get(scope, kind, id).await
        }

        async fn query(&self, scope: &Scope, query: &DocumentQuery, page: PageRequest) -> Result<Page<Document>> {
            self.0.query(scope, query, page).await
        }

        async fn read(&self, scope: &Scope, key: &StreamKey, after: Seq, limit: usize) -> Result<Vec<StreamEvent>> {
            self.0.read(scope, key, after, limit).await
        }

        async fn head(&self, scope: &Scope, key: &StreamKey) -> Result<StreamHead> {
            self.0.head(scope, key).await
        }

        async fn events(&self, scope: &Scope, filter: &EventFilter, page: PageRequest) -> Result<Page<StoredEvent>> {
            self.0.events(scope, filter, page).await
        }

        async fn audit(&self, scope: &Scope, filter: &AuditFilter, page: PageRequest) -> Result<Page<AuditEntry>> {
            self.0.audit(scope, filter, page).await
        }

        fn changes(&self) -> StoreChanges {
            self.0.changes()
        }

        async fn ping(&self) -> Result<()> {
            self.0.ping().await
        }
    }
}
