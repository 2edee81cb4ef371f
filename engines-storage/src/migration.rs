//! Copies all data of one store into another, between any two backends that implement
//! [`Archive`].
//!
//! [`migrate`] stages all records in the target and stores its progress with them, so that a migration that was
//! killed resumes where it stopped. It then reads every record of both stores again and compares them. One
//! transaction publishes the staged scopes; until then the target shows none of them. The target takes over the log
//! id and the feed's position, so that cursors and sinks continue without a gap.

use engines_core::{
    Code, Error, Result, Scope, Timestamp, hex,
    nexus::{
        Backend, Batch, EventFeed, PageRequest,
        archive::{Archive, Publication, ScopeSnapshot, Section, StagedScope},
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const OPERATION: &str = "store.migrate";
/// Number of records read and staged in one step.
const RECORDS_PER_STEP: usize = 1000;
/// Number of scopes in one page of the list.
const SCOPES_PER_PAGE: usize = 1000;

/// Options of [`migrate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MigrationOptions {
    /// Discards what an earlier migration staged and starts from the beginning. Default: `false`.
    pub restart: bool,
}

/// A progress report of [`migrate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MigrationProgress {
    /// The migration starts.
    Started {
        /// Number of scopes to copy.
        scopes: usize,
        /// Number of these scopes that an earlier run started or finished.
        resumed: usize,
    },
    /// All records of this scope are staged.
    Staged(Scope),
    /// Every record of this scope was compared and is equal in both stores.
    Verified(Scope),
}

/// The result of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// Number of scopes copied.
    pub scopes: usize,
    /// Number of records copied.
    pub records: u64,
    /// SHA-256 over all records in order, as 64 hexadecimal digits.
    pub sha256: String,
}

/// How much of a scope is staged; stored in the target.
#[derive(Debug, Serialize, Deserialize)]
struct StagingProgress {
    /// The id of the source's log.
    log: [u8; 8],
    section: Section,
    /// Token of the section's next page; `None` at its beginning.
    next: Option<String>,
    done: bool,
}

/// Copies all data from one store to another, which must be empty.
///
/// No other process may write to either store during the migration. After an error, the staged records stay in the
/// target and the next call resumes with them.
///
/// # Errors
///
/// - `ALREADY_EXISTS` when the target contains data or part of another migration.
/// - `VERSION_MISMATCH` when the source changed after the migration started.
/// - `INTERNAL` when a backend does not support archives.
/// - Errors of the two stores.
pub async fn migrate(
    from: &dyn Backend,
    to: &dyn Backend,
    options: MigrationOptions,
    mut report: impl FnMut(MigrationProgress) + Send,
) -> Result<MigrationReport> {
    let (source, target) = (archive_of(from)?, archive_of(to)?);
    if !to.scopes(None, 1).await?.is_empty() {
        let detail = "the target holds something already; choose an empty one";
        return Err(Error::new(Code::AlreadyExists, OPERATION, detail));
    }
    let mark = source.mark().await?;
    let scopes = all_scopes(from).await?;
    let mut staged = target.staged().await?;
    for found in &staged {
        let known = progress_of(found).is_some_and(|progress| progress.log == mark.log_id.to_bytes());
        if options.restart || !scopes.contains(&found.scope) {
            target.discard_staged(&found.scope).await?;
        } else if !known {
            let detail = "the target has a part of another migration or import; restart to discard it";
            return Err(Error::new(Code::AlreadyExists, OPERATION, detail));
        }
    }
    if options.restart {
        staged.clear();
    }
    let resumed = staged.iter().filter(|found| scopes.contains(&found.scope)).count();
    report(MigrationProgress::Started { scopes: scopes.len(), resumed });
    for scope in &scopes {
        let begun = staged.iter().find(|found| found.scope == *scope).and_then(progress_of);
        stage_scope(source, target, scope, mark.log_id.to_bytes(), begun).await?;
        report(MigrationProgress::Staged(scope.clone()));
    }
    let (mut records, mut all) = (0, Sha256::new());
    for scope in &scopes {
        let (one, other) = (source.snapshot(scope).await?, target.staged_snapshot(scope).await?);
        let (one, other) = (snapshot_digest(&*one).await?, snapshot_digest(&*other).await?);
        if one != other {
            target.discard_staged(scope).await?;
            let detail =
                format!("{scope} has changed since it was staged; it was discarded, begin the migration again");
            return Err(Error::new(Code::VersionMismatch, OPERATION, detail));
        }
        records += one.0;
        all.update(scope.prefix());
        all.update(one.1);
        report(MigrationProgress::Verified(scope.clone()));
    }
    let count = scopes.len();
    let publication = Publication { scopes, mark: Some(mark), batch: Batch::new(Timestamp::default()) };
    target.publish(publication).await?;
    let sha256 = hex::encode(&all.finalize());
    Ok(MigrationReport { scopes: count, records, sha256 })
}

fn archive_of(store: &dyn Backend) -> Result<&dyn Archive> {
    store.archive().ok_or_else(|| {
        let name = store.capabilities().name;
        Error::new(Code::Internal, OPERATION, format!("the backend {name} cannot be archived"))
    })
}

/// Lists every scope of a store.
///
/// # Errors
///
/// Errors of the store.
pub async fn all_scopes(store: &(impl EventFeed + ?Sized)) -> Result<Vec<Scope>> {
    let mut scopes: Vec<Scope> = Vec::new();
    loop {
        let found = store.scopes(scopes.last(), SCOPES_PER_PAGE).await?;
        if found.is_empty() {
            return Ok(scopes);
        }
        scopes.extend(found);
    }
}

fn progress_of(staged: &StagedScope) -> Option<StagingProgress> {
    serde_json::from_str(&staged.progress).ok()
}

/// Stages a scope, starting where an earlier run stopped.
async fn stage_scope(
    source: &dyn Archive,
    target: &dyn Archive,
    scope: &Scope,
    log: [u8; 8],
    begun: Option<StagingProgress>,
) -> Result<()> {
    if begun.as_ref().is_some_and(|progress| progress.done) {
        return Ok(());
    }
    let snapshot = source.snapshot(scope).await?;
    let last = Section::ALL.len() - 1;
    for (at, section) in Section::ALL.into_iter().enumerate() {
        let mut next = match &begun {
            Some(progress) if section < progress.section => continue,
            Some(progress) if section == progress.section => progress.next.clone(),
            _ => None,
        };
        loop {
            let page = next.map_or_else(
                || PageRequest::first(RECORDS_PER_STEP),
                |next| PageRequest::after(RECORDS_PER_STEP, next),
            );
            let found = snapshot.records(section, page).await?;
            let progress = match &found.next {
                Some(next) => StagingProgress { log, section, next: Some(next.clone()), done: false },
                None => match Section::ALL.get(at + 1) {
                    Some(following) => StagingProgress { log, section: *following, next: None, done: false },
                    None => StagingProgress { log, section, next: None, done: at == last },
                },
            };
            let text = serde_json::to_string(&progress).map_err(|error| Error::internal(OPERATION, error))?;
            target.stage(scope, found.items, &text).await?;
            next = found.next;
            if next.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Returns the number of records in a snapshot and the SHA-256 over their lines.
///
/// # Errors
///
/// Errors of the store.
pub async fn snapshot_digest(snapshot: &dyn ScopeSnapshot) -> Result<(u64, [u8; 32])> {
    let (mut count, mut hash, mut lines) = (0, Sha256::new(), Vec::new());
    for section in Section::ALL {
        let mut page = PageRequest::first(RECORDS_PER_STEP);
        loop {
            let found = snapshot.records(section, page).await?;
            lines.clear();
            for record in &found.items {
                record.write_line(&mut lines)?;
            }
            count += found.items.len() as u64;
            hash.update(&lines);
            match found.next {
                Some(next) => page = PageRequest::after(RECORDS_PER_STEP, next),
                None => break,
            }
        }
    }
    Ok((count, hash.finalize().into()))
}
