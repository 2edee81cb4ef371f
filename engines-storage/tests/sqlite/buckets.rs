//! Backups in a bucket: as in a folder, uploaded in parts, with the manifest last.

use std::{fs, sync::Arc, time::Duration};

use engines_core::{
    Clock, Code, Store, SystemClock,
    nexus::{Batch, CopyLimits, Expect},
    testing::ManualClock,
};
use engines_storage::{
    SqliteOptions, SqliteStore,
    backup::{BackupId, BackupRetention, Backups, NewBackup, Restore},
};
use futures_util::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path};

use crate::fixture::{NOTE, SqliteFixture, canvas};

const FAST: CopyLimits = CopyLimits { bytes_per_s: 0, log_bytes: 0 };

fn bucket(store: &Arc<InMemory>) -> Backups {
    Backups::bucket(Arc::<InMemory>::clone(store), "some/prefix", "memory://bucket/some/prefix").unwrap()
}

async fn keys(store: &InMemory) -> Vec<String> {
    let found: Vec<_> = store.list(None).map_ok(|object| object.location.to_string()).try_collect().await.unwrap();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_in_a_bucket_is_created_verified_restored_and_removed() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    // More than one part.
    let body = serde_json::to_string(&"x".repeat(1 << 20)).unwrap();
    for n in 0..20 {
        let note = Batch::new(kit.now()).put(kit.note(&format!("n{n}"), &body), Expect::Any);
        store.commit(&kit.scope, note).await.unwrap();
    }
    store.commit(&kit.scope, kit.after(&canvas("c1"), 0)).await.unwrap();
    let objects = Arc::new(InMemory::new());
    let backups = bucket(&objects);
    let work = kit.folder.path().join("work");
    // The leftovers of a killed upload: the next backup removes the local copy.
    let left = work.join(format!(".backup-{}", BackupId::new(kit.now(), &kit.ids)));
    fs::create_dir_all(left.join("store")).unwrap();
    fs::write(left.join("store/engines.db"), "half").unwrap();
    let new = || NewBackup::new(&store, &SystemClock, &kit.ids).limits(FAST).work_folder(&work);
    let made = backups.create(new()).await.unwrap();
    assert!(made.total_bytes() > 20 << 20);
    assert!(!left.exists(), "what a killed backup left is there");
    let names: Vec<_> = fs::read_dir(&work).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [".backup.lock"], "local copies are left");
    let mut found = keys(&objects).await;
    found.sort();
    let key = |name: &str| format!("some/prefix/{}/{name}", made.id);
    assert_eq!(found, [key("SHA256SUMS"), key("manifest.json"), key("store/engines.db")]);

    assert_eq!(backups.verify_files(&made.id).await.unwrap(), made);
    let folder = kit.folder.path().join("restored");
    backups.restore(Restore::new(made.id.clone(), &folder, &kit.ids)).await.unwrap();
    let copy = SqliteStore::open(folder.join("engines.db"), SqliteOptions::default()).unwrap();
    assert!(copy.get(&kit.scope, &NOTE, &"n19".parse().unwrap()).await.unwrap().is_some());

    let second = backups.create(new()).await.unwrap();
    let mut ids = [made.id.clone(), second.id.clone()];
    ids.sort();
    assert_eq!(backups.ids().await.unwrap(), ids);
    let removed = backups.prune(BackupRetention { keep_last: 1, keep_days: 0 }, SystemClock.now()).await.unwrap();
    assert_eq!(removed, ids[..1]);
    assert_eq!(keys(&objects).await.len(), 3);

    // A damaged object is detected.
    let data = Path::from(format!("some/prefix/{}/store/engines.db", ids[1]));
    objects.put(&data, b"something else".to_vec().into()).await.unwrap();
    assert_eq!(backups.verify_files(&ids[1]).await.unwrap_err().code(), Code::HashMismatch);
    objects.delete(&data).await.unwrap();
    assert_eq!(backups.verify_files(&ids[1]).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn an_unfinished_upload_is_not_listed_and_is_removed_after_48_hours() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    let objects = Arc::new(InMemory::new());
    let backups = bucket(&objects);
    let clock = ManualClock::default();
    let killed = BackupId::new(clock.now(), &kit.ids);
    let part = Path::from(format!("some/prefix/{killed}/store/engines.db"));
    objects.put(&part, b"half".to_vec().into()).await.unwrap();
    assert!(backups.ids().await.unwrap().is_empty());
    let new = || NewBackup::new(&store, &clock, &kit.ids).limits(FAST).work_folder(kit.folder.path());
    // Another process may be uploading it.
    clock.advance(Duration::from_secs(3600));
    backups.create(new()).await.unwrap();
    assert!(objects.head(&part).await.is_ok());
    clock.advance(Duration::from_secs(48 * 3600));
    backups.create(new()).await.unwrap();
    assert!(objects.head(&part).await.is_err());
    assert_eq!(backups.ids().await.unwrap().len(), 2);
}

#[tokio::test]
async fn destinations_without_their_feature_are_rejected() {
    for place in ["s3://bucket/prefix", "gs://bucket", "az://container", "ftp://host/folder", "http://host"] {
        let schemes = [("s3", cfg!(feature = "aws")), ("gs", cfg!(feature = "gcp")), ("az", cfg!(feature = "azure"))];
        let scheme = place.split(':').next().unwrap();
        let built = schemes.iter().any(|(name, built)| *built && *name == scheme);
        if !built {
            assert_eq!(Backups::open(place).unwrap_err().code(), Code::BodyInvalid, "{place}");
        }
    }
    assert_eq!(Backups::open("/some/folder").unwrap().describe(), "/some/folder");
    assert_eq!(Backups::open("file:///some/folder").unwrap().describe(), "/some/folder");
}

/// Runs against a server that speaks S3, with the client that this program is built with. `tests/services.sh` starts
/// a server and runs the test.
#[cfg(feature = "aws")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a server that speaks S3: BACKUP_TEST_S3=s3://bucket/prefix, and the variables of the client"]
async fn a_backup_in_an_s3_bucket_is_complete() {
    let place = std::env::var("BACKUP_TEST_S3").unwrap();
    let kit = SqliteFixture::new();
    let store = kit.open();
    let body = serde_json::to_string(&"x".repeat(1 << 20)).unwrap();
    for n in 0..40 {
        let note = Batch::new(kit.now()).put(kit.note(&format!("n{n}"), &body), Expect::Any);
        store.commit(&kit.scope, note).await.unwrap();
    }
    let backups = Backups::open(&place).unwrap();
    let ids = engines_core::IdGenerator::from_os().unwrap();
    let work = kit.folder.path().join("work");
    let new = || NewBackup::new(&store, &SystemClock, &ids).limits(FAST).work_folder(&work);
    let first = backups.create(new()).await.unwrap();
    let second = backups.create(new()).await.unwrap();
    assert_eq!(backups.verify_files(&second.id).await.unwrap(), second);
    assert!(second.total_bytes() > 40 << 20, "several parts were meant");
    let folder = kit.folder.path().join("restored");
    backups.restore(Restore::new(second.id.clone(), &folder, &ids)).await.unwrap();
    let copy = SqliteStore::open(folder.join("engines.db"), SqliteOptions::default()).unwrap();
    assert!(copy.get(&kit.scope, &NOTE, &"n39".parse().unwrap()).await.unwrap().is_some());
    let removed = backups.prune(BackupRetention { keep_last: 1, keep_days: 0 }, SystemClock.now()).await.unwrap();
    assert!(removed.contains(&first.id) || removed.contains(&second.id));
    assert_eq!(backups.ids().await.unwrap().len(), 1);
}
