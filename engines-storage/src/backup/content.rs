//! Streams of file content: read from local files, hashed, counted and verified in chunks.

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use engines_core::{Code, Error, Result, hex, nexus::BackupContent};
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};

use super::FileEntry;

/// Number of bytes read from a file at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Runs blocking work on a thread of the runtime's blocking pool.
pub(super) async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal("backup.task", error))?
}

/// Converts an error of the local file system.
pub(super) fn disk_error(path: &Path, error: std::io::Error) -> Error {
    let detail = format!("{} cannot be read or written: {error}", path.display());
    Error::new(Code::BackendUnavailable, "backup.file", detail).with_source(error)
}

/// Returns the content of a local file as a stream.
pub(super) fn read_file(path: PathBuf) -> BackupContent {
    Box::pin(stream::unfold(Some((None, path)), |state| async move {
        let (file, path): (Option<File>, PathBuf) = state?;
        let step = run_blocking(move || {
            let failed = |error| disk_error(&path, error);
            let mut file = match file {
                Some(file) => file,
                None => File::open(&path).map_err(failed)?,
            };
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut chunk).map_err(failed)?;
            Ok((file, path, chunk))
        });
        match step.await {
            Ok((_, _, chunk)) if chunk.is_empty() => None,
            Ok((file, path, chunk)) => Some((Ok(Bytes::from(chunk)), Some((Some(file), path)))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

/// Writes content to a new local file that only its owner can read and write, and syncs the file.
pub(super) async fn write_file(path: &Path, mut content: BackupContent) -> Result<()> {
    let created = path.to_owned();
    let mut file = run_blocking(move || new_file(&created).map_err(|error| disk_error(&created, error))).await?;
    while let Some(chunk) = content.next().await {
        let (chunk, path) = (chunk?, path.to_owned());
        file = run_blocking(move || file.write_all(&chunk).map(|()| file).map_err(|error| disk_error(&path, error)))
            .await?;
    }
    let path = path.to_owned();
    run_blocking(move || file.sync_all().map_err(|error| disk_error(&path, error))).await
}

/// Creates a file that only its owner can read and write.
pub(super) fn new_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Creates a folder and its missing parents. Only their owner can open them.
pub(super) fn new_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Reads content to its end and returns its size and hash.
pub(super) async fn hash_content(name: &str, mut content: BackupContent) -> Result<FileEntry> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    while let Some(chunk) = content.next().await {
        let chunk = chunk?;
        bytes += chunk.len() as u64;
        hash.update(&chunk);
    }
    Ok(FileEntry { name: name.to_owned(), bytes, sha256: hex::encode(&hash.finalize()) })
}

/// A stream that measures and hashes content while it is read. It sends the result at the end of the content.
pub(super) struct HashingStream {
    content: BackupContent,
    name: String,
    hash: Sha256,
    bytes: u64,
    done: Option<tokio::sync::oneshot::Sender<FileEntry>>,
}

impl HashingStream {
    /// Wraps content. The receiver returns the result.
    pub(super) fn new(name: &str, content: BackupContent) -> (Self, tokio::sync::oneshot::Receiver<FileEntry>) {
        let (done, measured) = tokio::sync::oneshot::channel();
        (Self { content, name: name.to_owned(), hash: Sha256::new(), bytes: 0, done: Some(done) }, measured)
    }
}

impl Stream for HashingStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.content.as_mut().poll_next(context));
        match &next {
            Some(Ok(chunk)) => {
                self.bytes += chunk.len() as u64;
                let this = &mut *self;
                this.hash.update(chunk);
            }
            Some(Err(_)) => self.done = None,
            None => {
                if let Some(done) = self.done.take() {
                    let sha256 = hex::encode(&std::mem::take(&mut self.hash).finalize());
                    let entry = FileEntry { name: std::mem::take(&mut self.name), bytes: self.bytes, sha256 };
                    // The receiver may have been dropped.
                    let _ = done.send(entry);
                }
            }
        }
        Poll::Ready(next)
    }
}

/// Wraps content so that the stream ends with an error when size or hash differ from `entry`.
pub(super) fn verify_content(entry: &FileEntry, content: BackupContent) -> BackupContent {
    let (measured, done) = HashingStream::new(&entry.name, content);
    let entry = entry.clone();
    let check = stream::once(async move {
        match done.await {
            Ok(found) if found == entry => None,
            // The content ended with its own error, which the stream already returned.
            Err(_) => None,
            Ok(found) => Some(Err(mismatch_error(&entry, &found))),
        }
    });
    Box::pin(measured.chain(check.filter_map(std::future::ready)))
}

fn mismatch_error(expected: &FileEntry, found: &FileEntry) -> Error {
    let what = match expected.bytes == found.bytes {
        true => "another hash",
        false => "another size",
    };
    let detail =
        format!("the file {} of the backup has {what} than its manifest says; use another backup", expected.name);
    Error::new(Code::HashMismatch, "backup.verify", detail).with_member("file", expected.name.as_str())
}
