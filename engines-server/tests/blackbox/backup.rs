//! Backups of a server while clients write to it, and restores of these backups.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    client::Client,
    crash::{Acknowledged, check_canvas, check_thread, edit, talk},
    server::Server,
};

const PASSPHRASE: &str = "a passphrase of the black-box tests";

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engines-server"));
    command.arg("backup").args(args).env("BACKUP_PASSPHRASE", PASSPHRASE);
    command
}

/// Runs `engines-server backup …`.
async fn backup(args: &[&str]) -> Output {
    let mut command = command(args);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn done(args: &[&str]) -> String {
    let output = backup(args).await;
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn refused(args: &[&str]) -> String {
    let output = backup(args).await;
    assert!(!output.status.success(), "{args:?} was done: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Clients that write to two canvases and a thread until they are stopped.
struct Writers {
    over: Arc<AtomicBool>,
    editors: Vec<(String, tokio::task::JoinHandle<Acknowledged>)>,
    talker: tokio::task::JoinHandle<Acknowledged>,
}

impl Writers {
    async fn start(server: &Server) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let mut admin = server.client("admin");
        admin.insist("POST", "/chat/threads", Some(&json!({"thread_id": "t"}))).await;
        let mut editors = Vec::new();
        for n in 0..2 {
            let id = format!("c{n}");
            admin.insist("POST", "/canvas", Some(&json!({"canvas_id": id}))).await;
            let edits = edit(server.client(&format!("editor{n}")), id.clone(), n, Arc::clone(&over));
            editors.push((id, tokio::spawn(edits)));
        }
        let talker = tokio::spawn(talk(server.client("talker"), 0, Arc::clone(&over)));
        Self { over, editors, talker }
    }

    async fn stop(self) -> (HashMap<String, Acknowledged>, Acknowledged) {
        self.over.store(true, Ordering::SeqCst);
        let mut edits = HashMap::new();
        for (id, editor) in self.editors {
            edits.insert(id, editor.await.unwrap());
        }
        (edits, self.talker.await.unwrap())
    }
}

/// Returns the revisions that the server has acknowledged before a backup begins.
async fn heads(client: &mut Client) -> HashMap<String, u64> {
    let mut heads = HashMap::new();
    for id in ["c0", "c1"] {
        let (_, canvas) = client.insist("GET", &format!("/canvas/{id}"), None).await;
        heads.insert(id.to_owned(), canvas["head_rev"].as_u64().unwrap());
    }
    heads
}

/// Posts a message and returns its position in the thread.
async fn post(client: &mut Client, text: &str) -> u64 {
    let message = json!({"text": text, "idempotency_key": text});
    let (status, answer) = client.insist("POST", "/chat/threads/t/messages", Some(&message)).await;
    assert_eq!(status, 201, "{answer}");
    answer["seq"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_busy_server_restores_all_that_was_acknowledged_before_it() {
    let mut server = Server::start_with(&[("BACKUP_PASSPHRASE", PASSPHRASE)]).await;
    let writers = Writers::start(&server).await;
    let mut client = server.client("reader");
    sleep(Duration::from_millis(500)).await;
    let mut before = heads(&mut client).await;
    before.insert("t".to_owned(), post(&mut client, "before").await);
    let backups = server.folder().join("backups");
    let made: Value =
        serde_json::from_str(&done(&["create", "--data", text(server.data()), "--to", text(&backups), "--json"]).await)
            .unwrap();
    let (edits, said) = writers.stop().await;
    let mut after = heads(&mut client).await;
    after.insert("t".to_owned(), post(&mut client, "after").await);
    // A cursor of the old log, in the middle of the data in the backup.
    let mut events = client.events("/sse/chat/t?from=start").await.unwrap();
    let cursor = events.next().await.unwrap()["cursor"].as_str().unwrap().to_owned();
    drop(events);
    let states: Vec<Value> = {
        let mut states = Vec::new();
        for id in ["c0", "c1"] {
            states.push(client.insist("GET", &format!("/canvas/{id}/snapshot"), None).await.1);
        }
        states
    };
    assert!(server.stop().await);

    let id = made["id"].as_str().unwrap();
    let listed = done(&["list", "--from", text(&backups)]).await;
    assert!(listed.contains(id) && listed.contains("sealed"), "{listed}");
    let verified = done(&["verify", id, "--from", text(&backups), "--json"]).await;
    let verified: Value = serde_json::from_str(&verified).unwrap();
    assert_eq!((&verified["root_key"], &verified["canvases"]), (&json!(true), &json!(2)), "{verified}");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let told = done(&["restore", text(&data), "latest", "--from", text(&backups)]).await;
    assert!(told.contains(id) && told.contains(made["as_of"].as_str().unwrap()), "{told}");
    assert_eq!(fs::read(data.join("root.key")).unwrap(), fs::read(server.data().join("root.key")).unwrap());

    let mut restored = Server::start_on(folder, data, &[]).await;
    let mut client = restored.client("reader");
    let mut found = heads(&mut client).await;
    found.insert("t".to_owned(), post(&mut client, "restored").await - 1);
    for (stream, head) in &found {
        let (least, most) = (before[stream], after[stream]);
        assert!((least..=most).contains(head), "{stream}: {head} came back, {least} were acknowledged before");
    }
    // All restored writes were acknowledged, and each canvas has the state that its log gives.
    for (id, edits) in edits {
        let kept: Acknowledged = edits.into_iter().filter(|(_, rev, _)| *rev <= found[&id]).collect();
        check_canvas(&mut client, &id, kept).await;
    }
    check_thread(&mut client, said.into_iter().filter(|(_, seq, _)| *seq <= found["t"]).collect()).await;
    for (id, state) in ["c0", "c1"].into_iter().zip(states) {
        // The same revision had the same state before the restore.
        let rev = found[id];
        let (_, now) = client.insist("GET", &format!("/canvas/{id}/snapshot?rev={rev}"), None).await;
        if state["rev"] == rev {
            assert_eq!(now["state_hash"], state["state_hash"]);
        }
    }
    // The old cursor is not valid in the new log.
    let mut events = client.events(&format!("/sse/chat/t?cursor={cursor}")).await.unwrap();
    let first = events.next().await.unwrap();
    assert!(first.to_string().contains("REPLAY_MISS"), "{first}");
    assert!(restored.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_or_missing_key_is_refused_before_anything_is_restored() {
    let mut server = Server::start().await;
    let backups = server.folder().join("backups");
    let (data, place) = (server.data().to_owned(), text(&backups).to_owned());
    done(&["create", "--data", text(&data), "--to", &place]).await;
    assert!(server.stop().await);
    // A backup without a running server and without a passphrase: the key lies beside the data and is not in the
    // backup.
    let mut apart = command(&["create", "--data", text(&data), "--to", &place]);
    apart.env_remove("BACKUP_PASSPHRASE");
    let made = tokio::task::spawn_blocking(move || apart.output().unwrap()).await.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let target = server.folder().join("restored");
    let target = text(&target);
    let said = refused(&["restore", target, "latest", "--from", &place]).await;
    assert!(said.contains("fingerprint") && said.contains("kept apart"), "{said}");
    let wrong = server.folder().join("wrong.key");
    fs::write(&wrong, "7c1e5a90d24bf3868ab0417e5d9c2f63").unwrap();
    fs::set_permissions(&wrong, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let said = refused(&["restore", target, "latest", "--from", &place, "--root-key-file", text(&wrong)]).await;
    assert!(said.contains("fingerprint"), "{said}");
    let said = refused(&["verify", "latest", "--from", &place, "--root-key-file", text(&wrong)]).await;
    assert!(said.contains("fingerprint"), "{said}");
    assert!(!Path::new(target).exists());
    let key = data.join("root.key");
    done(&["restore", target, "latest", "--from", &place, "--root-key-file", text(&key)]).await;
    assert_eq!(fs::read(Path::new(target).join("root.key")).unwrap(), fs::read(key).unwrap());
    let said = refused(&["restore", target, "latest", "--from", &place, "--without-root-key"]).await;
    assert!(said.contains("not empty"), "{said}");
    // No manifest contains a secret.
    let secret = fs::read_to_string(data.join("root.key")).unwrap();
    for entry in fs::read_dir(&backups).unwrap() {
        let manifest = entry.unwrap().path().join("manifest.json");
        if let Ok(text) = fs::read_to_string(manifest) {
            assert!(!text.contains(secret.trim()) && !text.contains(PASSPHRASE));
        }
    }
}

/// Returns the paths in a folder that are named like an unfinished backup or restore.
fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .filter(|path| {
            path.file_name().unwrap().to_string_lossy().contains("partial-")
                || path.file_name().unwrap().to_string_lossy().contains(".restore-")
        })
        .collect()
}

/// Kills a process as soon as `when` holds. Returns whether it was still running.
async fn kill_when(mut child: Child, when: impl Fn() -> bool) -> bool {
    for _ in 0..20_000 {
        if when() {
            child.kill().unwrap();
            return !child.wait().unwrap().success();
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        sleep(Duration::from_micros(500)).await;
    }
    panic!("it hangs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_cut_off_by_kill_9_is_not_listed_as_complete() {
    // The backup is slow enough to be killed in the middle: about a second for each quarter of a MiB.
    let slow = [("ENGINES_BACKUP__BYTES_PER_S", "262144")];
    let mut server = Server::start_with(&slow).await;
    let mut admin = server.client("admin");
    admin.insist("POST", "/chat/threads", Some(&json!({"thread_id": "t"}))).await;
    for n in 0..100 {
        let message = json!({"text": "x".repeat(8000), "idempotency_key": format!("m{n}")});
        assert_eq!(admin.insist("POST", "/chat/threads/t/messages", Some(&message)).await.0, 201);
    }
    let backups = server.folder().join("backups");
    let (data, place) = (text(server.data()).to_owned(), text(&backups).to_owned());

    // The server is killed while it makes a backup. The client that requested it gets an error.
    let asker = {
        let (data, place) = (data.clone(), place.clone());
        tokio::spawn(async move { refused(&["create", "--data", &data, "--to", &place]).await })
    };
    while unfinished(&backups).is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    server.kill();
    let said = asker.await.unwrap();
    assert!(said.contains("stopped"), "{said}");
    assert!(!unfinished(&backups).is_empty());
    assert!(done(&["list", "--from", &place]).await.contains("no backup"));

    // The command itself is killed, without a server.
    let old = unfinished(&backups);
    let child = command(&["create", "--data", &data, "--to", &place])
        .env("ENGINES_BACKUP__BYTES_PER_S", "262144")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(kill_when(child, || unfinished(&backups).iter().any(|path| !old.contains(path))).await);
    assert!(done(&["list", "--from", &place]).await.contains("no backup"));

    // The next backup is complete and removes the leftovers.
    done(&["create", "--data", &data, "--to", &place]).await;
    assert!(unfinished(&backups).is_empty());

    // A restore is killed at several moments.
    let target = server.folder().join("restored");
    let restore = ["restore", text(&target), "latest", "--from", &place, "--without-root-key"];
    let mut killed = 0;
    for _ in 0..5 {
        let old = unfinished(server.folder());
        let child = command(&restore).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = || unfinished(server.folder()).iter().any(|path| !old.contains(path));
        if kill_when(child, begun).await {
            killed += 1;
            assert!(!target.exists(), "a part of a restore is in place");
        } else {
            fs::remove_dir_all(&target).unwrap();
        }
    }
    assert!(killed > 0, "it was never killed in time");
    done(&restore).await;
    assert!(unfinished(server.folder()).is_empty(), "{:?}", unfinished(server.folder()));
    assert!(target.join("engines.db").is_file());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_backup_of_a_running_server_is_refused() {
    let mut server = Server::start_with(&[("ENGINES_BACKUP__BYTES_PER_S", "65536")]).await;
    let mut admin = server.client("admin");
    admin.insist("POST", "/chat/threads", Some(&json!({"thread_id": "t"}))).await;
    for n in 0..60 {
        let message = json!({"text": "x".repeat(8000), "idempotency_key": format!("m{n}")});
        assert_eq!(admin.insist("POST", "/chat/threads/t/messages", Some(&message)).await.0, 201);
    }
    let backups = server.folder().join("backups");
    let (data, place) = (text(server.data()).to_owned(), text(&backups).to_owned());
    let first = {
        let (data, place) = (data.clone(), place.clone());
        tokio::spawn(async move { backup(&["create", "--data", &data, "--to", &place]).await })
    };
    while unfinished(&backups).is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let other = server.folder().join("others");
    let said = refused(&["create", "--data", &data, "--to", text(&other)]).await;
    assert!(said.contains("a backup is being made"), "{said}");
    // SIGTERM does not wait for the backup.
    assert!(server.stop().await);
    assert!(!first.await.unwrap().status.success());
    assert!(!other.join("manifest.json").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scheduled_backups_are_made_counted_and_pruned() {
    let place = tempfile::tempdir().unwrap();
    let metrics = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut server = Server::start_with(&[
        ("ENGINES_BACKUP__DESTINATION", text(place.path())),
        ("ENGINES_BACKUP__EVERY_S", "1"),
        ("ENGINES_BACKUP__KEEP_LAST", "2"),
        ("ENGINES_METRICS__LISTEN", &metrics),
    ])
    .await;
    let seen = AtomicU64::new(0);
    let mut scrape = Client::new(metrics.clone(), String::new());
    for _ in 0..600 {
        let counted = scrape.text("/metrics").await.unwrap_or_default();
        let value = |name: &str| {
            let line = counted.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
            line.trim().parse::<f64>().unwrap()
        };
        seen.store(value("engines_backups_total{outcome=\"succeeded\"}") as u64, Ordering::SeqCst);
        if seen.load(Ordering::SeqCst) >= 4 {
            assert!(value("engines_backup_last_success_timestamp_seconds") > 1.7e9, "{counted}");
            assert!(value("engines_backup_last_size_bytes") > 0.0);
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(seen.load(Ordering::SeqCst) >= 4, "no backups were made");
    assert!(server.stop().await);
    let kept = fs::read_dir(place.path()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert!((2..=3).contains(&kept), "{kept} are kept");
}
