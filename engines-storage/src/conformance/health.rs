//! Health: a working backend reports that it is healthy.

use engines_core::nexus::Expect;

use super::{CaseOutcome, CaseResult, Fixture, case::Case, fixture::note};

pub(super) fn cases() -> Vec<Case> {
    vec![Case::store("health::healthy_while_working", |fixture| Box::pin(healthy_while_working(fixture)))]
}

/// A working backend is healthy before its first commit, after a successful commit, and after a rejected one.
pub async fn healthy_while_working(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    fixture.store.ping().await?;
    fixture.store.health().await?;
    fixture.commit(&scope, fixture.new_batch().put(note("d1", 1)?, Expect::Absent)).await?;
    fixture.store.health().await?;
    // A failed precondition says nothing about the backend's health.
    let _ = fixture.commit(&scope, fixture.new_batch().put(note("d1", 1)?, Expect::Absent)).await;
    fixture.store.health().await?;
    Ok(CaseOutcome::Passed)
}
