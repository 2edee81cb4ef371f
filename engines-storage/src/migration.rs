//! Moving everything a store holds into another store, of any two backends that have an archive side.
//!
//! Everything is staged in the target first, with how far it has come, so that a migration that was killed goes on where it was. Then every record of both
//! sides is read again and compared, and only then does the target show anything, all of it in one transaction. It takes over the log's id and the feed's position: readers'
//! cursors and sinks go on in the target.

use engines_core::{
    Code, Error, Result, Scope, Store, Timestamp,
    nexus::{
        Batch, PageRequest,
        archive::{Archive, Publication, ScopeSnapshot, Section, StagedScope},
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const OPERATION: &str = "store.migrate";
/// Records read and staged at a time.
const RECORDS_PER_STEP: usize = 1000;
/// Scopes listed at a time.
const SCOPES_PER_PAGE: usize = 1000;

/// How to migrate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MigrationOptions {
    /// Discard what an earlier migration has staged, and begin anew.
    pub restart: bool,
}

/// How far a migration has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MigrationProgress {
    /// These scopes are to be moved; of so many some records are staged already.
    Started {
        /// All of them.
        scopes: usize,
        /// Those that an earlier run has begun or finished.
        resumed: usize,
    },
    /// A scope is staged.
    Staged(Scope),
    /// A scope was compared, record by record.
    Verified(Scope),
}

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// How many scopes.
    pub scopes: usize,
    /// How many records.
    pub records: u64,
    /// SHA-256 over all of them, in order, as 64 hexadecimal digits.
    pub sha256: String,
}

/// How far a scope was staged, as it is kept in the target.
#[derive(Debug, Serialize, Deserialize)]
struct StagingProgress {
    /// The source's log.
    log: [u8; 8],
    section: Section,
    /// Where the section goes on; none at its beginning.
    next: Option<String>,
    done: bool,
}

/// Moves everything from one store to another, which must be empty. Nothing may write to either of them meanwhile.
///
/// # Errors
/// `ALREADY_EXISTS` when something is in the target, or when it has a part of another store's migration; `VERSION_MISMATCH` when the source has changed since the
/// migration was begun; `INTERNAL` for a backend that cannot be archived; failures of the two stores. What is staged stays, and the next call goes on with it.
pub async fn migrate(
    from: &dyn Store,
    to: &dyn Store,
    options: MigrationOptions,
    mut report: impl FnMut(MigrationProgress) + Send,
) -> Result<MigrationReport> {
    let (source, target) = (archive_of(from)?, archive_of(to)?);
    if !target.scopes(PageRequest::first(1)).await?.items.is_empty() {
        let detail = "the target holds something already; choose an empty one";
        return Err(Error::new(Code::AlreadyExists, OPERATION, detail));
    }
    let mark = source.mark().await?;
    let scopes = all_scopes(source).await?;
    let mut staged = target.staged().await?;
    for found in &staged {
        let known = progress_of(found).is_some_and(|progress| progress.log == mark.log_id.to_bytes());
        if options.restart || !scopes.contains(&found.scope) {
            discard_staged(target, &found.scope).await?;
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
            discard_staged(target, scope).await?;
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
    let sha256 = all.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(MigrationReport { scopes: count, records, sha256 })
}

fn archive_of(store: &dyn Store) -> Result<&dyn Archive> {
    store.archive().ok_or_else(|| {
        let name = store.capabilities().name;
        Error::new(Code::Internal, OPERATION, format!("the backend {name} cannot be archived"))
    })
}

/// Every scope of a store.
///
/// # Errors
/// Failures of the store.
pub async fn all_scopes(archive: &dyn Archive) -> Result<Vec<Scope>> {
    let (mut scopes, mut page) = (Vec::new(), PageRequest::first(SCOPES_PER_PAGE));
    loop {
        let found = archive.scopes(page).await?;
        scopes.extend(found.items);
        match found.next {
            Some(next) => page = PageRequest::after(SCOPES_PER_PAGE, next),
            None => return Ok(scopes),
        }
    }
}

fn progress_of(staged: &StagedScope) -> Option<StagingProgress> {
    serde_json::from_str(&staged.progress).ok()
}

/// Stages a scope from where an earlier run has come to.
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

/// How many records a snapshot has, and SHA-256 over their lines.
///
/// # Errors
/// Failures of the store.
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

async fn discard_staged(archive: &dyn Archive, scope: &Scope) -> Result<()> {
    while archive.discard(scope).await? {}
    Ok(())
}
