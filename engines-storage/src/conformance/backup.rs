//! Backups: a copy that stands at one position, made while the store is in use.

use std::path::PathBuf;

use async_trait::async_trait;
use engines_core::{
    Error, Result,
    nexus::{BackupContent, BackupFiles, BackupPosition, CopyLimits, Expect, ExpectedHead, ScopePosition},
};
use futures_util::StreamExt;

use super::{
    Bench, Failure, Outcome, Verdict,
    bench::{canvas, note},
    runner::Case,
    verdict::{ensure, same},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("backup::offered_if_promised", |bench| Box::pin(offered_if_promised(bench))),
        Case::store("backup::position_is_exact", |bench| Box::pin(position_is_exact(bench))),
    ]
}

/// Takes files and counts their bytes.
struct Sunk {
    folder: PathBuf,
    files: Vec<(String, u64)>,
}

impl Sunk {
    fn new(bench: &Bench) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("engines-conformance-{}", bench.word()));
        std::fs::create_dir_all(&folder).map_err(|error| Error::unavailable("conformance", error))?;
        Ok(Self { folder, files: Vec::new() })
    }
}

impl Drop for Sunk {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

#[async_trait]
impl BackupFiles for Sunk {
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

/// A backend has a backup source if it says so, and none otherwise.
pub async fn offered_if_promised(bench: &Bench) -> Verdict {
    same("a backup source", &bench.store.backup_source().is_some(), &bench.store.capabilities().backup)?;
    Ok(Outcome::Passed)
}

async fn copy(bench: &Bench) -> Result<(BackupPosition, Vec<(String, u64)>), Failure> {
    let source = bench.store.backup_source().ok_or_else(|| Failure::new("there is no backup source"))?;
    let mut sunk = Sunk::new(bench)?;
    let limits = CopyLimits { bytes_per_s: 0, log_bytes: 0 };
    let position = source.back_up(&mut sunk, limits).await?;
    let position = position.ok_or_else(|| Failure::new("the source of a store named no position"))?;
    Ok((position, std::mem::take(&mut sunk.files)))
}

/// A copy has files, and its position counts all that was acknowledged before it, scope by scope, and nothing that came after.
pub async fn position_is_exact(bench: &Bench) -> Verdict {
    if !bench.store.capabilities().backup {
        return Ok(Outcome::LeftOut("backup is not promised".into()));
    }
    let (one, other) = (bench.scope()?, bench.scope()?);
    for (stream, numbers) in [("c1", vec![1, 2, 3]), ("c2", vec![1, 2])] {
        let batch = bench.batch().append(canvas(stream)?, ExpectedHead::Any, bench.events_of(&one, numbers)?);
        bench.commit(&one, batch.audit(bench.audit(&one, "conformance.one", stream)?)).await?;
    }
    let recorded = bench.batch().record(bench.dataset(&other, "one")?).record(bench.dataset(&other, "two")?);
    bench.commit(&other, recorded.put(note("d", 1)?, Expect::Any)).await?;
    let (position, files) = copy(bench).await?;
    bench.commit(&one, bench.batch().append(canvas("c1")?, ExpectedHead::Any, bench.events_of(&one, [4])?)).await?;

    ensure(files.iter().any(|(_, bytes)| *bytes > 0), || format!("the copy holds nothing: {files:?}"))?;
    same("the log id", &position.log_id, &bench.store.log_id())?;
    let of = |scope| position.scopes.iter().find(|found| found.scope == scope).cloned();
    let wanted = ScopePosition { scope: one.clone(), events: 0, audit: 2, streams: 2, appended: 5 };
    same("the position of a scope with streams", &of(one), &Some(wanted))?;
    let wanted = ScopePosition { scope: other.clone(), events: 2, audit: 0, streams: 0, appended: 0 };
    same("the position of a scope with events", &of(other), &Some(wanted))?;
    ensure(position.feed >= 2, || format!("the outbox of the copy ends at {}", position.feed))?;
    Ok(Outcome::Passed)
}
