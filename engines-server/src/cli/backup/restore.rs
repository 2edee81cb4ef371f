//! `backup restore`.

use std::{collections::BTreeMap, process::ExitCode};

use engines::{
    IdGenerator,
    backup::{RestoreKeys, restore},
};

use super::{RestoreArgs, location, output};
use crate::cli::{error::CliError, runtime::block_on, terminal::print};

pub(super) fn run(args: &RestoreArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, CliError> {
    let settings = location::load_settings(args.config.as_ref(), None, variables)?;
    let given = location::BackupKeys::read(&args.keys, &settings, variables)?;
    block_on(async {
        let (backups, id) = location::find_backup(&args.backup, args.from.as_ref(), &settings).await?;
        let keys = RestoreKeys {
            root: given.root.as_ref(),
            root_key_supplied_later: given.root.is_some() && given.root_of_settings,
            passphrase: given.passphrase.as_ref(),
            without_root_key: args.without_root_key,
        };
        let restored = restore(&backups, &id, &args.data, keys, &IdGenerator::from_os()?).await?;
        if args.json {
            output::print_json(&restored.manifest)?;
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
        print(&format!(
            "{}\n\nrestored into {}; the log has a new id, so readers with older cursors get REPLAY_MISS and start again\n{next}",
            output::format_manifest(&restored.manifest),
            args.data.display(),
        ));
        Ok(ExitCode::SUCCESS)
    })
}
