//! Asking a running server for a backup, through files in its data folder.
//!
//! Who may write there may read everything anyway, so the folder's permissions are the permission to ask. The asker writes
//! `<id>.request`; the server renames it to `<id>.running`, and when the backup has ended writes `<id>.answer` and removes
//! `<id>.running`. Every file appears by a rename, so that nobody reads a part of one.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use engines::{
    Engine, IdGenerator, Scope,
    backup::{Backups, Manifest},
};
use serde::{Deserialize, Serialize};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::create::is_locked;
use crate::cli::{data::DataDir, run::Failed};

/// How often the server looks for requests, and the asker for its answer.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long the asker waits until its request is taken up.
const TAKEN_UP_IN: Duration = Duration::from_secs(20);
/// Requests in hand at a time; more wait. All but one are refused, because one backup is made at a time.
const IN_HAND: usize = 8;
/// Bytes of a request.
const REQUEST_BYTES: u64 = 16 << 10;

const REQUEST: &str = "request";
const RUNNING: &str = "running";
const ANSWER: &str = "answer";

/// What is asked for.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    /// Where to, instead of the server's own destination.
    destination: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Made(Box<Manifest>),
    Failed(String),
}

/// Asks the server that runs on `data` for a backup, and waits for it.
pub(super) async fn ask_server(data: &DataDir, destination: Option<String>) -> Result<Manifest, Failed> {
    let folder = data.requests()?;
    let id: String = IdGenerator::from_os()?.bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
    let path = |ending: &str| folder.join(format!("{id}.{ending}"));
    put(&path(REQUEST), &serde_json::to_vec(&Request { destination })?)?;
    let begun = Instant::now();
    loop {
        sleep(LOOK_EVERY).await;
        // In this order: the server writes the answer before it removes the mark that the request is running.
        let (waiting, running) = (path(REQUEST).exists(), path(RUNNING).exists());
        match fs::read(path(ANSWER)) {
            Ok(text) => {
                fs::remove_file(path(ANSWER))?;
                return match serde_json::from_slice(&text)? {
                    Answer::Made(manifest) => Ok(*manifest),
                    Answer::Failed(detail) => Err(detail.into()),
                };
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        if waiting && begun.elapsed() > TAKEN_UP_IN {
            fs::remove_file(path(REQUEST))?;
            return Err("the server that runs on this data folder does not take up the request; is it an older version, or stuck?".into());
        }
        if !(waiting || running || path(ANSWER).exists()) || !is_locked(&data.lock())? {
            // Nobody else removes them now.
            let _ = (fs::remove_file(path(REQUEST)), fs::remove_file(path(RUNNING)));
            return Err("the server stopped before the backup was made; nothing of it is kept".into());
        }
    }
}

/// Makes the backups that are asked for, until the future is dropped.
pub(in crate::cli) async fn answer_requests(engine: Engine, folder: PathBuf) {
    // What a server before this one had in hand will never be answered. Requests stay: one may have come since this server holds the lock.
    if let Err(error) = remove_unanswered(&folder) {
        tracing::warn!(%error, "what was left of old requests for backups could not be removed");
    }
    let mut in_hand = JoinSet::new();
    loop {
        while in_hand.try_join_next().is_some() {}
        match take_up(&folder, IN_HAND.saturating_sub(in_hand.len())) {
            Ok(taken) => {
                for running in taken {
                    in_hand.spawn(answer(engine.clone(), running));
                }
            }
            Err(error) => tracing::warn!(%error, "requests for backups cannot be read"),
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Takes up some requests; returns the files that mark them as running.
fn take_up(folder: &Path, most: usize) -> std::io::Result<Vec<PathBuf>> {
    let mut taken = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if taken.len() < most && path.extension().is_some_and(|ending| ending == REQUEST) {
            let running = path.with_extension(RUNNING);
            fs::rename(&path, &running)?;
            taken.push(running);
        }
    }
    Ok(taken)
}

async fn answer(engine: Engine, running: PathBuf) {
    let answer = match make(&engine, &running).await {
        Ok(manifest) => {
            tracing::info!(id = %manifest.id, bytes = manifest.bytes(), "backed up on request");
            Answer::Made(Box::new(manifest))
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, "a backup that was asked for failed");
            Answer::Failed(error.detail().to_owned())
        }
    };
    let written = serde_json::to_vec(&answer)
        .map_err(std::io::Error::other)
        .and_then(|text| put(&running.with_extension(ANSWER), &text))
        .and_then(|()| fs::remove_file(&running));
    if let Err(error) = written {
        tracing::warn!(%error, "the answer to a request for a backup could not be written");
    }
}

async fn make(engine: &Engine, running: &Path) -> engines::Result<Manifest> {
    let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
        engines::Error::new(engines::Code::BodyInvalid, "backup.request", "the request for a backup is malformed")
            .with_source(error)
    };
    let large = fs::metadata(running).map_err(|error| unreadable(error.into()))?.len() > REQUEST_BYTES;
    let text = if large { Vec::new() } else { fs::read(running).map_err(|error| unreadable(error.into()))? };
    let request: Request = serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))?;
    let context = engine.system(Scope::system()?, "engines-server backup create")?;
    match request.destination {
        Some(place) => engine.backup().create_in(&context, &Backups::open(&place)?).await,
        None => engine.backup().create(&context).await,
    }
}

/// Writes a file that appears as a whole, for its owner alone.
fn put(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension("draft");
    let mut options = fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    std::io::Write::write_all(&mut options.open(&draft)?, text)?;
    fs::rename(&draft, path)
}

fn remove_unanswered(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == RUNNING || ending == ANSWER) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
