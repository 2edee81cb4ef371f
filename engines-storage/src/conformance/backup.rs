//! Backups: a copy has one log position, and is made while the store is in use.

use std::path::PathBuf;

use async_trait::async_trait;
use engines_core::{
    Error, Result,
    nexus::{BackupContent, BackupFiles, BackupPosition, CopyLimits, Expect, ExpectedHead, ScopePosition},
};
use futures_util::StreamExt;

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    case::Case,
    fixture::{canvas, note},
    report::{ensure, ensure_equal},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("backup::offered_if_promised", |fixture| Box::pin(offered_if_promised(fixture))),
        Case::store("backup::position_is_exact", |fixture| Box::pin(position_is_exact(fixture))),
    ]
}

/// Accepts files and counts their bytes.
struct CountingFiles {
    folder: PathBuf,
    files: Vec<(String, u64)>,
}

impl CountingFiles {
    fn new(fixture: &Fixture) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("engines-conformance-{}", fixture.unique_word()));
        std::fs::create_dir_all(&folder).map_err(|error| Error::unavailable("conformance", error))?;
        Ok(Self { folder, files: Vec::new() })
    }
}

impl Drop for CountingFiles {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

#[async_trait]
impl BackupFiles for CountingFiles {
    fn local_path(&mut self, name: &str) -> Result<PathBuf> {
        Ok(self.folder.join(name))
    }

    async fn add_local(&mut self, name: &str) -> Result<()> {
        let found =
            std::fs::metadata(self.folder.join(name)).map_err(|error| Error::unavailable("conformance", error))?;
        self.files.push((name.to_owned(), found.len()));
        Ok(())
    }

    async fn add_stream(&mut self, name: &str, mut content: BackupContent) -> Result<()> {
        let mut bytes = 0;
        while let Some(chunk) = content.next().await {
            bytes += chunk?.len() as u64;
        }
        self.files.push((name.to_owned(), bytes));
        Ok(())
    }
}

/// A backend has a backup source exactly when its capabilities promise one.
pub async fn offered_if_promised(fixture: &Fixture) -> CaseResult {
    ensure_equal("a backup source", &fixture.store.backup_source().is_some(), &fixture.store.capabilities().backup)?;
    Ok(CaseOutcome::Passed)
}

async fn make_copy(fixture: &Fixture) -> Result<(BackupPosition, Vec<(String, u64)>), CaseFailure> {
    let source = fixture.store.backup_source().ok_or_else(|| CaseFailure::new("there is no backup source"))?;
    let mut sunk = CountingFiles::new(fixture)?;
    let limits = CopyLimits { bytes_per_s: 0, log_bytes: 0 };
    let position = source.back_up(&mut sunk, limits).await?;
    let position = position.ok_or_else(|| CaseFailure::new("the backup source of the store returned no position"))?;
    Ok((position, std::mem::take(&mut sunk.files)))
}

/// A copy contains files. Its position includes, scope by scope, everything that was acknowledged before the copy,
/// and nothing that was written after it.
pub async fn position_is_exact(fixture: &Fixture) -> CaseResult {
    if !fixture.store.capabilities().backup {
        return Ok(CaseOutcome::Skipped("backup is not promised".into()));
    }
    let (one, other) = (fixture.new_scope()?, fixture.new_scope()?);
    for (stream, numbers) in [("c1", vec![1, 2, 3]), ("c2", vec![1, 2])] {
        let batch = fixture.new_batch().append(canvas(stream)?, ExpectedHead::Any, fixture.new_events(&one, numbers)?);
        fixture.commit(&one, batch.audit(fixture.audit_entry(&one, "conformance.one", stream)?)).await?;
    }
    let recorded =
        fixture.new_batch().record(fixture.dataset_event(&other, "one")?).record(fixture.dataset_event(&other, "two")?);
    fixture.commit(&other, recorded.put(note("d", 1)?, Expect::Any)).await?;
    let (position, files) = make_copy(fixture).await?;
    fixture
        .commit(&one, fixture.new_batch().append(canvas("c1")?, ExpectedHead::Any, fixture.new_events(&one, [4])?))
        .await?;

    ensure(files.iter().any(|(_, bytes)| *bytes > 0), || format!("the copy holds nothing: {files:?}"))?;
    ensure_equal("the log id", &position.log_id, &fixture.store.log_id())?;
    let of = |scope| position.scopes.iter().find(|found| found.scope == scope).cloned();
    let wanted = ScopePosition { scope: one.clone(), events: 0, audit: 2, streams: 2, appended: 5 };
    ensure_equal("the position of a scope with streams", &of(one), &Some(wanted))?;
    let wanted = ScopePosition { scope: other.clone(), events: 2, audit: 0, streams: 0, appended: 0 };
    ensure_equal("the position of a scope with events", &of(other), &Some(wanted))?;
    ensure(position.feed >= 2, || format!("the outbox of the copy ends at {}", position.feed))?;
    Ok(CaseOutcome::Passed)
}
