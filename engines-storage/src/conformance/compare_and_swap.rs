//! Races: among concurrent writes with the same expectation, exactly one succeeds.

use engines_core::{
    nexus::{CommitError, Expect, ExpectedHead, FailedPrecondition},
    stream::Seq,
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    assertions::require_found,
    case::Case,
    fixture::{canvas, note, run_concurrently},
    report::ensure_equal,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("compare_and_swap::documents_race", |fixture| Box::pin(documents_race(fixture))),
        Case::store("compare_and_swap::heads_race", |fixture| Box::pin(heads_race(fixture))),
        Case::store("compare_and_swap::losers_commit_after_retrying", |fixture| {
            Box::pin(losers_commit_after_retrying(fixture))
        }),
    ]
}

/// Many tasks write one document with the same expected version (first: absent). One succeeds; the errors of the
/// others state its version.
pub async fn documents_race(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    for round in 0..fixture.settings.rounds as u64 {
        let expect = if round == 0 { Expect::Absent } else { Expect::Version(round) };
        let wins = run_concurrently((0..fixture.settings.writers).map(|writer| {
            let (fixture, scope) = (fixture.clone(), scope.clone());
            async move {
                match fixture.commit(&scope, fixture.new_batch().put(note("d1", writer)?, expect)).await {
                    Ok(receipt) => {
                        ensure_equal("the winner's version", &receipt.versions, &vec![round + 1]).map(|()| Some(writer))
                    }
                    Err(CommitError::Precondition { failed: FailedPrecondition::Document { version, .. }, .. }) => {
                        ensure_equal("the version a loser is told", &version, &Some(round + 1)).map(|()| None)
                    }
                    Err(error) => Err(error.into()),
                }
            }
        }))
        .await?;
        let winners: Vec<_> = wins.into_iter().flatten().collect();
        ensure_equal("winners", &winners.len(), &1)?;
        let document = require_found(fixture.get(&scope, "d1").await?)?;
        ensure_equal("what is there is the winner's", &document.decode::<usize>()?, &winners[0])?;
    }
    Ok(CaseOutcome::Passed)
}

/// Many tasks append to one stream with the same expected head. One succeeds; the errors of the others state the new
/// head.
pub async fn heads_race(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let key = canvas("c1")?;
    for round in 0..fixture.settings.rounds as u64 {
        let wins = run_concurrently((0..fixture.settings.writers as u64).map(|writer| {
            let (fixture, scope, key) = (fixture.clone(), scope.clone(), key.clone());
            async move {
                let events = fixture.new_events(&scope, [writer])?;
                match fixture
                    .commit(&scope, fixture.new_batch().append(key, ExpectedHead::Seq(Seq(round)), events))
                    .await
                {
                    Ok(receipt) => {
                        ensure_equal("the winner's place", &receipt.appended[0].last, &Seq(round + 1)).map(|()| 1)
                    }
                    Err(CommitError::Precondition { failed: FailedPrecondition::Stream { head, .. }, .. }) => {
                        ensure_equal("the head a loser is told", &head, &Seq(round + 1)).map(|()| 0)
                    }
                    Err(error) => Err(error.into()),
                }
            }
        }))
        .await?;
        ensure_equal("winners", &wins.iter().sum::<usize>(), &1)?;
    }
    ensure_equal("events", &fixture.read_all(&scope, &key, Seq::ZERO).await?.len(), &fixture.settings.rounds)?;
    Ok(CaseOutcome::Passed)
}

/// Writers that retry with the head from the error all succeed in the end, and no event is stored twice.
pub async fn losers_commit_after_retrying(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let key = canvas("c1")?;
    let writers = fixture.settings.writers as u64;
    run_concurrently((0..writers).map(|writer| {
        let (fixture, scope, key) = (fixture.clone(), scope.clone(), key.clone());
        async move {
            let mut head = Seq::ZERO;
            // Each failure means that another writer succeeded, and each writer succeeds once.
            for _ in 0..=writers {
                let events = fixture.new_events(&scope, [writer])?;
                let counter = note("counter", head.0 + 1)?;
                let expect = if head == Seq::ZERO { Expect::Absent } else { Expect::Version(head.0) };
                let batch =
                    fixture.new_batch().append(key.clone(), ExpectedHead::Seq(head), events).put(counter, expect);
                match fixture.commit(&scope, batch).await {
                    Ok(_) => return Ok(()),
                    Err(CommitError::Precondition { failed: FailedPrecondition::Stream { head: now, .. }, .. }) => {
                        head = now
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Err(CaseFailure::new("a writer lost more often than there are others"))
        }
    }))
    .await?;
    let mut all: Vec<_> = fixture
        .read_all(&scope, &key, Seq::ZERO)
        .await?
        .iter()
        .map(|event| event.event.data.get().to_owned())
        .collect();
    all.sort_unstable();
    all.dedup();
    ensure_equal("events of different writers", &all.len(), &(writers as usize))?;
    let counter = require_found(fixture.get(&scope, "counter").await?)?;
    ensure_equal("the counter", &(counter.version, counter.decode::<u64>()?), &(writers, writers))?;
    Ok(CaseOutcome::Passed)
}
