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

use super::run::Failed;
use crate::config;

/// The data folder.
#[derive(Debug)]
pub(super) struct DataDir(PathBuf);

impl DataDir {
    /// Makes the folder if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, Failed> {
        let failed = |error: io::Error| format!("the data folder {} cannot be used: {error}", path.display());
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(failed)?;
        Ok(Self(path.to_owned()))
    }

    /// A folder that has data in it; nothing is made.
    pub(super) fn existing(path: &Path) -> Result<Self, Failed> {
        let data = Self(path.to_owned());
        match data.database().is_file() {
            true => Ok(data),
            false => Err(format!("there are no data in {}; name the data folder with --data", path.display()).into()),
        }
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The lock of the process that uses the data.
    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("engines.db.lock")
    }

    /// The folder for requests to the server that uses the data; made if it is not there.
    pub(super) fn requests(&self) -> Result<PathBuf, Failed> {
        Ok(Self::open(&self.0.join("backup-requests"))?.0)
    }

    /// The root key that is kept beside the data, if it is.
    pub(super) fn existing_root_key(&self) -> Result<Option<RootKey>, Failed> {
        let path = self.0.join("root.key");
        if fs::exists(&path)? { Ok(Some(config::root_from_file("root key", &path)?)) } else { Ok(None) }
    }

    /// The file that the embedded store keeps everything in.
    pub(super) fn database(&self) -> PathBuf {
        self.0.join("engines.db")
    }

    /// The signing secret of `dev`; made if it is not there.
    pub(super) fn secret(&self, ids: &IdGenerator) -> Result<SigningSecret, Failed> {
        let path = secret_path(&self.0);
        self.once(&path, &hex(&ids.bytes::<48>()), ids)?;
        Ok(config::secret_from_file("signing secret", &path)?)
    }

    /// The root key that is kept beside the data; made if it is not there.
    pub(super) fn root_key(&self, ids: &IdGenerator) -> Result<RootKey, Failed> {
        let path = self.0.join("root.key");
        self.once(&path, &hex(&ids.bytes::<32>()), ids)?;
        Ok(config::root_from_file("root key", &path)?)
    }

    /// Makes a file if it is not there. Of several processes that try, one does, and nobody ever sees a part of it: it is written under
    /// another name and then linked.
    fn once(&self, path: &Path, text: &str, ids: &IdGenerator) -> Result<(), Failed> {
        if fs::exists(path)? {
            return Ok(());
        }
        let draft = self.0.join(format!(".{}", hex(&ids.bytes::<16>())));
        let mut file = private(OpenOptions::new().create_new(true).write(true)).open(&draft)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| fs::hard_link(&draft, path));
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error.into()),
            // The name itself must be there after a crash, or what was made with the key is lost with it.
            Ok(()) => Ok(fs::File::open(&self.0)?.sync_all()?),
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
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// The secret that `dev` has made in `data`, if it has.
pub(super) fn secret_of_dev(data: &Path) -> Result<Option<SigningSecret>, Failed> {
    let path = secret_path(data);
    if fs::exists(&path)? { Ok(Some(config::secret_from_file("signing secret", &path)?)) } else { Ok(None) }
}
