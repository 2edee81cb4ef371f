//! `backup verify`.

use std::{collections::BTreeMap, process::ExitCode};

use engines::{
    IdGenerator,
    backup::{RestoreKeys, Verify, verify},
};

use super::{VerifyArgs, place, show};
use crate::cli::run::{Failed, say};

pub(super) fn run(args: &VerifyArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, Failed> {
    let settings = place::settings(args.config.as_ref(), None, variables)?;
    let keys = place::Keys::read(&args.keys, &settings, variables)?;
    place::block_on(async {
        let (backups, id) = place::find(&args.backup, args.from.as_ref(), &settings).await?;
        let keys =
            RestoreKeys { root: keys.root.as_ref(), passphrase: keys.passphrase.as_ref(), ..RestoreKeys::default() };
        let work = place::work(args.work.as_ref());
        let verified = verify(&backups, &id, Verify { work: &work, keys }, &IdGenerator::from_os()?).await?;
        if args.json {
            show::json(&verified)?;
            return Ok(ExitCode::SUCCESS);
        }
        let root_key = match (&verified.manifest.root_key, verified.root_key) {
            (None, _) => "there is none",
            (Some(_), Some(_)) => "is the right one",
            (Some(_), None) => "NOT CHECKED: give --passphrase-file or --root-key-file",
        };
        say(&format!(
            "{}\nfiles      {} have the sizes and hashes of the manifest\ndata file  whole, and at the position of the manifest\n\
             canvases   {} replayed ({} commits), {} snapshots have the hash of the replayed state\nroot key   {root_key}",
            show::manifest(&verified.manifest),
            verified.manifest.files.len(),
            verified.canvases,
            verified.commits,
            verified.snapshots,
        ));
        Ok(ExitCode::SUCCESS)
    })
}
