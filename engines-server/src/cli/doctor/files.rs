//! The machine: space, files and descriptors.

use std::{fs, path::Path};

use futures_util::future::BoxFuture;
use rustix::{
    fs::statvfs,
    process::{Resource, geteuid, getrlimit},
};

use super::check::{Check, Finding, Subject};

/// Less than this part of a disk free is a problem, in percent.
const FREE_PERCENT: u64 = 5;
/// Free bytes that are enough whatever part of the disk they are.
const FREE_ENOUGH: u64 = 10 << 30;
/// Free bytes that are too few in any case.
const FREE_LEAST: u64 = 256 << 20;
/// Descriptors that the store and the runtime use.
const RESERVED: u64 = 512;
/// Descriptors below which no deployment should run.
const DESCRIPTORS_LEAST: u64 = 4096;

/// There is room on the disk.
pub(super) struct FreeSpace;

impl Check for FreeSpace {
    fn name(&self) -> &'static str {
        "free_space"
    }

    fn run<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let folder = &subject.settings.data;
            let Ok(disk) = statvfs(folder) else {
                let detail = format!("the free space of {} cannot be asked for", folder.display());
                return vec![Finding::problem(detail, "check the folder and its permissions")];
            };
            let (free, all) =
                (disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize));
            let data = fs::metadata(folder.join("engines.db")).map_or(0, |file| file.len());
            let mut found = vec![space(free, all)];
            if free < data {
                found.push(Finding::note(
                    format!("{} MiB are free, less than the data file has ({} MiB)", free >> 20, data >> 20),
                    "a backup on the same disk needs as much again; write backups elsewhere",
                ));
            }
            if disk.f_files > 0 && disk.f_favail == 0 {
                found.push(Finding::problem("the disk has no inode left", "remove files from it"));
            }
            found
        })
    }
}

fn space(free: u64, all: u64) -> Finding {
    let percent = free.saturating_mul(100) / all.max(1);
    let detail = format!("{} MiB of {} MiB are free ({percent} %)", free >> 20, all >> 20);
    match free < FREE_LEAST || (percent < FREE_PERCENT && free < FREE_ENOUGH) {
        true => Finding::problem(detail, "make room, or move the data to a larger disk: writes fail when it is full"),
        false => Finding::ok(detail),
    }
}

/// Only the owner of the data can read it, and the owner is whoever runs this.
pub(super) struct Modes;

impl Check for Modes {
    fn name(&self) -> &'static str {
        "files"
    }

    fn run<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let folder = &subject.settings.data;
            let mut found = mode(folder, 0o077, 0o700);
            for name in ["root.key", "signing-secret"] {
                found.extend(mode(&folder.join(name), 0o077, 0o600));
            }
            let private = found.is_empty();
            for name in ["engines.db", "engines.db-wal", "engines.db-shm", "engines.db.lock"] {
                // In a folder that nobody else may enter, who may read the files does not matter.
                let wrong = if private { 0o022 } else { 0o077 };
                found.extend(mode(&folder.join(name), wrong, 0o600));
            }
            if found.is_empty() {
                found.push(Finding::ok(format!("{} is for its owner alone", folder.display())));
            }
            found
        })
    }
}

/// What is wrong with a file's mode and owner; nothing for one that is not there.
#[cfg(unix)]
fn mode(path: &Path, wrong: u32, right: u32) -> Vec<Finding> {
    use std::os::unix::fs::MetadataExt;
    let Ok(file) = fs::symlink_metadata(path) else { return Vec::new() };
    let mut found = Vec::new();
    if file.mode() & wrong != 0 && !file.file_type().is_symlink() {
        found.push(Finding::problem(
            format!("{} has mode {:04o}: others can use it", path.display(), file.mode() & 0o7777),
            format!("chmod {right:o} {}", path.display()),
        ));
    }
    let me = geteuid().as_raw();
    if file.uid() != me && me != 0 {
        found.push(Finding::problem(
            format!("{} belongs to the user {}, and this is run by {me}", path.display(), file.uid()),
            "run it as the user who runs the server, or give the files to that user",
        ));
    }
    found
}

#[cfg(not(unix))]
fn mode(_: &Path, _: u32, _: u32) -> Vec<Finding> {
    Vec::new()
}

/// The process may open as many files as there are to be connections.
pub(super) struct Descriptors;

impl Check for Descriptors {
    fn name(&self) -> &'static str {
        "descriptors"
    }

    fn run<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
            let set = subject.settings.http.max_connections.map(|connections| connections as u64 + RESERVED);
            vec![match limit < set.unwrap_or(DESCRIPTORS_LEAST) {
                true => Finding::problem(
                    format!(
                        "a process may open {limit} files here, fewer than the connections that are to be open need"
                    ),
                    "raise the limit (ulimit -n, LimitNOFILE), or lower http.max_connections",
                ),
                false => Finding::ok(format!("a process may open {limit} files here")),
            }]
        })
    }
}
