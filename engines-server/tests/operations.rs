//! The commands on data: `tenant`, `migrate`, `doctor`, `settings`.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use engines::{
    ActorType, Engine, Env, ResourceId, Role, Scope, Timestamp,
    auth::{JwtSettings, RootKey, SigningSecret},
    core::{
        DocId, Store,
        nexus::{Batch, DocumentKind, Expect, Idempotency, NewDocument},
        testing::{context_in, scope},
    },
    storage::{
        SqliteOptions, SqliteStore,
        migration::{all_scopes, snapshot_digest},
    },
    stream::canvas::{CanvasCommand as Edit, CanvasSettings, NewCanvas},
};
use engines_server::config::{Flags, Settings, load, tables, to_markdown, to_toml};
use serde_json::{Value, json};

const NOTE: DocumentKind = DocumentKind::from_static("note");
const SECRET: &str = "0123456789abcdef0123456789abcdef-signing-of-tests";

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engines-server"));
    for secret in ["AUTH_JWT_SIGNING", "ROOT_KEY", "SYSTEM_BOOTSTRAP_KEY", "SEAL_KEYS", "VAULT_KEY"] {
        command.env_remove(secret).env_remove(format!("{secret}_FILE"));
    }
    command.env("AUTH_JWT_SIGNING", SECRET).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Creates a data folder as `serve` does, with a canvas of `t_acme`.
async fn deployment() -> (tempfile::TempDir, PathBuf, ResourceId) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    let key = "a root key for tests alone, which stays the same";
    fs::write(data.join("root.key"), key).unwrap();
    fs::set_permissions(data.join("root.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let engine = Engine::builder()
        .sqlite(data.join("engines.db"))
        .signing_secret(SigningSecret::new(SECRET).unwrap())
        .jwt(JwtSettings::default())
        .root_key(RootKey::new(key).unwrap())
        .build()
        .await
        .unwrap();
    let ada = context_in("t_acme", Env::Dev, "ada", ActorType::Human, Role::Owner).unwrap();
    let canvas = engine.canvas().create(&ada, NewCanvas::default()).await.unwrap().canvas_id;
    // Enough to keep some snapshots.
    let least = CanvasSettings::default().snapshot_bytes;
    let long = "x".repeat(least / 8);
    for n in 0..40 {
        let ops = json!([{ "op": "add", "path": format!("/n{}", n % 4), "value": long }]);
        engine.canvas().command(&ada, &canvas, Edit::new(n, &ops).unwrap()).await.unwrap();
    }
    engine.shutdown().await;
    (folder, data, canvas)
}

/// Adds `count` documents and receipts to a scope of a data folder.
async fn add_documents(data: &Path, tenant: &str, count: usize) {
    let store = SqliteStore::open(data.join("engines.db"), SqliteOptions::default()).unwrap();
    let scope = scope(tenant, Env::Prod).unwrap();
    for n in 0..count / 500 {
        let once =
            Idempotency { namespace: "bulk".into(), key: format!("k{n}"), fingerprint: [1; 32], note: String::new() };
        let mut batch = Batch::new(Timestamp::from_secs(1_770_000_000)).with_idempotency(once);
        for of in 0..500 {
            let id: DocId = format!("d{n}-{of}").parse().unwrap();
            batch = batch.put(NewDocument::new(NOTE, id, &"y".repeat(200)).unwrap().tag("all"), Expect::Absent);
        }
        store.commit(&scope, batch).await.unwrap();
    }
    store.close().await;
}

/// Returns the content of a data file by scope.
async fn content(path: &Path) -> BTreeMap<Scope, (u64, [u8; 32])> {
    let store = SqliteStore::open(path, SqliteOptions::default()).unwrap();
    let mut found = BTreeMap::new();
    {
        let archive = store.archive().unwrap();
        for scope in all_scopes(&store).await.unwrap() {
            let of_scope = snapshot_digest(&*archive.snapshot(&scope).await.unwrap()).await.unwrap();
            found.insert(scope, of_scope);
        }
    }
    store.close().await;
    found
}

#[test]
fn the_printed_settings_are_the_defaults_and_every_key_has_a_comment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engines.toml");
    fs::write(&path, said(&run(&["settings"]))).unwrap();
    let settings = load(&Flags { config: Some(path), ..Flags::default() }, &BTreeMap::new()).unwrap();
    assert_eq!(settings, Settings::default());
    let (mut keys, tables) = (Vec::new(), tables().unwrap());
    for table in &tables {
        assert!(table.path.is_empty() || !table.comment.is_empty(), "[{}] has no comment", table.path.join("."));
        for entry in &table.entries {
            assert!(!entry.comment.is_empty(), "{} has no comment", entry.key());
            keys.push(entry.key());
        }
    }
    // The output also has settings without a default, and a setting of each crate.
    for key in ["auth.root_key_file", "limits.body_bytes", "identity.login_per_account.burst", "sqlite.snapshot_ms"] {
        let known = keys.iter().any(|known| known == key);
        let renamed = key.starts_with("identity.") && keys.iter().any(|known| known.ends_with(".burst"));
        assert!(known || renamed, "{key} is missing of {keys:?}");
    }
    let printed = to_toml().unwrap();
    for table in tables {
        for entry in table.entries {
            let name = entry.path.last().unwrap();
            assert!(
                printed.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{name} ="))),
                "{name}"
            );
        }
    }
}

#[test]
fn the_page_of_the_documentation_is_what_the_program_prints() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let wanted = to_markdown().unwrap();
    assert!(
        fs::read_to_string(&page).unwrap_or_default() == wanted,
        "docs/configuration.md is not up to date: engines-server settings --markdown > docs/configuration.md"
    );
    assert_eq!(said(&run(&["settings", "--markdown"])).trim_end(), wanted.trim_end());
    assert!(wanted.lines().all(|line| line.chars().count() <= 120));
}

#[test]
fn help_lists_the_variables_of_secrets() {
    let help = said(&run(&["--help"]));
    for variable in ["AUTH_JWT_SIGNING", "ROOT_KEY", "SYSTEM_BOOTSTRAP_KEY", "SEAL_KEYS", "VAULT_KEY", "_FILE"] {
        assert!(help.contains(variable), "{variable} is not in the help text");
    }
}

#[tokio::test]
async fn a_tenant_is_exported_imported_and_forked_on_the_command_line() {
    let (folder, data, _) = deployment().await;
    let archive = folder.path().join("acme.tar");
    let export = ["tenant", "export", "t_acme", "--out", text(&archive), "--data", text(&data)];
    let exported = said(&run(&export));
    assert!(exported.contains("exported t_acme") && exported.contains("stream_events 40"), "{exported}");
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
    let again = run(&export);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("already exists"));
    let import = |name: &str| run(&["tenant", "import", text(&archive), "--as", name, "--data", text(&data)]);
    assert!(said(&import("t_copy")).starts_with("imported t_copy: dev,"));
    assert_eq!(import("t_copy").status.code(), Some(1), "the name is taken");
    assert_eq!(import("no tenant").status.code(), Some(1));
    let fork = ["tenant", "fork", "t_acme", "--as", "t_fork", "--data", text(&data)];
    assert!(said(&run(&fork)).starts_with("forked t_fork: dev,"));
    let found = content(&data.join("engines.db")).await;
    let of = |tenant: &str| found.get(&scope(tenant, Env::Dev).unwrap()).unwrap().0;
    assert_eq!(of("t_copy") + 1, of("t_fork"), "the fork has the audit record of the fork too");

    // Beside a server, the archive is written and the data are not changed.
    let server = SqliteStore::open(data.join("engines.db"), SqliteOptions::default()).unwrap();
    let beside = folder.path().join("beside.tar");
    let output = run(&["tenant", "export", "t_copy", "--out", text(&beside), "--data", text(&data)]);
    assert!(said(&output).contains("no audit record"), "{output:?}");
    let refused = run(&["tenant", "import", text(&beside), "--as", "t_more", "--data", text(&data)]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("in use"), "{refused:?}");
    server.close().await;
    assert_eq!(content(&data.join("engines.db")).await, found);
}

/// Runs a command repeatedly and kills it after a growing time, until it succeeds. It also ends when the command
/// reports that an earlier run has succeeded: one that was killed after its last write, while it closed the store.
fn kill_until_done(arguments: &[&str], said_when_done: &str) -> usize {
    for kills in 0..400 {
        let mut child = program().args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = std::time::Instant::now();
        let wait = Duration::from_millis(20 + 10 * kills as u64);
        while begun.elapsed() < wait {
            if let Some(status) = child.try_wait().unwrap() {
                let output = child.wait_with_output().unwrap();
                let done = kills > 0 && String::from_utf8_lossy(&output.stderr).contains(said_when_done);
                assert!(status.success() || done, "{output:?}");
                return kills;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    panic!("it never ends");
}

#[tokio::test]
async fn a_killed_import_leaves_nothing_visible_and_can_be_begun_again() {
    let (folder, data, _) = deployment().await;
    add_documents(&data, "t_acme", 10_000).await;
    let archive = folder.path().join("acme.tar");
    said(&run(&["tenant", "export", "t_acme", "--out", text(&archive), "--data", text(&data)]));
    let (target, copy) = (folder.path().join("target"), scope("t_copy", Env::Prod).unwrap());
    fs::create_dir(&target).unwrap();
    SqliteStore::open(target.join("engines.db"), SqliteOptions::default()).unwrap().close().await;
    let import = ["tenant", "import", text(&archive), "--as", "t_copy", "--data", text(&target)];
    // One run is certainly killed in the middle: as soon as data are staged.
    let mut child = program().args(import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while fs::metadata(target.join("engines.db-wal")).map_or(0, |log| log.len()) < 400_000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!content(&target.join("engines.db")).await.contains_key(&copy), "a part of it is visible");
    kill_until_done(&import, "a tenant with this id exists");
    let (wanted, found) = (content(&data.join("engines.db")).await, content(&target.join("engines.db")).await);
    assert_eq!(found[&copy], wanted[&scope("t_acme", Env::Prod).unwrap()]);
}

#[tokio::test]
async fn a_killed_migration_goes_on_and_the_target_is_the_same() {
    let (folder, data, _) = deployment().await;
    add_documents(&data, "t_acme", 5_000).await;
    add_documents(&data, "t_other", 5_000).await;
    let (source, target) = (data.join("engines.db"), folder.path().join("moved.db"));
    let wanted = content(&source).await;
    let (from, to) = (format!("sqlite:{}", text(&source)), format!("sqlite:{}", text(&target)));
    let migrate = ["migrate", "--from", &from, "--to", &to];
    let mut child = program().args(migrate).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while fs::metadata(folder.path().join("moved.db-wal")).map_or(0, |log| log.len()) < 400_000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(content(&target).await.is_empty(), "a part of it is visible");
    kill_until_done(&migrate, "the target holds something already");
    assert_eq!(content(&target).await, wanted);
    let log = |path: &Path| SqliteStore::open(path, SqliteOptions::default()).unwrap().log_id();
    assert_eq!(log(&target), log(&source));
    // A trial into memory, and a source that does not exist.
    assert!(said(&run(&["migrate", "--from", &from, "--to", "memory:"])).contains("migrated"));
    for (from, to) in [("sqlite:/nowhere/x.db", "memory:"), (&*from, "postgres://x"), ("memory:", &*to), (&*from, &*to)]
    {
        assert_eq!(run(&["migrate", "--from", from, "--to", to]).status.code(), Some(1), "{from} to {to}");
    }
    // The settings of `[sqlite]` are read before a store is opened.
    let config = folder.path().join("engines.toml");
    fs::write(&config, "[sqlite]\nreaders = \"many\"\n").unwrap();
    let refused = run(&["migrate", "--from", &from, "--to", "memory:", "--config", text(&config)]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("sqlite.readers"), "{refused:?}");
    fs::write(&config, "[sqlite]\nreaders = 2\n").unwrap();
    assert!(
        said(&run(&["migrate", "--from", &from, "--to", "memory:", "--config", text(&config)])).contains("migrated")
    );
}

fn doctor(data: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let output = program().args(["doctor", "--json", "--data"]).arg(data).args(more).output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), report)
}

/// Returns the checks that found a problem.
fn problems(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().unwrap().iter();
    let bad = |check: &&Value| check["findings"].as_array().unwrap().iter().any(|found| found["level"] == "problem");
    checks.filter(bad).map(|check| check["check"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn doctor_finds_what_is_wrong_and_changes_nothing() {
    let (_folder, data, canvas) = deployment().await;
    let before = fs::read(data.join("engines.db")).unwrap();
    let (code, report) = doctor(&data, &["--deep"]);
    assert_eq!((code, problems(&report)), (Some(0), Vec::<&str>::new()), "{report:#}");
    assert!(report.to_string().contains("1 canvases and 40 commits were replayed"), "{report:#}");
    assert_eq!(fs::read(data.join("engines.db")).unwrap(), before);
    // The report for people.
    let output = program().args(["doctor", "--data"]).arg(&data).output().unwrap();
    assert!(said(&output).ends_with("no problems\n"));
    // The report beside a server.
    let server = SqliteStore::open(data.join("engines.db"), SqliteOptions::default()).unwrap();
    let (code, report) = doctor(&data, &[]);
    assert_eq!((code, report["in_use"].as_bool()), (Some(0), Some(true)), "{report:#}");
    server.close().await;
    // The checks could not run.
    assert_eq!(doctor(&data.join("nowhere"), &[]).0, Some(3));
    assert_eq!(doctor(&data, &["--config", "/nowhere/engines.toml"]).0, Some(3));

    // Wrong modes, and another key.
    fs::set_permissions(data.join("root.key"), fs::Permissions::from_mode(0o644)).unwrap();
    // The key is not read while others can read it, as when the server starts.
    assert_eq!(problems(&doctor(&data, &[]).1), ["files", "root_key"]);
    fs::write(data.join("root.key"), "another root key for tests alone, not the same").unwrap();
    fs::set_permissions(data.join("root.key"), fs::Permissions::from_mode(0o600)).unwrap();
    // Others may list the folder, as at the start of the server, but not read the files of the store.
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(data.join("engines.db.created"), fs::Permissions::from_mode(0o644)).unwrap();
    let report = doctor(&data, &[]).1;
    assert!(problems(&report).contains(&"files"), "{report:#}");
    assert!(report.to_string().contains("engines.db.created has mode 0644"), "{report:#}");
    fs::set_permissions(data.join("engines.db.created"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(problems(&doctor(&data, &[]).1), ["root_key"]);
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    // The start of the server recorded the fingerprint of the key, so another key is a problem.
    let (code, report) = doctor(&data, &[]);
    assert_eq!((code, problems(&report)), (Some(1), vec!["root_key"]), "{report:#}");
    fs::write(data.join("root.key"), "a root key for tests alone, which stays the same").unwrap();

    // Settings that contradict each other.
    let config = data.join("engines.toml");
    fs::write(&config, "[limits]\npage_default = 600\n").unwrap();
    assert_eq!(problems(&doctor(&data, &["--config", text(&config)]).1), ["settings"]);

    // A snapshot that differs from the replayed commits.
    let store = Arc::new(SqliteStore::open(data.join("engines.db"), SqliteOptions::default()).unwrap());
    let dev = scope("t_acme", Env::Dev).unwrap();
    let kind = DocumentKind::from_static("canvas_snapshot");
    let query = engines::core::nexus::DocumentQuery::of_kind(kind).tag(format!("canvas:{canvas}"));
    let found = store.query(&dev, &query, engines::core::nexus::PageRequest::first(1)).await.unwrap().items.remove(0);
    let mut body: Value = found.decode().unwrap();
    body["state"]["n0"] = "changed".into();
    let mut changed = NewDocument::new(found.kind, found.id, &body).unwrap();
    changed.tags = found.tags;
    store.commit(&dev, Batch::new(Timestamp::from_secs(1)).put(changed, Expect::Present)).await.unwrap();
    // A time that is far ahead of the clock.
    let once = Idempotency { namespace: "r".into(), key: "k".into(), fingerprint: [1; 32], note: String::new() };
    let ahead = Batch::new(Timestamp::from_secs(4_000_000_000)).with_idempotency(once);
    let note = NewDocument::new(NOTE, "n".parse::<DocId>().unwrap(), &1).unwrap();
    store.commit(&dev, ahead.put(note, Expect::Absent)).await.unwrap();
    store.close().await;
    let (code, report) = doctor(&data, &[]);
    assert_eq!((code, problems(&report)), (Some(1), vec!["clock", "canvases"]), "{report:#}");
    assert!(report.to_string().contains(canvas.as_str()), "{report:#}");

    // A damaged file.
    let mut bytes = fs::read(data.join("engines.db")).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    fs::write(data.join("engines.db"), bytes).unwrap();
    let (code, report) = doctor(&data, &[]);
    assert_eq!(code, Some(1));
    assert!(problems(&report).contains(&"integrity"), "{report:#}");
}
