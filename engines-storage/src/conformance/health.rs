//! Health: a working backend reports that it is healthy.

use engines_core::nexus::Expect;

use super::{CaseOutcome, CaseResult, Fixture, fixture::note, runner::Case};

pub(super) fn cases() -> Vec<Case> {
    vec![Case::store("health::well_when_it_works", |bench| Box::pin(well_when_it_works(bench)))]
}

/// A working backend is healthy before its first commit, after a successful commit, and after a rejected one.
pub async fn well_when_it_works(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    bench.store.ping().await?;
    bench.store.health().await?;
    bench.commit(&scope, bench.new_batch().put(note("d1", 1)?, Expect::Absent)).await?;
    bench.store.health().await?;
    // A failed precondition says nothing about the backend's health.
    let _ = bench.commit(&scope, bench.new_batch().put(note("d1", 1)?, Expect::Absent)).await;
    bench.store.health().await?;
    Ok(CaseOutcome::Passed)
}
