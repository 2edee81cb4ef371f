//! `backup verify`.

use std::{collections::BTreeMap, process::ExitCode};

use engines::{
    IdGenerator,
    backup::{RestoreKeys, VerifyOptions, verify},
};

use super::{VerifyArgs, location, output};
use crate::cli::{error::CliError, runtime::block_on, terminal::print};

pub(super) fn run(args: &VerifyArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, CliError> {
    let settings = location::load_settings(args.config.as_ref(), None, variables)?;
    let keys = location::BackupKeys::read(&args.keys, &settings, variables)?;
    block_on(async {
        let (backups, id) = location::find_backup(&args.backup, args.from.as_ref(), &settings).await?;
        let keys =
            RestoreKeys { root: keys.root.as_ref(), passphrase: keys.passphrase.as_ref(), ..RestoreKeys::default() };
        let work = location::work_dir(args.work.as_ref());
        let verified =
            verify(&backups, &id, VerifyOptions { work_folder: &work, keys }, &IdGenerator::from_os()?).await?;
        if args.json {
            output::print_json(&verified)?;
            return Ok(ExitCode::SUCCESS);
        }
        let root_key = match (&verified.manifest.root_key, verified.root_key) {
            (None, _) => "there is none",
            (Some(_), Some(_)) => "is the right one",
            (Some(_), None) => "NOT CHECKED: name --passphrase-file or --root-key-file",
        };
        print(&format!(
            "{}\nfiles      {} have the sizes and hashes of the manifest\ndata file  intact, and at the position of the manifest\n\
             canvases   {} replayed ({} commits), {} snapshots have the hash of the replayed state\nroot key   {root_key}",
            output::format_manifest(&verified.manifest),
            verified.manifest.files.len(),
            verified.canvases,
            verified.commits,
            verified.snapshots,
        ));
        Ok(ExitCode::SUCCESS)
    })
}
