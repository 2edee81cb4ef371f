//! Checks of the machine: disk space, file permissions and file descriptors.

use std::{fs, path::Path};

use futures_util::future::BoxFuture;
use rustix::{
    fs::statvfs,
    process::{Resource, geteuid, getrlimit},
};

use super::check::{DoctorCheck, DoctorContext, DoctorFinding};

/// The smallest share of a disk that must be free, in percent.
const MIN_FREE_PERCENT: u64 = 5;
/// Free bytes that are enough, whatever the share of the disk.
const ENOUGH_FREE_BYTES: u64 = 10 << 30;
/// Free bytes that are needed, whatever the share of the disk.
const MIN_FREE_BYTES: u64 = 256 << 20;
/// File descriptors for the store and the runtime.
const RESERVED: u64 = 512;
/// The smallest limit of file descriptors for any deployment.
const MIN_DESCRIPTORS: u64 = 4096;

/// Checks the free disk space.
pub(super) struct FreeSpaceCheck;

impl DoctorCheck for FreeSpaceCheck {
    fn name(&self) -> &'static str {
        "free_space"
    }

    fn run<'a>(&'a self, context: &'a DoctorContext) -> BoxFuture<'a, Vec<DoctorFinding>> {
        Box::pin(async move {
            let folder = &context.settings.data;
            let Ok(disk) = statvfs(folder) else {
                let detail = format!("the free space of {} cannot be determined", folder.display());
                return vec![DoctorFinding::problem(detail, "check the folder and its permissions")];
            };
            let (free, all) =
                (disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize));
            let data = fs::metadata(folder.join("engines.db")).map_or(0, |file| file.len());
            let mut found = vec![free_space_finding(free, all)];
            if free < data {
                found.push(DoctorFinding::note(
                    format!("{} MiB are free, less than the size of the data file ({} MiB)", free >> 20, data >> 20),
                    "a backup on the same disk needs as much space again; write backups to another disk",
                ));
            }
            if disk.f_files > 0 && disk.f_favail == 0 {
                found.push(DoctorFinding::problem("the disk has no free inode", "remove files from it"));
            }
            found
        })
    }
}

fn free_space_finding(free: u64, all: u64) -> DoctorFinding {
    let percent = free.saturating_mul(100) / all.max(1);
    let detail = format!("{} MiB of {} MiB are free ({percent} %)", free >> 20, all >> 20);
    match free < MIN_FREE_BYTES || (percent < MIN_FREE_PERCENT && free < ENOUGH_FREE_BYTES) {
        true => DoctorFinding::problem(
            detail,
            "free disk space, or move the data to a larger disk; writes fail when the disk is full",
        ),
        false => DoctorFinding::ok(detail),
    }
}

/// Checks that only the owner of the data can read them, and that this user is the owner.
pub(super) struct FileModeCheck;

impl DoctorCheck for FileModeCheck {
    fn name(&self) -> &'static str {
        "files"
    }

    fn run<'a>(&'a self, context: &'a DoctorContext) -> BoxFuture<'a, Vec<DoctorFinding>> {
        Box::pin(async move {
            let folder = &context.settings.data;
            // The start of the server accepts the same modes: others who can read the folder see names only, and
            // `auth.allow_readable_secrets` states that the modes are intended.
            let (folder_mask, secret_mask) = match context.settings.auth.allow_readable_secrets {
                true => (0, 0),
                false => (0o022, 0o077),
            };
            let mut found = mode(folder, folder_mask, 0o700);
            for name in ["root.key", "signing-secret"] {
                found.extend(mode(&folder.join(name), secret_mask, 0o600));
            }
            // In a folder that other users may not enter, the read permissions of files do not matter.
            let wrong = if others_have_access(folder) { 0o077 } else { 0o022 };
            for name in ["engines.db", "engines.db-wal", "engines.db-shm", "engines.db.lock", "engines.db.created"] {
                found.extend(mode(&folder.join(name), wrong, 0o600));
            }
            if found.is_empty() {
                found.push(DoctorFinding::ok(format!("only its owner can use the files in {}", folder.display())));
            }
            found
        })
    }
}

/// Returns whether the group or others have any permission on a folder.
#[cfg(unix)]
fn others_have_access(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(folder).is_ok_and(|found| found.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_have_access(_: &Path) -> bool {
    false
}

/// Checks the mode and owner of a file. It returns no finding for a file that does not exist.
#[cfg(unix)]
fn mode(path: &Path, wrong: u32, right: u32) -> Vec<DoctorFinding> {
    use std::os::unix::fs::MetadataExt;
    let Ok(file) = fs::symlink_metadata(path) else { return Vec::new() };
    let mut found = Vec::new();
    if file.mode() & wrong != 0 && !file.file_type().is_symlink() {
        found.push(DoctorFinding::problem(
            format!("{} has mode {:04o}: other users can use it", path.display(), file.mode() & 0o7777),
            format!("chmod {right:o} {}", path.display()),
        ));
    }
    let me = geteuid().as_raw();
    if file.uid() != me && me != 0 {
        found.push(DoctorFinding::problem(
            format!("{} belongs to the user {}, and this is run by {me}", path.display(), file.uid()),
            "run the command as the user of the server, or change the owner of the files to that user",
        ));
    }
    found
}

#[cfg(not(unix))]
fn mode(_: &Path, _: u32, _: u32) -> Vec<DoctorFinding> {
    Vec::new()
}

/// Checks that the limit of open files covers the configured number of connections.
pub(super) struct DescriptorCheck;

impl DoctorCheck for DescriptorCheck {
    fn name(&self) -> &'static str {
        "descriptors"
    }

    fn run<'a>(&'a self, context: &'a DoctorContext) -> BoxFuture<'a, Vec<DoctorFinding>> {
        Box::pin(async move {
            let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
            let set = context.settings.http.max_connections.map(|connections| connections as u64 + RESERVED);
            vec![match limit < set.unwrap_or(MIN_DESCRIPTORS) {
                true => DoctorFinding::problem(
                    format!("the limit of open files is {limit}, fewer than the configured connections need"),
                    "raise the limit (ulimit -n, LimitNOFILE), or lower http.max_connections",
                ),
                false => DoctorFinding::ok(format!("the limit of open files is {limit}")),
            }]
        })
    }
}
