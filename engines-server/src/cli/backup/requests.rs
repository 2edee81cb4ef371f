//! Requests for a backup to a running server, through files in its data folder.
//!
//! Whoever can write to the folder can read all data anyway, so the permissions of the folder are the permission to
//! ask. The requester writes `<id>.request`. The server renames it to `<id>.running`. When the backup has ended, the
//! server writes `<id>.answer` and removes `<id>.running`. Every file appears by a rename, so that no reader sees a
//! part of one.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use engines::{
    Engine, IdGenerator, Scope,
    backup::{BackupManifest, Backups},
    core::hex,
};
use serde::{Deserialize, Serialize};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::cli::{data_dir::DataDir, error::CliError};

/// How often the server looks for requests, and the requester for its answer.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long the requester waits until the server takes its request.
const PICKUP_TIMEOUT: Duration = Duration::from_secs(20);
/// Requests that are handled at the same time; more wait. All but one are refused, because the server makes one backup
/// at a time.
const MAX_CONCURRENT: usize = 8;
/// The size limit of a request, in bytes.
const MAX_REQUEST_BYTES: u64 = 16 << 10;

const REQUEST_EXTENSION: &str = "request";
const RUNNING_EXTENSION: &str = "running";
const ANSWER_EXTENSION: &str = "answer";

/// A request for a backup.
#[derive(Debug, Serialize, Deserialize)]
struct BackupRequest {
    /// The destination of the backup, instead of the server's own.
    destination: Option<String>,
}

/// The result of a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BackupAnswer {
    Made(Box<BackupManifest>),
    Failed(String),
}

/// Requests a backup from the server that runs on `data`, and waits for it.
pub(super) async fn request_backup(data: &DataDir, destination: Option<String>) -> Result<BackupManifest, CliError> {
    let folder = data.requests()?;
    let id: String = hex::encode(&IdGenerator::from_os()?.bytes::<8>());
    let path = |ending: &str| folder.join(format!("{id}.{ending}"));
    write_atomically(&path(REQUEST_EXTENSION), &serde_json::to_vec(&BackupRequest { destination })?)?;
    let begun = Instant::now();
    loop {
        sleep(POLL_INTERVAL).await;
        // The order of these checks matters: the server writes the answer before it removes the mark that the request
        // is running.
        let (waiting, running) = (path(REQUEST_EXTENSION).exists(), path(RUNNING_EXTENSION).exists());
        match fs::read(path(ANSWER_EXTENSION)) {
            Ok(text) => {
                fs::remove_file(path(ANSWER_EXTENSION))?;
                return match serde_json::from_slice(&text)? {
                    BackupAnswer::Made(manifest) => Ok(*manifest),
                    BackupAnswer::Failed(detail) => Err(detail.into()),
                };
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        if waiting && begun.elapsed() > PICKUP_TIMEOUT {
            fs::remove_file(path(REQUEST_EXTENSION))?;
            return Err("the server that runs on this data folder does not take the request; check whether it is an older version or hangs".into());
        }
        if !(waiting || running || path(ANSWER_EXTENSION).exists()) || !data.is_in_use()? {
            // The server did not take the request, so it removes neither file.
            let _ = (fs::remove_file(path(REQUEST_EXTENSION)), fs::remove_file(path(RUNNING_EXTENSION)));
            return Err("the server stopped before the backup was made; nothing of it is kept".into());
        }
    }
}

/// Makes the requested backups until the future is dropped.
pub(in crate::cli) async fn serve_requests(engine: Engine, folder: PathBuf) {
    // A request that an earlier server had taken is never answered. A file of a request that was not taken stays: it
    // may have arrived after this server took the lock.
    if let Err(error) = remove_unanswered(&folder) {
        tracing::warn!(%error, "files of old requests for backups could not be removed");
    }
    let mut in_hand = JoinSet::new();
    loop {
        while in_hand.try_join_next().is_some() {}
        match claim_requests(&folder, MAX_CONCURRENT.saturating_sub(in_hand.len())) {
            Ok(taken) => {
                for running in taken {
                    in_hand.spawn(serve_request(engine.clone(), running));
                }
            }
            Err(error) => tracing::warn!(%error, "requests for backups cannot be read"),
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// Takes at most `most` requests, and returns the files that mark them as running.
fn claim_requests(folder: &Path, most: usize) -> std::io::Result<Vec<PathBuf>> {
    let mut taken = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if taken.len() < most && path.extension().is_some_and(|ending| ending == REQUEST_EXTENSION) {
            let running = path.with_extension(RUNNING_EXTENSION);
            fs::rename(&path, &running)?;
            taken.push(running);
        }
    }
    Ok(taken)
}

async fn serve_request(engine: Engine, running: PathBuf) {
    let answer = match make_backup(&engine, &running).await {
        Ok(manifest) => {
            tracing::info!(id = %manifest.id, bytes = manifest.total_bytes(), "backed up on request");
            BackupAnswer::Made(Box::new(manifest))
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, "a requested backup failed");
            BackupAnswer::Failed(error.detail().to_owned())
        }
    };
    let written = serde_json::to_vec(&answer)
        .map_err(std::io::Error::other)
        .and_then(|text| write_atomically(&running.with_extension(ANSWER_EXTENSION), &text))
        .and_then(|()| fs::remove_file(&running));
    if let Err(error) = written {
        tracing::warn!(%error, "the answer to a request for a backup could not be written");
    }
}

async fn make_backup(engine: &Engine, running: &Path) -> engines::Result<BackupManifest> {
    let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
        engines::Error::new(engines::Code::BodyInvalid, "backup.request", "the request for a backup is malformed")
            .with_source(error)
    };
    let large = fs::metadata(running).map_err(|error| unreadable(error.into()))?.len() > MAX_REQUEST_BYTES;
    let text = if large { Vec::new() } else { fs::read(running).map_err(|error| unreadable(error.into()))? };
    let request: BackupRequest = serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))?;
    let context = engine.system(Scope::system()?, "engines-server backup create")?;
    match request.destination {
        Some(place) => engine.backup().create_in(&context, &Backups::open(&place)?).await,
        None => engine.backup().create(&context).await,
    }
}

/// Writes a file by a rename, with permissions for its owner only.
fn write_atomically(path: &Path, text: &[u8]) -> std::io::Result<()> {
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
        if path.extension().is_some_and(|ending| ending == RUNNING_EXTENSION || ending == ANSWER_EXTENSION) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
