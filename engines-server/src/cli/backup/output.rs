//! Formats backups for people and as JSON.

use engines::{
    Result,
    backup::{BackupId, BackupManifest},
};
use serde::Serialize;

use crate::cli::{error::CliError, terminal::print};

/// Prints a value as JSON.
pub(super) fn print_json(value: &impl Serialize) -> std::result::Result<(), CliError> {
    print(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Describes a backup in a few lines.
pub(super) fn format_manifest(manifest: &BackupManifest) -> String {
    let position = &manifest.position;
    let sum = |of: fn(&engines::core::nexus::ScopePosition) -> u64| position.scopes.iter().map(of).sum::<u64>();
    let root_key = match &manifest.root_key {
        None => "none".to_owned(),
        Some(key) if key.sealed => format!("in the backup, sealed (fingerprint {})", key.fingerprint),
        Some(key) => format!("kept apart (fingerprint {})", key.fingerprint),
    };
    format!(
        "backup     {}\nas of      {}  (everything acknowledged before is in it)\nsize       {} in {} files\nstore      {}{}\n\
         position   {} stream events, {} dataset events, {} audit records in {} tenants and environments\nroot key   {root_key}",
        manifest.id,
        manifest.as_of,
        format_size(manifest.total_bytes()),
        manifest.files.len(),
        manifest.store.backend,
        manifest.store.schema.map(|schema| format!(", schema {schema}")).unwrap_or_default(),
        sum(|scope| scope.appended),
        sum(|scope| scope.events),
        sum(|scope| scope.audit),
        position.scopes.len(),
    )
}

/// Formats a table of backups, the newest last.
pub(super) fn format_table(found: &[(BackupId, Result<BackupManifest>)]) -> String {
    let mut lines = vec![format!("{:<26} {:<25} {:>10}  {:<8} {}", "BACKUP", "AS OF", "SIZE", "STORE", "ROOT KEY")];
    for (id, manifest) in found {
        lines.push(match manifest {
            Ok(manifest) => {
                let root_key = match &manifest.root_key {
                    None => "none",
                    Some(key) if key.sealed => "sealed",
                    Some(_) => "apart",
                };
                let as_of = manifest.as_of.to_string();
                format!(
                    "{:<26} {as_of:<25} {:>10}  {:<8} {root_key}",
                    id.as_str(),
                    format_size(manifest.total_bytes()),
                    manifest.store.backend
                )
            }
            Err(error) => format!("{:<26} unreadable: {}", id.as_str(), error.detail()),
        });
    }
    lines.join("\n")
}

/// Formats a number of bytes with a unit.
pub(super) fn format_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    let digits = usize::from(unit > 0);
    format!("{value:.digits$} {}", UNITS.get(unit).copied().unwrap_or_default())
}
