//! The file of a tenant archive, which is read as it was written and rejected when it was changed; and migrations.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use engines_core::{
    Code, Env, IdGenerator, Role, Scope, Store, Timestamp,
    audit::{AuditEntry, AuditOutcome},
    nexus::{
        Backend, BackupContent, BackupFiles, Batch, CopyLimits, DocumentKind, Expect, ExpectedHead, Idempotency,
        NewDocument,
        archive::{ArchiveRecord, ScopeCounters, Section},
    },
    stream::{LogId, NewEvent, Seq, StreamKey},
    testing,
};
use engines_storage::{
    MemoryStore, SqliteOptions, SqliteStore,
    archive::{ArchiveHeader, ArchiveLimits, ArchiveManifest, ArchivePart, ArchiveWriter, read_archive},
    memory::MemoryLimits,
    migration::{MigrationOptions, MigrationProgress, all_scopes, migrate, snapshot_digest},
};
use futures_util::StreamExt;
use proptest::prelude::*;
use serde_json::value::RawValue;

const NOTE: DocumentKind = DocumentKind::from_static("note");

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_770_000_000 + seconds)
}

/// Fills two environments of two tenants, and the system scope, with data of every kind.
async fn fill(store: &dyn Store) {
    let ids = IdGenerator::seeded(7);
    for (tenant, env) in
        [("t_acme", Env::Dev), ("t_acme", Env::Prod), ("t_other", Env::Staging), ("t_system", Env::Prod)]
    {
        let scope = testing::scope(tenant, env).unwrap();
        let context = testing::context_in(tenant, env, "ada", engines_core::ActorType::Human, Role::Owner).unwrap();
        for n in 0..30 {
            let body = match n {
                7 => "null".to_owned(),
                _ if n % 5 == 0 => format!("{{\n\"n\": {n}}}"),
                _ => format!("{{\"n\":{n}}}"),
            };
            let note = NewDocument {
                kind: NOTE,
                id: format!("n{n}").parse().unwrap(),
                tags: vec!["all".into()],
                body: RawValue::from_string(body.clone()).unwrap(),
            };
            let key: StreamKey = format!("canvas/c{}", n % 4).parse().unwrap();
            let data = RawValue::from_string(body).unwrap();
            let event = NewEvent::new(ids.ulid(seconds(n)), seconds(n), "canvas_commit", &context, data);
            let audit =
                AuditEntry::new(ids.ulid(seconds(n)), seconds(n), &context, "test", key.as_str(), AuditOutcome::Done);
            let once =
                Idempotency { namespace: "r".into(), key: format!("k{n}"), fingerprint: [3; 32], note: "é".into() };
            let batch = Batch::new(seconds(n)).with_idempotency(once).put(note, Expect::Any).audit(audit);
            store.commit(&scope, batch.append(key, ExpectedHead::Any, vec![event])).await.unwrap();
        }
        let key: StreamKey = "canvas/c1".parse().unwrap();
        store.commit(&scope, Batch::new(seconds(99)).trim(key, Seq(3))).await.unwrap();
    }
}

async fn sqlite(folder: &tempfile::TempDir, name: &str) -> SqliteStore {
    SqliteStore::open(folder.path().join(name), SqliteOptions::default()).unwrap()
}

fn header() -> ArchiveHeader {
    let tenant = "t_acme".parse().unwrap();
    ArchiveHeader::new(tenant, vec![Env::Dev, Env::Prod], LogId::from_bytes([9; 8]), seconds(0), "test")
        .with_name(Some("Acme".into()))
}

/// Returns an archive of a filled tenant.
async fn archive() -> (Vec<u8>, ArchiveManifest) {
    let store = MemoryStore::new(&IdGenerator::seeded(1));
    fill(&store).await;
    let mut writer = ArchiveWriter::begin(Vec::new(), header()).unwrap();
    for env in [Env::Dev, Env::Prod] {
        let snapshot = store.archive().unwrap().snapshot(&testing::scope("t_acme", env).unwrap()).await.unwrap();
        for section in Section::ALL {
            let page = snapshot.records(section, engines_core::nexus::PageRequest::first(1000)).await.unwrap();
            writer.add_records(env, &page.items).unwrap();
        }
    }
    writer.finish(&[], Vec::new()).unwrap()
}

fn read_back(bytes: &[u8]) -> engines_core::Result<(ArchiveManifest, usize)> {
    let mut records = 0;
    let manifest = read_archive(bytes, &ArchiveLimits::default(), |part| {
        if let ArchivePart::Records(_, some) = part {
            records += some.len();
        }
        Ok(())
    })?;
    Ok((manifest, records))
}

/// Returns a tar file of these entries.
fn tar_of(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, kind, bytes) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

#[tokio::test]
async fn an_archive_is_read_back_as_written() {
    let (bytes, manifest) = archive().await;
    let (found, records) = read_back(&bytes).unwrap();
    assert_eq!(found, manifest);
    // Counters, documents, streams, events without the trimmed ones, audit records and receipts, in two environments.
    assert_eq!(records, 2 * (1 + 30 + 4 + 28 + 30 + 30));
    assert_eq!(manifest.counts["dev"][&Section::StreamEvents], 28);
}

#[tokio::test]
async fn every_changed_byte_is_detected() {
    let (bytes, manifest) = archive().await;
    let step = 97;
    for place in (0..bytes.len()).step_by(step) {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        // Tar ignores some bytes, such as padding or the owner's name. They may change; the content is then
        // unchanged.
        if let Ok((found, _)) = read_back(&changed) {
            assert_eq!(found, manifest, "byte {place} was changed and another archive was read");
        }
    }
}

#[tokio::test]
async fn an_archive_that_is_cut_off_is_refused_at_every_length() {
    let (bytes, _) = archive().await;
    // Tar ends with two empty blocks; the content is complete without them.
    let content = bytes.len() - 1024;
    for length in (0..content).step_by(251).chain([content - 1, content - 512]) {
        let refused = read_back(&bytes[..length]).unwrap_err();
        assert_eq!(refused.code(), Code::BodyInvalid, "{length} of {} bytes: {refused:?}", bytes.len());
    }
}

#[test]
fn a_file_that_is_not_an_archive_is_rejected() {
    use tar::EntryType as T;
    let head = serde_json::to_vec(&header()).unwrap();
    let newer = {
        let mut header = header();
        header.version = 2;
        serde_json::to_vec(&header).unwrap()
    };
    let counters = b"{\"events\":0,\"audit\":0}\n".as_slice();
    let first = "dev/counters/000001.ndjson";
    let deep = format!(
        "{{\"kind\":\"n\",\"id\":\"a\",\"version\":1,\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\
                        \"2026-01-01T00:00:00Z\",\"body\":{{\"json\":{}{}}}}}\n",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    /// The name, type and content of an entry.
    type Member<'a> = (&'a str, T, &'a [u8]);
    let cases: &[(&str, &[Member<'_>])] = &[
        ("nothing", &[]),
        ("no header", &[(first, T::Regular, counters)]),
        ("another format", &[("archive.json", T::Regular, b"{\"format\":\"x\",\"version\":1}")]),
        ("a newer version", &[("archive.json", T::Regular, &newer)]),
        ("a header twice", &[("archive.json", T::Regular, &head), ("archive.json", T::Regular, &head)]),
        ("a path upwards", &[("archive.json", T::Regular, &head), ("../../etc/passwd", T::Regular, b"x")]),
        (
            "an absolute path",
            &[("archive.json", T::Regular, &head), ("/dev/counters/000001.ndjson", T::Regular, counters)],
        ),
        (
            "a hidden path",
            &[("archive.json", T::Regular, &head), ("dev/../dev/counters/000001.ndjson", T::Regular, counters)],
        ),
        (
            "a number in another form",
            &[("archive.json", T::Regular, &head), ("dev/counters/1.ndjson", T::Regular, counters)],
        ),
        (
            "an environment by another name",
            &[("archive.json", T::Regular, &head), ("DEV/counters/000001.ndjson", T::Regular, counters)],
        ),
        (
            "an environment that is not named",
            &[("archive.json", T::Regular, &head), ("staging/counters/000001.ndjson", T::Regular, counters)],
        ),
        ("a link", &[("archive.json", T::Regular, &head), (first, T::Symlink, b"")]),
        ("a folder", &[("archive.json", T::Regular, &head), ("dev/", T::Directory, b"")]),
        ("an extension of tar", &[("archive.json", T::Regular, &head), ("x", T::XHeader, b"13 size=9999\n")]),
        ("a long name of GNU tar", &[("archive.json", T::Regular, &head), ("x", T::GNULongName, b"x")]),
        (
            "a file twice",
            &[("archive.json", T::Regular, &head), (first, T::Regular, counters), (first, T::Regular, counters)],
        ),
        (
            "files out of order",
            &[
                ("archive.json", T::Regular, &head),
                ("dev/documents/000001.ndjson", T::Regular, b""),
                (first, T::Regular, counters),
            ],
        ),
        (
            "a gap in the numbers",
            &[
                ("archive.json", T::Regular, &head),
                (first, T::Regular, counters),
                ("dev/counters/000003.ndjson", T::Regular, counters),
            ],
        ),
        (
            "nesting",
            &[("archive.json", T::Regular, &head), ("dev/documents/000001.ndjson", T::Regular, deep.as_bytes())],
        ),
        (
            "a record of another section",
            &[("archive.json", T::Regular, &head), ("dev/audit/000001.ndjson", T::Regular, counters)],
        ),
        (
            "no line feed at the end",
            &[("archive.json", T::Regular, &head), (first, T::Regular, b"{\"events\":0,\"audit\":0}")],
        ),
        ("no manifest", &[("archive.json", T::Regular, &head), ("members.ndjson", T::Regular, b"")]),
    ];
    for (name, entries) in cases {
        let refused = read_back(&tar_of(entries)).unwrap_err();
        assert!(matches!(refused.code(), Code::BodyInvalid | Code::HashMismatch), "{name}: {refused:?}");
    }
    // A size without content must not be allocated, nor waited for.
    let mut lying = tar_of(&[("archive.json", T::Regular, &head), (first, T::Regular, counters)]);
    let mut size = tar::Header::new_ustar();
    size.set_size(30 << 20);
    let second = 512 + head.len().next_multiple_of(512);
    lying[second + 124..second + 136].copy_from_slice(&size.as_old().size);
    let mut fixed = tar::Header::new_ustar();
    fixed.as_mut_bytes().copy_from_slice(&lying[second..second + 512]);
    fixed.set_cksum();
    lying[second..second + 512].copy_from_slice(fixed.as_bytes());
    assert_eq!(read_back(&lying).unwrap_err().code(), Code::BodyInvalid);
}

#[tokio::test]
async fn limits_bound_what_is_read() {
    let (bytes, _) = archive().await;
    let tight = [
        ArchiveLimits { total_bytes: 1000, ..ArchiveLimits::default() },
        ArchiveLimits { files: 3, ..ArchiveLimits::default() },
        ArchiveLimits { records: 50, ..ArchiveLimits::default() },
    ];
    for limits in tight {
        let refused = read_archive(&bytes[..], &limits, |_| Ok(())).unwrap_err();
        assert_eq!(refused.code(), Code::BodyTooLarge, "{limits:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_line_round_trips_or_is_rejected(
        section in proptest::sample::select(Section::ALL.to_vec()),
        line in prop_oneof![
            "\\PC{0,200}",
            "\\{\"(key|seq|events|audit|kind|id)\":(-?[0-9]{1,20}|\"[a-z/]{0,9}\"|\\[\\[\\{)(,\"[a-z]{1,8}\":[0-9]{1,3}){0,3}\\}",
            proptest::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        ],
    ) {
        if let Ok(record) = ArchiveRecord::read_line(section, line.as_bytes()) {
            let (mut once, mut twice) = (Vec::new(), Vec::new());
            record.write_line(&mut once).unwrap();
            ArchiveRecord::read_line(section, &once).unwrap().write_line(&mut twice).unwrap();
            prop_assert_eq!(once, twice);
        }
    }

    #[test]
    fn random_bytes_are_rejected_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(read_back(&bytes).is_err());
    }

    #[test]
    fn counters_of_any_value_round_trip(events: u64, audit: u64) {
        let record = ArchiveRecord::Counters(ScopeCounters { events: Seq(events), audit });
        let mut line = Vec::new();
        record.write_line(&mut line).unwrap();
        let Ok(ArchiveRecord::Counters(found)) = ArchiveRecord::read_line(Section::Counters, &line) else { panic!("refused") };
        prop_assert_eq!(found, ScopeCounters { events: Seq(events), audit });
    }
}

/// Returns everything that a store contains, scope by scope, with the feed positions.
async fn content(store: &dyn Backend) -> Vec<(Scope, (u64, [u8; 32]))> {
    let archive = store.archive().unwrap();
    let mut found = Vec::new();
    for scope in all_scopes(store).await.unwrap() {
        let digest = snapshot_digest(&*archive.snapshot(&scope).await.unwrap()).await.unwrap();
        found.push((scope, digest));
    }
    found
}

#[tokio::test]
async fn a_migration_moves_everything_and_keeps_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let memory = MemoryStore::new(&IdGenerator::seeded(1));
    fill(&memory).await;
    let wanted = content(&memory).await;
    assert_eq!(wanted.len(), 4);
    let file = sqlite(&folder, "one.db").await;
    let moved = migrate(&memory, &file, MigrationOptions::default(), |_| ()).await.unwrap();
    assert_eq!((moved.scopes, content(&file).await), (4, wanted.clone()));
    assert_eq!(
        (file.log_id(), file.archive().unwrap().mark().await.unwrap()),
        (memory.log_id(), memory.archive().unwrap().mark().await.unwrap())
    );
    file.close().await;
    // Back again, after a restart.
    let file = sqlite(&folder, "one.db").await;
    let back = MemoryStore::new(&IdGenerator::seeded(2));
    assert_eq!(migrate(&file, &back, MigrationOptions::default(), |_| ()).await.unwrap().sha256, moved.sha256);
    assert_eq!((content(&back).await, back.log_id()), (wanted, memory.log_id()));
    // A store that contains data rejects a migration.
    let refused = migrate(&memory, &back, MigrationOptions::default(), |_| ()).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
}

#[tokio::test]
async fn a_migration_resumes_and_detects_a_changed_source() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Arc::new(MemoryStore::new(&IdGenerator::seeded(1)));
    fill(&*memory).await;
    let file = Arc::new(sqlite(&folder, "one.db").await);
    // The migration is dropped half way, as in a crash.
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let mut stop = Some(stop);
    let running = {
        let (from, to) = (Arc::clone(&memory), Arc::clone(&file));
        tokio::spawn(async move {
            migrate(&*from, &*to, MigrationOptions::default(), |progress| {
                if matches!(progress, MigrationProgress::Staged(_))
                    && let Some(stop) = stop.take()
                {
                    let _ = stop.send(());
                }
            })
            .await
        })
    };
    stopped.await.unwrap();
    running.abort();
    let _ = running.await;
    if content(&*file).await.is_empty() {
        // Meanwhile the source gets new data in a scope that is staged already.
        let scope = testing::scope("t_acme", Env::Dev).unwrap();
        let note = NewDocument::new(NOTE, "later".parse::<engines_core::DocId>().unwrap(), &1).unwrap();
        memory.commit(&scope, Batch::new(seconds(200)).put(note, Expect::Absent)).await.unwrap();
        let refused = migrate(&*memory, &*file, MigrationOptions::default(), |_| ()).await.unwrap_err();
        assert_eq!(refused.code(), Code::VersionMismatch, "{refused:?}");
        let mut resumed = 0;
        migrate(&*memory, &*file, MigrationOptions::default(), |progress| {
            if let MigrationProgress::Started { resumed: of, .. } = progress {
                resumed = of;
            }
        })
        .await
        .unwrap();
        assert_eq!(resumed, 3, "the scope that had changed is begun anew, the others are not");
    }
    assert_eq!(content(&*file).await, content(&*memory).await);
}

#[tokio::test]
async fn a_data_file_in_use_can_be_opened_read_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.db");
    assert!(!SqliteStore::is_in_use(&path).unwrap());
    let server = sqlite(&folder, "one.db").await;
    assert!(SqliteStore::is_in_use(&path).unwrap());
    fill(&server).await;
    let beside = SqliteStore::open_beside(&path, SqliteOptions::default()).unwrap();
    assert_eq!((content(&beside).await, beside.log_id()), (content(&server).await, server.log_id()));
    let scope = testing::scope("t_acme", Env::Dev).unwrap();
    let note = || NewDocument::new(NOTE, "later".parse::<engines_core::DocId>().unwrap(), &1).unwrap();
    assert!(beside.commit(&scope, Batch::new(seconds(1)).put(note(), Expect::Any)).await.is_err());
    // A write of the server is visible at once: nothing was cached.
    let id = "later".parse::<engines_core::DocId>().unwrap();
    assert!(beside.get(&scope, &NOTE, &id).await.unwrap().is_none());
    server.commit(&scope, Batch::new(seconds(1)).put(note(), Expect::Any)).await.unwrap();
    assert!(beside.get(&scope, &NOTE, &id).await.unwrap().is_some());
    assert_eq!(beside.inspect().await.unwrap().faults, Vec::<String>::new());
    beside.close().await;
    server.close().await;
    assert!(!SqliteStore::is_in_use(&path).unwrap());
}

/// The files of a backup, in memory.
#[derive(Default)]
struct MemoryFiles(Vec<u8>);

#[async_trait::async_trait]
impl BackupFiles for MemoryFiles {
    fn local_path(&mut self, _: &str) -> engines_core::Result<std::path::PathBuf> {
        panic!("a memory store writes no file")
    }

    async fn add_local(&mut self, _: &str) -> engines_core::Result<()> {
        panic!("a memory store writes no file")
    }

    async fn add_stream(&mut self, name: &str, mut content: BackupContent) -> engines_core::Result<()> {
        assert_eq!(name, "memory.jsonl");
        while let Some(chunk) = content.next().await {
            self.0.extend_from_slice(&chunk?);
        }
        Ok(())
    }
}

/// Restores a store from the lines of a backup. The chunks do not end where lines end.
async fn restored(lines: &[u8], limits: MemoryLimits) -> engines_core::Result<MemoryStore> {
    let chunks: Vec<_> = lines.chunks(777).map(|chunk| Ok(chunk.to_vec().into())).collect();
    MemoryStore::restore(&IdGenerator::seeded(2), limits, Box::pin(futures_util::stream::iter(chunks))).await
}

#[tokio::test]
async fn a_restored_memory_store_equals_its_backup() {
    let store = MemoryStore::new(&IdGenerator::seeded(1));
    fill(&store).await;
    let mut files = MemoryFiles::default();
    let limits = CopyLimits { bytes_per_s: 0, log_bytes: 0 };
    store.backup_source().unwrap().back_up(&mut files, limits).await.unwrap();
    let found = restored(&files.0, MemoryLimits::default()).await.unwrap();
    assert_eq!(content(&found).await, content(&store).await);
    assert_ne!(found.log_id(), store.log_id(), "a restored store has a new log id");
    // Idempotency keys of the backup still apply.
    let scope = testing::scope("t_acme", Env::Dev).unwrap();
    let once = Idempotency { namespace: "r".into(), key: "k3".into(), fingerprint: [3; 32], note: "é".into() };
    let note = NewDocument::new(NOTE, "again".parse::<engines_core::DocId>().unwrap(), &1).unwrap();
    let again =
        found.commit(&scope, Batch::new(seconds(200)).with_idempotency(once).put(note, Expect::Absent)).await.unwrap();
    assert!(again.replayed, "the key was used before the backup");
    // A backup that is cut off, damaged or too large is refused.
    let cut = files.0.len() - 1;
    let mut damaged = files.0.clone();
    damaged[cut / 2] = b'\n';
    let last_line = files.0[..cut].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for lines in [&files.0[..cut], &files.0[..last_line], &damaged] {
        let refused = restored(lines, MemoryLimits::default()).await.unwrap_err();
        assert_eq!(refused.code(), Code::BackendUnavailable);
    }
    let small = MemoryLimits { total_bytes: 10_000, ..MemoryLimits::default() };
    assert_eq!(restored(&files.0, small).await.unwrap_err().code(), Code::BackendUnavailable);
}
