//! Checks before the store opens: missing files, damaged logs, modes, and large files after an unclean end.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::fixture::{SqliteFixture, canvas};
use engines_core::{Code, Store, nexus::CommitError, stream::Seq};
use engines_storage::{SqliteOptions, SqliteStore};

/// Number of commits, each of which is a transaction of its own in the log.
const COMMITS: u64 = 12;

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Copies the data file and its log while the store runs, which is what a crash leaves.
async fn crashed(kit: &SqliteFixture) -> PathBuf {
    let store = kit.open();
    for head in 0..COMMITS {
        store.commit(&kit.scope, kit.after(&canvas("c1"), head)).await.unwrap();
    }
    let copy = kit.folder.path().join("copy.db");
    for suffix in ["", "-wal"] {
        fs::copy(beside(&kit.path(), suffix), beside(&copy, suffix)).unwrap();
    }
    store.close().await;
    copy
}

fn refusal(path: &Path) -> String {
    let Err(error) = SqliteStore::open(path, SqliteOptions::default()) else { return "it opened".to_owned() };
    assert_eq!(error.code(), Code::BackendUnavailable);
    error.detail().to_owned()
}

/// Size of a frame of the log: its header and a page.
const FRAME: usize = 24 + 4096;

/// Returns the offsets of the log's frames, up to the first with another salt than the header's.
fn frames(log: &[u8]) -> Vec<usize> {
    (0..).map(|n| 32 + n * FRAME).take_while(|at| log.get(at + 8..at + 16) == log.get(16..24)).collect()
}

fn change(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x40;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn damage_before_acknowledged_transactions_prevents_opening() {
    let kit = SqliteFixture::new();
    let copy = crashed(&kit).await;
    let log = beside(&copy, "-wal");
    let whole = fs::read(&log).unwrap();
    let frames = frames(&whole);
    let middle = frames[frames.len() / 2];
    // The log's header, its page size, the first frame, and the parts of a frame in the middle.
    for at in [0, 9, 40, 60, middle + 1, middle + 9, middle + 17, middle + 2000] {
        change(&log, at);
        let damaged = fs::read(&log).unwrap();
        let refused = refusal(&copy);
        assert!(refused.contains("is damaged at byte") && refused.contains("--accept-loss"), "{at}: {refused}");
        assert_eq!(fs::read(&log).unwrap(), damaged, "{at}: the log was changed");
        fs::write(&log, &whole).unwrap();
    }
    let store = SqliteStore::open(&copy, SqliteOptions::default()).unwrap();
    assert_eq!(store.head(&kit.scope, &canvas("c1")).await.unwrap().seq, Seq(COMMITS));
}

#[tokio::test]
async fn a_damaged_last_transaction_is_dropped() {
    let kit = SqliteFixture::new();
    let copy = crashed(&kit).await;
    let log = beside(&copy, "-wal");
    let last = *frames(&fs::read(&log).unwrap()).last().unwrap();
    change(&log, last + 100);
    let store = SqliteStore::open(&copy, SqliteOptions::default()).unwrap();
    assert_eq!(store.head(&kit.scope, &canvas("c1")).await.unwrap().seq, Seq(COMMITS - 1));
    store.commit(&kit.scope, kit.after(&canvas("c1"), COMMITS - 1)).await.unwrap();
}

#[tokio::test]
async fn accept_loss_keeps_a_copy_of_the_damaged_log() {
    let kit = SqliteFixture::new();
    let copy = crashed(&kit).await;
    let log = beside(&copy, "-wal");
    let whole = fs::read(&log).unwrap();
    let commits = frames(&whole).into_iter().filter(|at| whole[at + 4..at + 8] != [0; 4]).collect::<Vec<_>>();
    change(&log, commits[commits.len() - 5] + 1000);
    let damaged = fs::read(&log).unwrap();
    let mut options = SqliteOptions::default();
    options.accept_loss = true;
    let store = SqliteStore::open(&copy, options).unwrap();
    let head = store.head(&kit.scope, &canvas("c1")).await.unwrap().seq;
    assert!(head >= Seq(COMMITS - 6) && head < Seq(COMMITS), "{head:?}");
    let kept = beside(&copy, "-wal.damaged");
    assert_eq!(fs::read(&kept).unwrap(), damaged);
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    store.commit(&kit.scope, kit.after(&canvas("c1"), head.0)).await.unwrap();
    store.close().await;
    // The option has an effect once: afterwards the log is not damaged.
    let store = SqliteStore::open(&copy, SqliteOptions::default()).unwrap();
    assert_eq!(store.head(&kit.scope, &canvas("c1")).await.unwrap().seq, Seq(head.0 + 1));
}

#[tokio::test]
async fn a_log_without_its_data_file_is_refused_and_nothing_is_made() {
    let kit = SqliteFixture::new();
    let copy = crashed(&kit).await;
    let whole = fs::read(&copy).unwrap();
    for emptied in [false, true] {
        fs::remove_file(&copy).unwrap();
        if emptied {
            fs::write(&copy, "").unwrap();
        }
        let refused = refusal(&copy);
        assert!(refused.contains("copy.db-wal") && refused.contains("missing or empty"), "{refused}");
        assert_eq!(copy.exists(), emptied);
        fs::write(&copy, &whole).unwrap();
    }
    SqliteStore::open(&copy, SqliteOptions::default()).unwrap();
}

#[tokio::test]
async fn a_data_file_that_existed_before_must_not_be_missing() {
    let kit = SqliteFixture::new();
    let marker = beside(&kit.path(), ".created");
    let store = kit.open();
    assert!(marker.exists());
    store.close().await;
    fs::remove_file(kit.path()).unwrap();
    let refused = refusal(&kit.path());
    assert!(refused.contains("engines.db.created") && refused.contains("restore a backup"), "{refused}");
    assert!(!kit.path().exists());
    fs::remove_file(&marker).unwrap();
    kit.open().close().await;
    // A data file of a version that wrote no marker gets one.
    fs::remove_file(&marker).unwrap();
    kit.open().close().await;
    assert!(marker.exists());
}

#[tokio::test]
async fn the_files_are_readable_by_their_owner_only() {
    let kit = SqliteFixture::new();
    let files = ["", "-wal", "-shm", ".lock", ".created"].map(|suffix| beside(&kit.path(), suffix));
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let store = kit.open();
    store.commit(&kit.scope, kit.after(&canvas("c1"), 0)).await.unwrap();
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    store.close().await;
    // The modes that earlier versions gave the files.
    for file in files.iter().filter(|file| file.exists()) {
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let store = kit.open();
    store.commit(&kit.scope, kit.after(&canvas("c1"), 1)).await.unwrap();
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
}

/// Waits for the result of the check that runs in the background.
async fn verdict(store: &SqliteStore) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        match store.health().await {
            Ok(()) => return Ok(()),
            Err(error) if error.detail().contains("being checked") => {
                assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => return Err(error.detail().to_owned()),
        }
    }
}

fn unchecked() -> SqliteOptions {
    let mut options = SqliteOptions::default();
    options.check_bytes = 0;
    options
}

#[tokio::test]
async fn a_large_file_is_checked_in_the_background_and_damage_stops_writes() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    for head in 0..200 {
        store.commit(&kit.scope, kit.after(&canvas("c0"), head)).await.unwrap();
    }
    store.close().await;
    let copy = crashed(&kit).await;
    let whole = SqliteStore::open(&copy, unchecked()).unwrap();
    verdict(&whole).await.unwrap();
    whole.commit(&kit.scope, kit.after(&canvas("c1"), COMMITS)).await.unwrap();
    drop(whole);

    for suffix in ["", "-wal"] {
        let _ = fs::remove_file(beside(&copy, suffix));
    }
    let copy = kit.folder.path().join("torn.db");
    let store = kit.open();
    store.commit(&kit.scope, kit.after(&canvas("c1"), COMMITS)).await.unwrap();
    for suffix in ["", "-wal"] {
        fs::copy(beside(&kit.path(), suffix), beside(&copy, suffix)).unwrap();
    }
    // A leaf in the middle of the audit log, which is not read when the store opens.
    let tool = rusqlite::Connection::open(kit.path()).unwrap();
    let page: i64 = tool
        .query_row(
            "SELECT pageno FROM dbstat WHERE name = 'audit' AND pagetype = 'leaf' ORDER BY pageno LIMIT 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let mut bytes = fs::read(&copy).unwrap();
    let at = (usize::try_from(page).unwrap() - 1) * 4096;
    bytes[at..at + 4096].fill(0xa5);
    fs::write(&copy, bytes).unwrap();
    let torn = SqliteStore::open(&copy, unchecked()).unwrap();
    let damage = verdict(&torn).await.unwrap_err();
    assert!(damage.contains("damaged (quick_check)"), "{damage}");
    match torn.commit(&kit.scope, kit.after(&canvas("c1"), COMMITS + 1)).await {
        Err(CommitError::Backend(error)) => assert_eq!(error.detail(), damage),
        other => panic!("{other:?}"),
    }
    // Closing does not wait for the check.
    torn.close().await;
}
