//! Archives of tenants: from one engine into another, under another id, and under load.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use engines::{
    Code, Cursor, Engine, IdGenerator, ResourceId,
    archive::{ExportOptions, ImportOptions, TenantArchives},
    auth::{RootKey, key_slot::KEY_SLOT},
    core::{
        audit::AuditFilter,
        event::{DatasetEvent, EventFilter},
        nexus::{
            Batch,
            archive::{ArchiveRecord, Publication, Section},
        },
        stream::{LogId, ResumePoint, Seq},
        testing::{context, context_in, scope},
    },
    prelude::*,
    storage::MemoryStore,
    stream::canvas::{CanvasCommand, NewCanvas, verify_canvas},
};
use serde_json::{json, value::RawValue};

fn acme(env: Env) -> RequestContext {
    context_in("t_acme", env, "ada", engines::ActorType::Human, Role::Owner).unwrap()
}

fn operator(engine: &Engine) -> RequestContext {
    engine.system(Scope::system().unwrap(), "test").unwrap()
}

fn owner(engine: &Engine, tenant: &str) -> RequestContext {
    engine.system(scope(tenant, Env::Dev).unwrap(), "test").unwrap()
}

async fn memory() -> Engine {
    let root = RootKey::new(b"a root key for tests alone, which stays the same").unwrap();
    let store = Arc::new(MemoryStore::new(&IdGenerator::from_os().unwrap()));
    Engine::builder().store(store).root_key(root).build().await.unwrap()
}

async fn sqlite(folder: &tempfile::TempDir) -> Engine {
    Engine::builder().sqlite(folder.path().join("engines.db")).build().await.unwrap()
}

fn archives(engine: &Engine) -> TenantArchives {
    engine.tenant_archives().unwrap().unwrap()
}

/// A canvas with commits, a thread with messages, events and a key slot, in one environment.
async fn fill_tenant(engine: &Engine, context: &RequestContext, word: &str) -> ResourceId {
    let canvas = engine.canvas().create(context, NewCanvas::default()).await.unwrap().canvas_id;
    for n in 0..12 {
        let ops = json!([{ "op": "add", "path": format!("/n{n}"), "value": { "word": word, "n": n } }]);
        let command = CanvasCommand::new(n, &ops).unwrap();
        engine.canvas().command(context, &canvas, command).await.unwrap();
    }
    let thread = engine.chat().create_thread(context, NewThread::default()).await.unwrap().thread_id;
    for n in 0..5 {
        let mut message = NewMessage::text(format!("{word} {n}"));
        message.idempotency_key = Some(format!("m{n}"));
        engine.chat().post(context, &thread, message).await.unwrap();
    }
    for n in 0..7 {
        let event = json!({ "surface": "chat", "agent_id": "a1", "input": { "text": word, "n": n }, "output": {} });
        let event: DatasetEvent = serde_json::from_value(event).unwrap();
        engine.events().record(context, event).await.unwrap();
    }
    canvas
}

/// Every record of a scope, without positions and without key slots.
async fn record_lines(engine: &Engine, tenant: &str, env: Env) -> Vec<String> {
    let snapshot = engine.store().archive().unwrap().snapshot(&scope(tenant, env).unwrap()).await.unwrap();
    let mut lines = Vec::new();
    for section in Section::ALL {
        for record in snapshot.records(section, PageRequest::first(10_000)).await.unwrap().items {
            let record = match record {
                ArchiveRecord::Event(_, event) => ArchiveRecord::Event(None, event),
                ArchiveRecord::Document(document) if document.kind == KEY_SLOT => continue,
                record => record,
            };
            let mut line = Vec::new();
            record.write_line(&mut line).unwrap();
            lines.push(String::from_utf8(line).unwrap());
        }
    }
    lines
}

async fn export(engine: &Engine, tenant: &str, options: ExportOptions) -> Vec<u8> {
    archives(engine).export(&owner(engine, tenant), options, Vec::new()).await.unwrap().0
}

async fn import(
    engine: &Engine,
    archive: &[u8],
    options: ImportOptions,
) -> engines::Result<engines::archive::ImportReport> {
    archives(engine).import(&operator(engine), std::io::Cursor::new(archive.to_vec()), options).await
}

fn import_as(tenant: &str) -> ImportOptions {
    ImportOptions { rename: Some(TenantId::new(tenant).unwrap()), ..ImportOptions::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_round_trips_through_an_archive() {
    let (one, folder) = (memory().await, tempfile::tempdir().unwrap());
    let two = sqlite(&folder).await;
    let canvas = fill_tenant(&one, &acme(Env::Dev), "dev").await;
    fill_tenant(&one, &acme(Env::Prod), "prod").await;
    let slot = engines::auth::key_slot::SlotSecret::new("a secret of somebody else".into()).unwrap();
    one.key_slots().unwrap().put(&acme(Env::Dev), &ResourceId::new("mail").unwrap(), &slot).await.unwrap();
    let archive = export(&one, "t_acme", ExportOptions::default()).await;
    let imported = import(&two, &archive, ImportOptions::default()).await.unwrap();
    assert_eq!((imported.tenant.as_str(), imported.envs.len(), imported.new_log), ("t_acme", 2, None));
    for env in [Env::Dev, Env::Prod] {
        assert_eq!(record_lines(&two, "t_acme", env).await, record_lines(&one, "t_acme", env).await);
    }
    assert!(record_lines(&two, "t_acme", Env::Staging).await.len() == 1, "only counters");
    // The imported tenant works: the same state, the next revision, a used idempotency key.
    let ada = acme(Env::Dev);
    let (before, after) = (
        one.canvas().snapshot(&ada, &canvas, None).await.unwrap(),
        two.canvas().snapshot(&ada, &canvas, None).await.unwrap(),
    );
    assert_eq!((after.rev, &after.state_hash), (12, &before.state_hash));
    let ops = json!([{ "op": "add", "path": "/more", "value": 1 }]);
    let applied = two.canvas().command(&ada, &canvas, CanvasCommand::new(12, &ops).unwrap()).await.unwrap();
    assert_eq!(applied.rev, 13);
    let audit =
        two.store().audit(&Scope::system().unwrap(), &AuditFilter::default(), PageRequest::first(100)).await.unwrap();
    let entry = audit.items.iter().find(|entry| entry.action == "tenants.import").unwrap();
    assert_eq!(entry.resource, "tenants/t_acme");
    // Back into a third store; existing data is not overwritten.
    assert_eq!(import(&two, &archive, ImportOptions::default()).await.unwrap_err().code(), Code::AlreadyExists);
    let back = export(&two, "t_acme", ExportOptions::default()).await;
    let three = memory().await;
    import(&three, &back, ImportOptions::default()).await.unwrap();
    for env in [Env::Dev, Env::Prod] {
        assert_eq!(record_lines(&three, "t_acme", env).await, record_lines(&two, "t_acme", env).await);
    }
    two.shutdown().await;
}

#[tokio::test]
async fn an_archive_holds_nothing_of_another_tenant_and_no_secret() {
    let engine = memory().await;
    fill_tenant(&engine, &acme(Env::Dev), "ours").await;
    let other = context_in("t_other", Env::Dev, "canary_user", engines::ActorType::Human, Role::Owner).unwrap();
    fill_tenant(&engine, &other, "canary-of-another").await;
    let slot = engines::auth::key_slot::SlotSecret::new("canary-of-a-secret".into()).unwrap();
    engine.key_slots().unwrap().put(&acme(Env::Dev), &ResourceId::new("mail").unwrap(), &slot).await.unwrap();
    let archive = export(&engine, "t_acme", ExportOptions::default()).await;
    let text = String::from_utf8_lossy(&archive);
    assert!(text.contains("ours"));
    for canary in ["canary", "t_other", "\"kind\":\"key_slot\""] {
        assert!(!text.contains(canary), "{canary} is in the archive");
    }
    assert!(text.contains("key_slot documents"), "the manifest names what is left out");
    // With the sealed slots; they do not open under another id.
    let with = export(&engine, "t_acme", ExportOptions { key_slots: true, ..ExportOptions::default() }).await;
    let text = String::from_utf8_lossy(&with);
    assert!(text.contains("\"kind\":\"key_slot\"") && !text.contains("canary"));
    assert_eq!(import(&engine, &with, import_as("t_copy")).await.unwrap_err().code(), Code::OpInvalid);
    assert_eq!(record_lines(&engine, "t_copy", Env::Dev).await.len(), 1, "nothing of a refused import is visible");
    assert!(engine.store().archive().unwrap().staged().await.unwrap().is_empty(), "nor is anything of it left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_archive_taken_under_load_replays_to_the_same_canvases() {
    for on_disk in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let one = if on_disk { sqlite(&folder).await } else { memory().await };
        let ada = acme(Env::Dev);
        let mut canvases = Vec::new();
        for _ in 0..4 {
            canvases.push(fill_tenant(&one, &ada, &"long ".repeat(200)).await);
        }
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let writers: Vec<_> = canvases
            .iter()
            .cloned()
            .map(|canvas| {
                let (engine, ada, stopped) = (one.clone(), ada.clone(), stopped.clone());
                tokio::spawn(async move {
                    let mut rev = 12;
                    while !*stopped.borrow() {
                        let value = json!({ "n": rev, "text": "x".repeat(3000) });
                        let ops = json!([{ "op": "add", "path": format!("/m{}", rev % 50), "value": value }]);
                        let command = CanvasCommand::new(rev, &ops).unwrap();
                        rev = engine.canvas().command(&ada, &canvas, command).await.unwrap().rev;
                    }
                    rev
                })
            })
            .collect();
        // The export begins when all writers run, and they write until it has ended.
        while one.canvas().get(&ada, &canvases[3]).await.unwrap().head_rev < 40 {
            tokio::task::yield_now().await;
        }
        let archive = export(&one, "t_acme", ExportOptions::default()).await;
        stop.send_replace(true);
        for writer in writers {
            writer.await.unwrap();
        }
        let two = memory().await;
        import(&two, &archive, ImportOptions::default()).await.unwrap();
        let dev = scope("t_acme", Env::Dev).unwrap();
        let mut ahead = 0;
        for canvas in &canvases {
            let copy = two.canvas().snapshot(&ada, canvas, None).await.unwrap();
            let then = one.canvas().snapshot(&ada, canvas, Some(copy.rev)).await.unwrap();
            assert_eq!(copy.state_hash, then.state_hash, "at revision {}", copy.rev);
            let verified = verify_canvas(Arc::clone(two.store()), &dev, canvas).await.unwrap();
            assert_eq!((verified.head_rev, verified.differing), (copy.rev, Vec::new()));
            ahead += one.canvas().get(&ada, canvas).await.unwrap().head_rev - copy.rev;
            // The copy continues, also past what the source has written meanwhile.
            for n in 0..60 {
                let ops = json!([{ "op": "add", "path": format!("/z{n}"), "value": "y".repeat(3000) }]);
                two.canvas().command(&ada, canvas, CanvasCommand::new(copy.rev + n, &ops).unwrap()).await.unwrap();
            }
            let verified = verify_canvas(Arc::clone(two.store()), &dev, canvas).await.unwrap();
            assert_eq!(verified.differing, Vec::<u64>::new());
        }
        assert!(ahead > 0, "nothing was written during the export");
        one.shutdown().await;
    }
}

#[tokio::test]
async fn a_forked_tenant_is_independent() {
    let engine = memory().await;
    let ada = acme(Env::Dev);
    let canvas = fill_tenant(&engine, &ada, "word").await;
    let new = TenantId::new("t_copy").unwrap();
    let forked = archives(&engine).fork(&owner(&engine, "t_acme"), &operator(&engine), &new, None).await.unwrap();
    assert_eq!((forked.tenant.as_str(), forked.envs.as_slice()), ("t_copy", &[Env::Dev][..]));
    assert_eq!(record_lines(&engine, "t_copy", Env::Dev).await, record_lines(&engine, "t_acme", Env::Dev).await);
    let theirs = context("t_copy", "ada", Role::Owner).unwrap();
    let ops = json!([{ "op": "add", "path": "/only", "value": "in the copy" }]);
    engine.canvas().command(&theirs, &canvas, CanvasCommand::new(12, &ops).unwrap()).await.unwrap();
    assert_eq!(engine.canvas().get(&ada, &canvas).await.unwrap().head_rev, 12);
    // Readers see the id of the copy: the stored data does not name the tenant.
    let key = StreamKey::canvas(&canvas);
    let events = engine.store().read(theirs.scope(), &key, Seq::ZERO, 1).await.unwrap();
    let cursor = Cursor::single(engine.store().log_id(), theirs.scope(), &key, Seq(1));
    let envelope = engines::core::Envelope::durable(theirs.scope(), &key, &events[0], &cursor);
    let text = serde_json::to_string(&envelope).unwrap();
    assert!(text.contains("t_copy") && !text.contains("t_acme"), "{text}");
    let listed = engine.events().list(&theirs, &EventFilter::default(), PageRequest::first(1)).await.unwrap();
    assert_eq!(listed.items.len(), 1);
    // A cursor of the source is not valid here.
    let source = Cursor::single(engine.store().log_id(), ada.scope(), &key, Seq(5));
    let refused = source.resume(engine.store().log_id(), theirs.scope(), std::slice::from_ref(&key)).unwrap_err();
    assert_eq!(refused.code(), Code::CursorInvalid);
    // The id is now taken.
    let again = archives(&engine).fork(&owner(&engine, "t_acme"), &operator(&engine), &new, None).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
}

#[tokio::test]
async fn cursors_of_the_source_give_replay_miss_after_an_import() {
    let (one, two) = (memory().await, memory().await);
    let canvas = fill_tenant(&one, &acme(Env::Dev), "word").await;
    let key = StreamKey::canvas(&canvas);
    let dev = scope("t_acme", Env::Dev).unwrap();
    let cursor = Cursor::single(one.store().log_id(), &dev, &key, Seq(5));
    let archive = export(&one, "t_acme", ExportOptions::default()).await;
    import(&two, &archive, ImportOptions::default()).await.unwrap();
    let resumed = cursor.resume(two.store().log_id(), &dev, std::slice::from_ref(&key)).unwrap();
    assert_eq!(resumed, ResumePoint::OtherLog);
    // Back into its own store, after it was removed there: only with a new id of the log.
    let before: LogId = one.store().log_id();
    loop {
        let step = one.store().remove(&dev, &engines::core::nexus::Removal::Scope, 1000, None).await.unwrap();
        if step.done {
            break;
        }
    }
    let refused = import(&one, &archive, ImportOptions::default()).await.unwrap_err();
    assert_eq!((refused.code(), one.store().log_id()), (Code::AlreadyExists, before));
    let options = ImportOptions { new_log: true, ..ImportOptions::default() };
    let imported = import(&one, &archive, options).await.unwrap();
    assert_eq!(imported.new_log, Some(one.store().log_id()));
    assert_ne!(one.store().log_id(), before);
    assert_eq!(cursor.resume(one.store().log_id(), &dev, &[key]).unwrap(), ResumePoint::OtherLog);
}

#[tokio::test]
async fn only_owners_export_and_only_the_control_plane_imports() {
    let engine = memory().await;
    fill_tenant(&engine, &acme(Env::Dev), "word").await;
    fill_tenant(&engine, &acme(Env::Prod), "word").await;
    let archives = archives(&engine);
    for role in [Role::Viewer, Role::Member, Role::Admin] {
        let ada = context("t_acme", "ada", role).unwrap();
        let refused = archives.export(&ada, ExportOptions::default(), Vec::new()).await.unwrap_err();
        assert_eq!(refused.code(), Code::RoleInsufficient);
    }
    // A credential exports its own environment.
    let (archive, manifest) = archives.export(&acme(Env::Dev), ExportOptions::default(), Vec::new()).await.unwrap();
    assert_eq!(manifest.header.envs, [Env::Dev]);
    let options = ExportOptions { envs: vec![Env::Prod], ..ExportOptions::default() };
    let refused = archives.export(&acme(Env::Dev), options, Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ContextMismatch);
    let read = |bytes: &[u8]| std::io::Cursor::new(bytes.to_vec());
    for ours in [acme(Env::Dev), owner(&engine, "t_acme")] {
        let refused = archives.import(&ours, read(&archive), import_as("t_copy")).await.unwrap_err();
        assert_eq!(refused.code(), Code::TenantForbidden);
    }
    let refused = archives.import(&operator(&engine), read(&archive), import_as("t_system")).await.unwrap_err();
    assert_eq!(refused.code(), Code::OpInvalid);
    let nothing = archives.export(&owner(&engine, "t_nobody"), ExportOptions::default(), Vec::new()).await.unwrap_err();
    assert_eq!(nothing.code(), Code::NotFound);
    // A damaged archive leaves nothing behind.
    let mut damaged = archive.clone();
    let place = damaged.windows(4).position(|bytes| bytes == b"word").unwrap();
    damaged[place] = b'W';
    let refused = archives.import(&operator(&engine), read(&damaged), import_as("t_copy")).await.unwrap_err();
    assert_eq!(refused.code(), Code::HashMismatch);
    assert_eq!(record_lines(&engine, "t_copy", Env::Dev).await.len(), 1);
    assert!(engine.store().archive().unwrap().staged().await.unwrap().is_empty());
}

/// Returns the archive of a tenant whose events contain `text` and were not scrubbed, as in a modified archive.
async fn archive_with(text: &str) -> Vec<u8> {
    let engine = memory().await;
    fill_tenant(&engine, &acme(Env::Dev), "word").await;
    let archive = engine.store().archive().unwrap();
    let raw = scope("t_raw", Env::Dev).unwrap();
    let snapshot = archive.snapshot(acme(Env::Dev).scope()).await.unwrap();
    for section in Section::ALL {
        let mut records = snapshot.records(section, PageRequest::first(10_000)).await.unwrap().items;
        for record in &mut records {
            if let ArchiveRecord::Event(position, event) = record {
                *position = None;
                event.body = RawValue::from_string(event.body.get().replace("word", text)).unwrap();
                event.surface = format!("desk of {text}");
            }
        }
        archive.stage(&raw, records, "").await.unwrap();
    }
    let batch = Batch::new(engines::Timestamp::from_secs(1_770_000_000));
    archive.publish(Publication { scopes: vec![raw], mark: None, batch }).await.unwrap();
    export(&engine, "t_raw", ExportOptions::default()).await
}

#[tokio::test]
async fn events_of_an_archive_are_scrubbed_before_they_are_stored() {
    let archive = archive_with("ann.smith@example.org").await;
    assert!(String::from_utf8_lossy(&archive).contains("ann.smith@example.org"), "the archive has nothing to scrub");
    let engine = memory().await;
    import(&engine, &archive, ImportOptions::default()).await.unwrap();
    let events = |tenant: &'static str| {
        let lines = record_lines(&engine, tenant, Env::Dev);
        async move { lines.await.into_iter().filter(|line| line.contains("\"pii_flags\"")).collect::<Vec<_>>() }
    };
    let stored = events("t_raw").await;
    assert_eq!(stored.len(), 7);
    for line in &stored {
        assert!(!line.contains("ann.smith") && line.contains("[EMAIL_ADDRESS]"), "{line}");
        assert!(line.contains("\"EMAIL_ADDRESS\":2"), "{line}");
    }
    // Scrubbed events are imported unchanged.
    let scrubbed = export(&engine, "t_raw", ExportOptions::default()).await;
    import(&engine, &scrubbed, import_as("t_copy")).await.unwrap();
    assert_eq!(events("t_copy").await, stored);
}
