//! The data folder, which only its owner may change. The lock of the store ensures that one server at a time uses it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use engines::{
    IdGenerator,
    auth::{RootKey, SigningSecret},
    core::hex,
};

use super::error::CliError;
use crate::config::{self, Settings};

/// Suffixes to the name of the database. A file with one of them shows that the store has kept data in the folder.
const DATABASE_SUFFIXES: [&str; 3] = ["", "-wal", ".created"];

/// The data folder.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    /// Whether files with secrets are accepted that others than their owner can read.
    allow_readable: bool,
}

impl DataDir {
    /// Opens the folder, and creates it if it does not exist.
    ///
    /// # Errors
    /// - The folder cannot be created.
    /// - Others than its owner can write to it, and `auth.allow_readable_secrets` is not set. Whoever can write to it
    ///   can replace a file in it. Read permission shows only the names of files.
    pub(super) fn open(settings: &Settings) -> Result<Self, CliError> {
        Self::open_at(&settings.data, settings.auth.allow_readable_secrets)
    }

    fn open_at(path: &Path, allow_readable: bool) -> Result<Self, CliError> {
        let failed = |error: io::Error| format!("the data folder {} cannot be used: {error}", path.display());
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(failed)?;
        if !allow_readable {
            let found = fs::metadata(path).map_err(failed)?;
            config::check_private(path, &found, 0o022).map_err(|complaint| format!("the data folder {complaint}"))?;
        }
        Ok(Self { path: path.to_owned(), allow_readable })
    }

    /// Opens a folder that contains data. It creates nothing.
    pub(super) fn open_existing(settings: &Settings) -> Result<Self, CliError> {
        let (path, allow_readable) = (settings.data.as_path(), settings.auth.allow_readable_secrets);
        let data = Self { path: path.to_owned(), allow_readable };
        match data.database().is_file() {
            true => Ok(data),
            false => Err(format!("there are no data in {}; name the data folder with --data", path.display()).into()),
        }
    }

    /// Returns the path of the folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the lock of the process that uses the data.
    fn lock_path(&self) -> PathBuf {
        self.path.join("engines.db.lock")
    }

    /// Returns whether a server holds the lock of the data file.
    pub(super) fn is_in_use(&self) -> Result<bool, CliError> {
        let file = match File::options().write(true).open(self.lock_path()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        match file.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Returns the folder for requests to the server that uses the data, and creates it if it does not exist.
    pub(super) fn requests(&self) -> Result<PathBuf, CliError> {
        Ok(Self::open_at(&self.path.join("backup-requests"), self.allow_readable)?.path)
    }

    /// Returns the root key beside the data, if there is one.
    pub(super) fn existing_root_key(&self) -> Result<Option<RootKey>, CliError> {
        let path = self.path.join("root.key");
        if fs::exists(&path)? {
            Ok(Some(config::root_key_from_file("root key", &path, self.allow_readable)?))
        } else {
            Ok(None)
        }
    }

    /// Returns the path of the file that holds all data of the embedded store.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join("engines.db")
    }

    /// Returns the signing secret of `dev`, and creates it if it does not exist.
    pub(super) fn signing_secret(&self, ids: &IdGenerator) -> Result<SigningSecret, CliError> {
        let path = secret_path(&self.path);
        self.write_once(&path, &hex::encode(&ids.bytes::<48>()), ids)?;
        Ok(config::secret_from_file("signing secret", &path, self.allow_readable)?)
    }

    /// Returns the root key beside the data. Creates it if neither a root key nor data exist.
    ///
    /// # Errors
    /// There are data and no root key. The data cannot be read with a new key.
    pub(super) fn root_key(&self, ids: &IdGenerator) -> Result<RootKey, CliError> {
        let path = self.path.join("root.key");
        if !fs::exists(&path)? && self.has_data()? {
            return Err(format!(
                "{} is missing and there are data in {}: put the file back from a backup, or set {} or ROOT_KEY_FILE to the key with which \
                 the data were created. No new key was made. Data that never had a root key can get one: \
                 (umask 077; openssl rand -hex 32 > {})",
                path.display(),
                self.path.display(),
                config::ROOT_KEY,
                path.display()
            )
            .into());
        }
        self.write_once(&path, &hex::encode(&ids.bytes::<32>()), ids)?;
        Ok(config::root_key_from_file("root key", &path, self.allow_readable)?)
    }

    /// Returns whether the store has kept data in the folder.
    fn has_data(&self) -> io::Result<bool> {
        let database = self.database();
        for suffix in DATABASE_SUFFIXES {
            let mut path = database.clone().into_os_string();
            path.push(suffix);
            match fs::metadata(path) {
                Ok(found) if found.len() > 0 => return Ok(true),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(false)
    }

    /// Creates a file if it does not exist. When several processes try, one succeeds, and no process sees a part of the
    /// file: it is written under another name and then linked.
    fn write_once(&self, path: &Path, text: &str, ids: &IdGenerator) -> Result<(), CliError> {
        if fs::exists(path)? {
            return Ok(());
        }
        let draft = self.path.join(format!(".{}", hex::encode(&ids.bytes::<16>())));
        let mut file = owner_only(OpenOptions::new().create_new(true).write(true)).open(&draft)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| fs::hard_link(&draft, path));
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error.into()),
            // The folder must be durable as well. Otherwise a crash can lose the name of the file, and with it all that
            // was encrypted with the key.
            Ok(()) => Ok(fs::File::open(&self.path)?.sync_all()?),
        }
    }
}

/// Returns the path of the secret of `dev`.
pub(super) fn secret_path(data: &Path) -> PathBuf {
    data.join("signing-secret")
}

/// Sets permissions for the owner only.
fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Returns the secret that `dev` created in the data folder, if it exists.
pub(super) fn dev_secret(settings: &Settings) -> Result<Option<SigningSecret>, CliError> {
    let path = secret_path(&settings.data);
    if !fs::exists(&path)? {
        return Ok(None);
    }
    Ok(Some(config::secret_from_file("signing secret", &path, settings.auth.allow_readable_secrets)?))
}
