//! Opening a file, refusing to open it, and inspecting it from another process.

use super::fixture::{SqliteFixture, canvas};
use engines_core::{Code, Store, stream::Seq};
use engines_storage::{SqliteOptions, SqliteStore};

fn refusal(kit: &SqliteFixture) -> String {
    let error = SqliteStore::open(kit.path(), SqliteOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::BackendUnavailable);
    error.detail().to_owned()
}

#[tokio::test]
async fn a_second_process_cannot_open_the_file() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    assert!(refusal(&kit).contains("in use by another process"));
    store.close().await;
    kit.open();
}

#[tokio::test]
async fn a_newer_schema_is_rejected_and_unchanged() {
    let kit = SqliteFixture::new();
    kit.open().close().await;
    let tool = rusqlite::Connection::open(kit.path()).unwrap();
    tool.pragma_update(None, "user_version", 99).unwrap();
    assert!(refusal(&kit).contains("schema 99"), "{}", refusal(&kit));
    assert_eq!(tool.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0)).unwrap(), 99);
}

#[test]
fn a_foreign_file_is_rejected_and_unchanged() {
    let kit = SqliteFixture::new();
    std::fs::write(kit.path(), "this is not a database, and it is long enough to be looked at ".repeat(100)).unwrap();
    let before = std::fs::read(kit.path()).unwrap();
    assert!(refusal(&kit).contains("not a database"), "{}", refusal(&kit));
    assert_eq!(std::fs::read(kit.path()).unwrap(), before);
    std::fs::remove_file(kit.path()).unwrap();
    rusqlite::Connection::open(kit.path()).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert!(refusal(&kit).contains("another program"), "{}", refusal(&kit));
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    for head in 0..200 {
        store.commit(&kit.scope, kit.after(&canvas("c1"), head)).await.unwrap();
    }
    store.close().await;
    let mut bytes = std::fs::read(kit.path()).unwrap();
    bytes[100..4000].fill(0xa5);
    std::fs::write(kit.path(), bytes).unwrap();
    assert!(refusal(&kit).contains("damaged"), "{}", refusal(&kit));
}

#[test]
fn a_missing_folder_is_reported() {
    let error = SqliteStore::open("/nowhere/at/all/engines.db", SqliteOptions::default()).unwrap_err();
    assert!(error.detail().contains("create the folder first"));
}

#[tokio::test]
async fn the_file_can_be_read_and_copied_while_open() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    let key = canvas("c1");
    for head in 0..20 {
        store.commit(&kit.scope, kit.after(&key, head)).await.unwrap();
    }
    let tool = rusqlite::Connection::open(kit.path()).unwrap();
    let row: (String, String, String, i64, String) = tool
        .query_row("SELECT tenant, env, stream, seq, data FROM stream_log WHERE seq = 20", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .unwrap();
    assert_eq!(row, ("t_acme".into(), "dev".into(), "canvas/c1".into(), 20, r#"{"op":"add"}"#.into()));
    assert_eq!(tool.query_row("SELECT count(*) FROM audit_log", [], |row| row.get::<_, i64>(0)).unwrap(), 20);
    let copy = kit.folder.path().join("copy.db");
    tool.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    let copy = SqliteStore::open(copy, SqliteOptions::default()).unwrap();
    assert_eq!(copy.head(&kit.scope, &key).await.unwrap().seq, Seq(20));
    assert_eq!(copy.log_id(), store.log_id());
}

/// Copies the file and its log while the store runs, which is what a crash leaves.
#[tokio::test]
async fn the_log_is_recovered_after_an_unclean_shutdown() {
    let kit = SqliteFixture::new();
    let store = kit.open();
    for head in 0..20 {
        store.commit(&kit.scope, kit.after(&canvas("c1"), head)).await.unwrap();
    }
    let copy = kit.folder.path().join("copy.db");
    std::fs::copy(kit.path(), &copy).unwrap();
    std::fs::copy(kit.folder.path().join("engines.db-wal"), kit.folder.path().join("copy.db-wal")).unwrap();
    let copy = SqliteStore::open(copy, SqliteOptions::default()).unwrap();
    assert_eq!(copy.head(&kit.scope, &canvas("c1")).await.unwrap().seq, Seq(20));
}
