//! `backup restore`.

use std::{collections::BTreeMap, process::ExitCode};

use engines::{
    IdGenerator,
    backup::{RestoreKeys, restore},
};

use super::{RestoreArgs, place, show};
use crate::cli::run::{Failed, say};

pub(super) fn run(args: &RestoreArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, Failed> {
    let settings = place::settings(args.config.as_ref(), None, variables)?;
    let given = place::Keys::read(&args.keys, &settings, variables)?;
    place::block_on(async {
        let (backups, id) = place::find(&args.backup, args.from.as_ref(), &settings).await?;
        let keys = RestoreKeys {
            root: given.root.as_ref(),
            root_elsewhere: given.root.is_some() && given.root_of_settings,
            passphrase: given.passphrase.as_ref(),
            without_root: args.without_root_key,
        };
        let restored = restore(&backups, &id, &args.data, keys, &IdGenerator::from_os()?).await?;
        if args.json {
            show::json(&restored.manifest)?;
            return Ok(ExitCode::SUCCESS);
        }
        let start = format!("start the server with --data {}", args.data.display());
        let next = match (&restored.manifest.root_key, args.without_root_key) {
            (Some(key), true) => format!(
                "put the root key with the fingerprint {} into {}/root.key, then {start}",
                key.fingerprint,
                args.data.display()
            ),
            _ => start,
        };
        say(&format!(
            "{}\n\nrestored into {}; the log has a new id, so readers with older cursors get REPLAY_MISS and start again\n{next}",
            show::manifest(&restored.manifest),
            args.data.display(),
        ));
        Ok(ExitCode::SUCCESS)
    })
}
