//! Files of an older schema.

use engines_core::{
    Store,
    audit::AuditFilter,
    nexus::{CommitReceipt, Idempotency, PageRequest},
    stream::Seq,
};
use engines_storage::{SqliteOptions, SqliteStore};
use rusqlite::Connection;

use super::fixture::{SqliteFixture, canvas};

const SCHEMA_2: [&str; 2] =
    [include_str!("../../src/sqlite/schema.sql"), include_str!("../../src/sqlite/schema_2.sql")];
/// "engn" in ASCII.
const APPLICATION_ID: i32 = 0x656e_676e;
/// The tables whose key was called `place` up to schema version 2.
const RENAMED: [&str; 4] = ["stream_events", "audit", "once", "once_index"];

/// Rewrites a closed file with the statements that made schema version 2.
fn downgrade_to_version_2(kit: &SqliteFixture) {
    let (path, new) = (kit.path(), kit.folder.path().join("new.db"));
    std::fs::rename(&path, &new).unwrap();
    let file = Connection::open(&path).unwrap();
    SCHEMA_2.iter().for_each(|sql| file.execute_batch(sql).unwrap());
    file.execute_batch("DELETE FROM meta").unwrap();
    file.execute("ATTACH ?1 AS new", [new.to_str().unwrap()]).unwrap();
    let tables: Vec<String> = file
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for table in tables {
        file.execute_batch(&format!("INSERT INTO main.{table} SELECT * FROM new.{table}")).unwrap();
    }
    file.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    file.pragma_update(None, "user_version", 2).unwrap();
}

fn columns(file: &Connection, table: &str) -> Vec<String> {
    let mut names = file.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
    names.query_map([table], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn a_file_of_version_2_is_upgraded_and_keeps_its_content() {
    let kit = SqliteFixture::new();
    let (store, key) = (kit.open(), canvas("c1"));
    let once = Idempotency {
        namespace: "canvas/c1/ada".to_owned(),
        key: "k-1".to_owned(),
        fingerprint: [7; 32],
        note: String::new(),
    };
    let first = store.commit(&kit.scope, kit.after(&key, 0).with_idempotency(once.clone())).await.unwrap();
    for head in 1..5 {
        store.commit(&kit.scope, kit.after(&key, head)).await.unwrap();
    }
    let log_id = store.log_id();
    let audit = store.audit(&kit.scope, &AuditFilter::default(), PageRequest::first(10)).await.unwrap();
    store.close().await;
    downgrade_to_version_2(&kit);
    for table in RENAMED {
        assert!(columns(&Connection::open(kit.path()).unwrap(), table).contains(&"place".to_owned()), "{table}");
    }
    let beside = SqliteStore::open_beside(kit.path(), SqliteOptions::default()).unwrap_err();
    assert!(beside.detail().contains("start the server once, which upgrades it"), "{beside}");

    let store = kit.open();
    assert_eq!(store.log_id(), log_id);
    let events = store.read(&kit.scope, &key, Seq(0), 10).await.unwrap();
    assert_eq!(events.iter().map(|event| event.seq.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let found = store.audit(&kit.scope, &AuditFilter::default(), PageRequest::first(10)).await.unwrap();
    assert_eq!((found.items.len(), &found), (5, &audit));
    let again = store.commit(&kit.scope, kit.after(&key, 0).with_idempotency(once)).await.unwrap();
    assert_eq!(again, CommitReceipt { replayed: true, ..first });
    store.commit(&kit.scope, kit.after(&key, 5)).await.unwrap();
    store.close().await;

    let file = Connection::open(kit.path()).unwrap();
    let number = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(file.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap(), 3);
    // The views follow the new name.
    assert_eq!((number("SELECT count(*) FROM stream_log"), number("SELECT count(*) FROM audit_log")), (6, 6));
    for table in RENAMED {
        let columns = columns(&file, table);
        assert!(columns.contains(&"rowkey".to_owned()) && !columns.contains(&"place".to_owned()), "{columns:?}");
    }
}
