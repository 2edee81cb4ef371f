//! Pipelining: commits are applied in the order of their first polls. For backends that promise `pipelined`.

use std::pin::Pin;

use engines_core::{
    Scope,
    nexus::{CommitError, CommitReceipt, Expect, ExpectedHead},
    stream::{Seq, StreamKey},
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    assertions::{ensure_contiguous, require_found},
    case::Case,
    fixture::{canvas, note, poll_once},
    report::{ensure, ensure_equal},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("ordering::polled_in_order", |fixture| Box::pin(polled_in_order(fixture))),
        Case::store("ordering::failures_fail_alone", |fixture| Box::pin(failures_fail_alone(fixture))),
    ]
}

type PendingCommit<'a> = Pin<Box<dyn Future<Output = Result<CommitReceipt, CommitError>> + Send + 'a>>;

/// A commit in progress, or its result if the first poll returned one.
enum PolledCommit<'a> {
    Ready(Result<CommitReceipt, CommitError>),
    Pending(PendingCommit<'a>),
}

impl PolledCommit<'_> {
    async fn finish(self) -> Result<CommitReceipt, CommitError> {
        match self {
            Self::Ready(answer) => answer,
            Self::Pending(commit) => commit.await,
        }
    }
}

/// Starts a command that expects head and version `rev`, and polls it once.
async fn send_command<'a>(
    fixture: &'a Fixture,
    scope: &'a Scope,
    key: &StreamKey,
    rev: u64,
) -> Result<PolledCommit<'a>, CaseFailure> {
    let expect = if rev == 0 { Expect::Absent } else { Expect::Version(rev) };
    let batch = fixture
        .new_batch()
        .append(key.clone(), ExpectedHead::Seq(Seq(rev)), fixture.new_events(scope, [rev + 1])?)
        .put(note(key.id(), rev + 1)?, expect);
    let mut commit = fixture.store.commit(scope, batch);
    Ok(match poll_once(&mut commit).await {
        Some(answer) => PolledCommit::Ready(answer),
        None => PolledCommit::Pending(commit),
    })
}

fn skip_unless_pipelined(fixture: &Fixture) -> Option<CaseOutcome> {
    (!fixture.store.capabilities().pipelined).then(|| CaseOutcome::Skipped("pipelined is not promised".into()))
}

/// Hundreds of concurrent commits on one stream, each of which expects the effect of the previous one, all succeed.
pub async fn polled_in_order(fixture: &Fixture) -> CaseResult {
    if let Some(left_out) = skip_unless_pipelined(fixture) {
        return Ok(left_out);
    }
    let scope = fixture.new_scope()?;
    let key = canvas("c1")?;
    let count = fixture.settings.writers as u64 * fixture.settings.rounds as u64;
    let mut flights = Vec::new();
    for rev in 0..count {
        flights.push((rev, send_command(fixture, &scope, &key, rev).await?));
    }
    // Results may be read in any order.
    for (rev, flight) in flights.into_iter().rev() {
        let receipt = flight.finish().await?;
        ensure_equal("the place of a pipelined commit", &receipt.appended[0].last, &Seq(rev + 1))?;
        ensure_equal("its version", &receipt.versions, &vec![rev + 1])?;
    }
    let read = fixture.read_all(&scope, &key, Seq::ZERO).await?;
    ensure_contiguous(&read, Seq::ZERO)?;
    ensure_equal("events", &read.len(), &usize::try_from(count).unwrap_or(usize::MAX))?;
    ensure_equal("the document", &require_found(fixture.get(&scope, "c1").await?)?.decode::<u64>()?, &count)?;
    Ok(CaseOutcome::Passed)
}

/// When one of several pipelined commits fails, those that expect its effect fail too, and no others. The next
/// correct commit succeeds.
pub async fn failures_fail_alone(fixture: &Fixture) -> CaseResult {
    if let Some(left_out) = skip_unless_pipelined(fixture) {
        return Ok(left_out);
    }
    let scope = fixture.new_scope()?;
    let (key, other) = (canvas("c1")?, canvas("c2")?);
    // On `key`, the fourth expects a head that never exists; the fifth builds on the fourth; the sixth on the third.
    let plan = [(0, true), (1, true), (2, true), (7, false), (8, false), (3, true), (4, true)];
    let mut flights = Vec::new();
    for (n, (rev, lands)) in plan.into_iter().enumerate() {
        flights.push((lands, send_command(fixture, &scope, &key, rev).await?));
        flights.push((true, send_command(fixture, &scope, &other, n as u64).await?));
    }
    for (n, (lands, flight)) in flights.into_iter().enumerate() {
        match (flight.finish().await, lands) {
            (Ok(_), true) | (Err(CommitError::Precondition { index: 0, .. }), false) => {}
            (answer, _) => {
                return Err(CaseFailure::new(format!("commit {n} in flight, lands: {lands}, got {answer:?}")));
            }
        }
    }
    for (key, head) in [(&key, 5), (&other, plan.len() as u64)] {
        let read = fixture.read_all(&scope, key, Seq::ZERO).await?;
        ensure_contiguous(&read, Seq::ZERO)?;
        ensure(read.len() as u64 == head, || format!("{} events in {key}, wanted {head}", read.len()))?;
    }
    Ok(CaseOutcome::Passed)
}
