//! A mailer that writes into a folder, for development.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use engines_core::{Error, Result};

use super::{Mail, Mailer};

const SEND: &str = "mail.file";

/// The number of newest mails that are kept. Older ones are removed.
const MAX_FILES: usize = 1000;

/// Writes each mail as `<time-ordered id>-<purpose>.eml` into a folder that only its owner can read. For development
/// only: everyone who can read the folder can verify addresses and reset passwords.
#[derive(Debug, Clone)]
pub struct FileMailer {
    folder: PathBuf,
}

impl FileMailer {
    /// Creates a mailer that writes into `folder`, and creates the folder if it does not exist.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(|error| Error::internal(SEND, error))?;
        Ok(Self { folder })
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

#[async_trait]
impl Mailer for FileMailer {
    async fn send(&self, mail: &Mail) -> Result<()> {
        let name = format!("{}-{}.eml", mail.id(), mail.purpose().as_str());
        let text = format!("To: {}\r\nSubject: {}\r\n\r\n{}", mail.to(), mail.subject(), mail.text());
        let folder = self.folder.clone();
        let written = tokio::task::spawn_blocking(move || write(&folder, &name, &text));
        let written = written.await.map_err(|error| Error::internal(SEND, error))?;
        // A full disk may have space again at the next attempt.
        written.map_err(|error| Error::unavailable(SEND, error))
    }
}

fn write(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Written under another name first, so that programs which watch the folder never see part of a mail.
    let draft = folder.join(format!(".{name}"));
    options.open(&draft)?.write_all(text.as_bytes())?;
    fs::rename(&draft, folder.join(name))?;
    let mails = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut mails: Vec<_> = mails.filter(|path| path.extension().is_some_and(|ending| ending == "eml")).collect();
    mails.sort();
    let over = mails.len().saturating_sub(MAX_FILES);
    mails.iter().take(over).try_for_each(|path| match fs::remove_file(path) {
        // Another mail that is written at the same time removes the same files.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    })
}
