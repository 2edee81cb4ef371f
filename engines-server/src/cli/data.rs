//! The data folder, for its owner's eyes alone. That one server at a time uses it is the store's own lock.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use engines::{IdGenerator, auth::SigningSecret};

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

    /// The file that the embedded store keeps everything in.
    pub(super) fn database(&self) -> PathBuf {
        self.0.join("engines.db")
    }

    /// The signing secret of `dev`; made if it is not there.
    pub(super) fn secret(&self, ids: &IdGenerator) -> Result<SigningSecret, Failed> {
        let path = secret_path(&self.0);
        if !path.exists() {
            let hex: String = ids.bytes::<48>().iter().map(|byte| format!("{byte:02x}")).collect();
            let mut file = private(OpenOptions::new().create_new(true).write(true)).open(&path)?;
            file.write_all(hex.as_bytes())?;
            file.sync_all()?;
        }
        Ok(config::secret_from_file("signing secret", &path)?)
    }
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
