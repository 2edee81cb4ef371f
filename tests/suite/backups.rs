//! Backups of an engine: the retry after a failure, and the keys that open a backup.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use engines::{
    Code, Engine, IdGenerator, Scope,
    auth::{Passphrase, RootKey},
    backup::{BackupSettings, RestoreKeys, restore},
    core::{
        Error, Result,
        nexus::{BackupFiles, BackupPosition, BackupSource, CopyLimits},
    },
};

/// A source whose first two backups fail.
#[derive(Debug, Default)]
struct FailingSource(AtomicU32);

#[async_trait]
impl BackupSource for FailingSource {
    fn name(&self) -> &str {
        "failing"
    }

    async fn back_up(&self, _: &mut dyn BackupFiles, _: CopyLimits) -> Result<Option<BackupPosition>> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => Err(Error::new(Code::BackendUnavailable, "test", "the source does not answer")),
            _ => Ok(None),
        }
    }
}

#[tokio::test]
async fn a_failed_scheduled_backup_is_retried_with_growing_delays() {
    let folder = tempfile::tempdir().unwrap();
    let settings = BackupSettings {
        destination: folder.path().join("backups").display().to_string(),
        every_s: 3600,
        retry_s: 1,
        ..BackupSettings::default()
    };
    let source = Arc::new(FailingSource::default());
    let engine = Engine::builder()
        .sqlite(folder.path().join("engines.db"))
        .backups(settings)
        .backup_source(Arc::clone(&source) as Arc<dyn BackupSource>)
        .build()
        .await
        .unwrap();
    let begun = std::time::Instant::now();
    while engine.backup().status().succeeded == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", engine.backup().status());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // One second after the first failure and two after the second.
    assert!(begun.elapsed() >= Duration::from_millis(2_900), "{:?}", begun.elapsed());
    let status = engine.backup().status();
    assert_eq!((status.failed, status.succeeded, source.0.load(Ordering::Relaxed)), (2, 1, 3));
    assert!(status.last_failure.is_some() && status.last_success > status.last_failure, "{status:?}");
    assert_eq!(engine.backup().destination().unwrap().ids().await.unwrap().len(), 1);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_wrong_passphrase_restores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let destination = folder.path().join("backups").display().to_string();
    let passphrase = Passphrase::new("the passphrase of the test").unwrap();
    let engine = Engine::builder()
        .sqlite(folder.path().join("engines.db"))
        .root_key(RootKey::new("a root key for tests alone, which stays the same").unwrap())
        .backups(BackupSettings { destination, ..BackupSettings::default() })
        .backup_passphrase(passphrase.clone())
        .build()
        .await
        .unwrap();
    let system = engine.system(Scope::system().unwrap(), "a test").unwrap();
    let id = engine.backup().create(&system).await.unwrap().id;
    let backups = engine.backup().destination().unwrap();
    let (target, ids) = (folder.path().join("restored"), IdGenerator::from_os().unwrap());
    let other = Passphrase::new("another passphrase altogether").unwrap();
    let keys = RestoreKeys { passphrase: Some(&other), ..RestoreKeys::default() };
    let refused = restore(backups, &id, &target, keys, &ids).await.unwrap_err();
    assert!(refused.detail().contains("does not open the sealed root key"), "{refused}");
    assert!(!target.exists(), "something was restored");
    let keys = RestoreKeys { passphrase: Some(&passphrase), ..RestoreKeys::default() };
    restore(backups, &id, &target, keys, &ids).await.unwrap();
    let root = std::fs::read_to_string(target.join("root.key")).unwrap();
    assert_eq!(root.trim_end(), "a root key for tests alone, which stays the same");
    engine.shutdown().await;
}
