//! Pipelines: commits are applied in the order in which they are first polled. For backends that promise `pipelined`.

use std::pin::Pin;

use engines_core::{
    Scope,
    nexus::{CommitError, Expect, ExpectedHead, Receipt},
    stream::{Seq, StreamKey},
};

use super::{
    Bench, Failure, Outcome, Verdict,
    bench::{canvas, note, poll_once},
    documents::found,
    runner::Case,
    streams::contiguous,
    verdict::{ensure, same},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("ordering::polled_in_order", |bench| Box::pin(polled_in_order(bench))),
        Case::store("ordering::failures_fail_alone", |bench| Box::pin(failures_fail_alone(bench))),
    ]
}

type Commit<'a> = Pin<Box<dyn Future<Output = Result<Receipt, CommitError>> + Send + 'a>>;

/// A commit in flight, or its answer if the first poll gave one.
enum Flight<'a> {
    Answered(Result<Receipt, CommitError>),
    Waiting(Commit<'a>),
}

impl Flight<'_> {
    async fn land(self) -> Result<Receipt, CommitError> {
        match self {
            Self::Answered(answer) => answer,
            Self::Waiting(commit) => commit.await,
        }
    }
}

/// Sends a command that expects head and version `rev`; polled once.
async fn send<'a>(bench: &'a Bench, scope: &'a Scope, key: &StreamKey, rev: u64) -> Result<Flight<'a>, Failure> {
    let expect = if rev == 0 { Expect::Absent } else { Expect::Version(rev) };
    let batch = bench
        .batch()
        .append(key.clone(), ExpectedHead::Seq(Seq(rev)), bench.events_of(scope, [rev + 1])?)
        .put(note(key.id(), rev + 1)?, expect);
    let mut commit = bench.store.commit(scope, batch);
    Ok(match poll_once(&mut commit).await {
        Some(answer) => Flight::Answered(answer),
        None => Flight::Waiting(commit),
    })
}

fn left_out(bench: &Bench) -> Option<Outcome> {
    (!bench.store.capabilities().pipelined).then(|| Outcome::LeftOut("pipelined is not promised".into()))
}

/// Hundreds of commits in flight on one stream, each expecting what the one before it does, all land.
pub async fn polled_in_order(bench: &Bench) -> Verdict {
    if let Some(left_out) = left_out(bench) {
        return Ok(left_out);
    }
    let scope = bench.scope()?;
    let key = canvas("c1")?;
    let count = bench.settings.writers as u64 * bench.settings.rounds as u64;
    let mut flights = Vec::new();
    for rev in 0..count {
        flights.push((rev, send(bench, &scope, &key, rev).await?));
    }
    // Answers may be taken in any order.
    for (rev, flight) in flights.into_iter().rev() {
        let receipt = flight.land().await?;
        same("the place of a pipelined commit", &receipt.appended[0].last, &Seq(rev + 1))?;
        same("its version", &receipt.versions, &vec![rev + 1])?;
    }
    let read = bench.read_all(&scope, &key, Seq::ZERO).await?;
    contiguous(&read, Seq::ZERO)?;
    same("events", &read.len(), &usize::try_from(count).unwrap_or(usize::MAX))?;
    same("the document", &found(bench.get(&scope, "c1").await?)?.decode::<u64>()?, &count)?;
    Ok(Outcome::Passed)
}

/// A commit in the middle that fails takes those down that expect its effect, and no others; the next right one lands.
pub async fn failures_fail_alone(bench: &Bench) -> Verdict {
    if let Some(left_out) = left_out(bench) {
        return Ok(left_out);
    }
    let scope = bench.scope()?;
    let (key, other) = (canvas("c1")?, canvas("c2")?);
    // On `key`, the fourth expects a head that never was; the fifth builds on it; the sixth on the third.
    let plan = [(0, true), (1, true), (2, true), (7, false), (8, false), (3, true), (4, true)];
    let mut flights = Vec::new();
    for (n, (rev, lands)) in plan.into_iter().enumerate() {
        flights.push((lands, send(bench, &scope, &key, rev).await?));
        flights.push((true, send(bench, &scope, &other, n as u64).await?));
    }
    for (n, (lands, flight)) in flights.into_iter().enumerate() {
        match (flight.land().await, lands) {
            (Ok(_), true) | (Err(CommitError::Precondition { index: 0, .. }), false) => {}
            (answer, _) => return Err(Failure::new(format!("commit {n} in flight, lands: {lands}, got {answer:?}"))),
        }
    }
    for (key, head) in [(&key, 5), (&other, plan.len() as u64)] {
        let read = bench.read_all(&scope, key, Seq::ZERO).await?;
        contiguous(&read, Seq::ZERO)?;
        ensure(read.len() as u64 == head, || format!("{} events in {key}, wanted {head}", read.len()))?;
    }
    Ok(Outcome::Passed)
}
