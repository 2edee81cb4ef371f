//! The data folder, for its owner's eyes alone. That one server at a time uses it is the store's own lock.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use engines::{
    IdGenerator,
    auth::{RootKey, SigningSecret},
};

use super::run::CliError;
use crate::config::{self, Settings};

/// Files that show that the store has kept something in the folder, by what is appended to the database's name.
const DATABASE_SUFFIXES: [&str; 3] = ["", "-wal", ".created"];

/// The data folder.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    /// Files that others can read are taken.
    allow_readable: bool,
}

impl DataDir {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// When it cannot be made, or others than its owner can write to it and `auth.allow_readable_secrets` does not say that this is
    /// meant: whoever can write to it can put another file into a file's place. Reading it shows names alone.
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

    /// A folder that has data in it; nothing is made.
    pub(super) fn open_existing(settings: &Settings) -> Result<Self, CliError> {
        let (path, allow_readable) = (settings.data.as_path(), settings.auth.allow_readable_secrets);
        let data = Self { path: path.to_owned(), allow_readable };
        match data.database().is_file() {
            true => Ok(data),
            false => Err(format!("there are no data in {}; name the data folder with --data", path.display()).into()),
        }
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The lock of the process that uses the data.
    pub(super) fn lock_path(&self) -> PathBuf {
        self.path.join("engines.db.lock")
    }

    /// The folder for requests to the server that uses the data; made if it is not there.
    pub(super) fn requests(&self) -> Result<PathBuf, CliError> {
        Ok(Self::open_at(&self.path.join("backup-requests"), self.allow_readable)?.path)
    }

    /// The root key that is kept beside the data, if it is.
    pub(super) fn existing_root_key(&self) -> Result<Option<RootKey>, CliError> {
        let path = self.path.join("root.key");
        if fs::exists(&path)? {
            Ok(Some(config::root_key_from_file("root key", &path, self.allow_readable)?))
        } else {
            Ok(None)
        }
    }

    /// The file that the embedded store keeps everything in.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join("engines.db")
    }

    /// The signing secret of `dev`; made if it is not there.
    pub(super) fn signing_secret(&self, ids: &IdGenerator) -> Result<SigningSecret, CliError> {
        let path = secret_path(&self.path);
        self.write_once(&path, &hex(&ids.bytes::<48>()), ids)?;
        Ok(config::secret_from_file("signing secret", &path, self.allow_readable)?)
    }

    /// The root key that is kept beside the data; made if neither it nor data are there.
    ///
    /// # Errors
    /// When there are data and no root key: a new one would not fit them.
    pub(super) fn root_key(&self, ids: &IdGenerator) -> Result<RootKey, CliError> {
        let path = self.path.join("root.key");
        if !fs::exists(&path)? && self.has_data()? {
            return Err(format!(
                "{} is missing and there are data in {}: put the file back from a backup, or set {} or ROOT_KEY_FILE to the key these \
                 data were begun with. No new key was made. Data that were never used with a root key can be given one: \
                 (umask 077; openssl rand -hex 32 > {})",
                path.display(),
                self.path.display(),
                config::ROOT_KEY,
                path.display()
            )
            .into());
        }
        self.write_once(&path, &hex(&ids.bytes::<32>()), ids)?;
        Ok(config::root_key_from_file("root key", &path, self.allow_readable)?)
    }

    /// Whether the store has kept something here.
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

    /// Makes a file if it is not there. Of several processes that try, one does, and nobody ever sees a part of it: it is written under
    /// another name and then linked.
    fn write_once(&self, path: &Path, text: &str, ids: &IdGenerator) -> Result<(), CliError> {
        if fs::exists(path)? {
            return Ok(());
        }
        let draft = self.path.join(format!(".{}", hex(&ids.bytes::<16>())));
        let mut file = owner_only(OpenOptions::new().create_new(true).write(true)).open(&draft)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| fs::hard_link(&draft, path));
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error.into()),
            // The name itself must be there after a crash, or what was made with the key is lost with it.
            Ok(()) => Ok(fs::File::open(&self.path)?.sync_all()?),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where `dev` keeps its secret.
pub(super) fn secret_path(data: &Path) -> PathBuf {
    data.join("signing-secret")
}

/// For the owner's eyes alone.
fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// The secret that `dev` has made in `data`, if it has.
pub(super) fn dev_secret(settings: &Settings) -> Result<Option<SigningSecret>, CliError> {
    let path = secret_path(&settings.data);
    if !fs::exists(&path)? {
        return Ok(None);
    }
    Ok(Some(config::secret_from_file("signing secret", &path, settings.auth.allow_readable_secrets)?))
}
