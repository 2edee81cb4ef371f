//! Readiness: a backend that works says so.

use engines_core::nexus::Expect;

use super::{CaseOutcome, CaseResult, Fixture, fixture::note, runner::Case};

pub(super) fn cases() -> Vec<Case> {
    vec![Case::store("health::well_when_it_works", |bench| Box::pin(well_when_it_works(bench)))]
}

/// A backend that reads and writes is well, before its first commit, after one that succeeded, and after one that was refused.
pub async fn well_when_it_works(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    bench.store.ping().await?;
    bench.store.health().await?;
    bench.commit(&scope, bench.new_batch().put(note("d1", 1)?, Expect::Absent)).await?;
    bench.store.health().await?;
    // A precondition that does not hold says nothing about the backend.
    let _ = bench.commit(&scope, bench.new_batch().put(note("d1", 1)?, Expect::Absent)).await;
    bench.store.health().await?;
    Ok(CaseOutcome::Passed)
}
