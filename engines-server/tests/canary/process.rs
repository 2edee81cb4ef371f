//! The output of the program, and the files that it leaves when it is killed.
#![cfg(feature = "cli")]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use crate::{
    canaries::{self, Canary},
    fixture::{admin, files},
    inputs::event,
    outputs::Catcher,
    support::{SECRET, acme},
};

/// Returns the canaries that the engine finds without a configuration.
fn known() -> Vec<Canary> {
    let told = ["DENY_LIST", "NATIONAL_ID", canaries::PERSON];
    canaries::all().into_iter().filter(|canary| !told.contains(&canary.entity.name())).collect()
}

#[tokio::test]
async fn a_killed_server_has_printed_and_stored_nothing_unscrubbed() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_engines-server"))
        .env_clear()
        .env("AUTH_JWT_SIGNING", SECRET)
        // The lowest log level, and without the scrubbing of logs.
        .envs([("ENGINES_LOG__LEVEL", "trace"), ("ENGINES_LOG__FORMAT", "json"), ("ENGINES_LOG__SCRUB", "false")])
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap());
    let mut said = String::new();
    let address = loop {
        let from = said.len();
        assert!(lines.read_line(&mut said).unwrap() > 0, "ended early: {said}");
        let line: serde_json::Value = serde_json::from_str(&said[from..]).unwrap();
        if line["message"] == "listening" {
            break line["address"].as_str().unwrap().parse().unwrap();
        }
    };
    let said = Arc::new(Mutex::new(said.into_bytes()));
    let more = Arc::clone(&said);
    let reader = thread::spawn(move || {
        let mut rest = Vec::new();
        lines.read_to_end(&mut rest).unwrap();
        more.lock().unwrap().extend(rest);
    });
    let canaries = known();
    for canary in &canaries {
        let answer = acme(address, &admin(), "POST", "/events", Some(&event(canary))).await;
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        let wrong = serde_json::json!({ "surface": canary.text, "agent_id": [canary.text] });
        assert_eq!(acme(address, &admin(), "POST", "/events", Some(&wrong)).await.status, 400);
    }
    server.kill().unwrap();
    server.wait().unwrap();
    reader.join().unwrap();
    let mut stdout = Vec::new();
    server.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    let kept = files(folder.path());
    assert!(kept.windows(15).any(|window| window == b"[EMAIL_ADDRESS]"), "the events are not there");
    let said = said.lock().unwrap().clone();
    let out = [("standard output".into(), stdout), ("standard error".into(), said), ("files".into(), kept)];
    let caught = Catcher::new(&canaries).caught(&out);
    assert!(caught.is_empty(), "{caught:#?}");
}
