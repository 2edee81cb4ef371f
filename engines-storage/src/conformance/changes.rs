//! Change notifications: sent after the commit, for each stream, without omissions.

use std::collections::HashMap;

use engines_core::{
    Scope,
    nexus::{Expect, ExpectedHead, StoreChange, StoreChanges},
    stream::{Seq, StreamKey},
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    fixture::{canvas, chat, note, run_concurrently},
    isolation::next_change,
    report::ensure,
    runner::Case,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("changes::name_every_stream", |bench| Box::pin(name_every_stream(bench))),
        Case::store("changes::none_for_what_failed", |bench| Box::pin(none_for_what_failed(bench))),
        Case::store("changes::none_missing", |bench| Box::pin(none_missing(bench))),
        Case::store("changes::sleepers_hold_nobody_up", |bench| Box::pin(sleepers_hold_nobody_up(bench))),
    ]
}

/// Reads notifications until each of `wanted` was named with this head or a later one. After
/// [`StoreChange::Lagged`] it reads the streams' heads, as any reader would. Fails when a named head is not readable.
async fn wait_for_changes(
    bench: &Fixture,
    changes: &mut StoreChanges,
    scope: &Scope,
    mut wanted: HashMap<StreamKey, Seq>,
) -> Result<(), CaseFailure> {
    while !wanted.is_empty() {
        match next_change(changes).await? {
            StoreChange::Appended(heads) => {
                for (place, (of, key, head)) in heads.iter().enumerate() {
                    let again = heads[..place].iter().any(|(other, other_key, _)| other == of && other_key == key);
                    ensure(!again, || format!("one wake-up names {key} twice"))?;
                    let there = bench.store.head(of, key).await?.seq;
                    ensure(there >= *head, || format!("woken for {head} of {key}, but its head is {there}"))?;
                    if of == scope && wanted.get(key).is_some_and(|wanted| head >= wanted) {
                        wanted.remove(key);
                    }
                }
            }
            _ => {
                let mut left = HashMap::new();
                for (key, head) in wanted {
                    if bench.store.head(scope, &key).await?.seq < head {
                        left.insert(key, head);
                    }
                }
                wanted = left;
            }
        }
    }
    Ok(())
}

/// A notification after the commit names every stream of a batch once, for every reader.
pub async fn name_every_stream(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let (one, two) = (canvas("c1")?, chat("t1")?);
    let mut readers = [bench.store.changes(), bench.store.changes()];
    for n in 0..10 {
        let batch = bench
            .new_batch()
            .append(one.clone(), ExpectedHead::Any, bench.new_events(&scope, 1..=2)?)
            .put(note("d", n)?, Expect::Any)
            .append(two.clone(), ExpectedHead::Any, bench.new_events(&scope, [1])?);
        bench.commit(&scope, batch).await?;
        let wanted = HashMap::from([(one.clone(), Seq(2 * n + 2)), (two.clone(), Seq(n + 1))]);
        for reader in &mut readers {
            wait_for_changes(bench, reader, &scope, wanted.clone()).await?;
        }
    }
    Ok(CaseOutcome::Passed)
}

/// A batch that fails, or that is replayed, sends no notification.
pub async fn none_for_what_failed(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let (never, replayed, last) = (canvas("never")?, canvas("replayed")?, canvas("last")?);
    let once = super::fixture::idempotency("r", "k", 1);
    let repeat = || -> Result<_, CaseFailure> {
        let events = bench.new_events(&scope, [1])?;
        Ok(bench.new_batch().append(replayed.clone(), ExpectedHead::Any, events).with_idempotency(once.clone()))
    };
    bench.commit(&scope, repeat()?).await?;
    let mut changes = bench.store.changes();
    let batch = bench.new_batch().append(never.clone(), ExpectedHead::Any, bench.new_events(&scope, [1])?);
    let failed = bench.commit(&scope, batch.put(note("d", 1)?, Expect::Present)).await;
    ensure(failed.is_err(), || "a batch was to fail".into())?;
    ensure(bench.commit(&scope, repeat()?).await?.replayed, || "a batch was to be replayed".into())?;
    bench
        .commit(&scope, bench.new_batch().append(last.clone(), ExpectedHead::Any, bench.new_events(&scope, [1])?))
        .await?;
    loop {
        let StoreChange::Appended(heads) = next_change(&mut changes).await? else { return Ok(CaseOutcome::Passed) };
        for (_, key, head) in heads.iter().filter(|(of, _, _)| *of == scope) {
            ensure(*key != never, || "woken for a batch that failed".into())?;
            ensure(*key != replayed || *head == Seq(1), || "woken for a batch that was replayed".into())?;
        }
        if heads.iter().any(|(of, key, _)| *of == scope && *key == last) {
            return Ok(CaseOutcome::Passed);
        }
    }
}

/// While many tasks append to many streams, a reader that keeps up receives the last head of every stream.
pub async fn none_missing(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let keys = (0..5).map(|n| canvas(&format!("c{n}"))).collect::<Result<Vec<_>, _>>()?;
    let mut changes = bench.store.changes();
    let (writers, rounds) = (bench.settings.writers, bench.settings.rounds);
    let writing = run_concurrently((0..writers).map(|writer| {
        let (bench, scope, keys) = (bench.clone(), scope.clone(), keys.clone());
        async move {
            for round in 0..rounds {
                let (one, two) = (&keys[(writer + round) % 5], &keys[(writer + round + 1) % 5]);
                let batch = bench
                    .new_batch()
                    .append(one.clone(), ExpectedHead::Any, bench.new_events(&scope, [1])?)
                    .append(two.clone(), ExpectedHead::Any, bench.new_events(&scope, [2])?);
                bench.commit(&scope, batch).await?;
            }
            Ok(())
        }
    }));
    let mut wanted: HashMap<_, _> = keys.iter().map(|key| (key.clone(), Seq::ZERO)).collect();
    for (writer, round) in (0..writers).flat_map(|writer| (0..rounds).map(move |round| (writer, round))) {
        for n in [0, 1] {
            let head = wanted.entry(keys[(writer + round + n) % 5].clone()).or_default();
            *head = head.next();
        }
    }
    wanted.retain(|_, head| *head > Seq::ZERO);
    let (wrote, heard) =
        futures_util::future::join(writing, wait_for_changes(bench, &mut changes, &scope, wanted)).await;
    wrote?;
    heard?;
    Ok(CaseOutcome::Passed)
}

/// Readers that do not read delay no writer. When they read again, they receive the changes or learn that they missed
/// some.
pub async fn sleepers_hold_nobody_up(bench: &Fixture) -> CaseResult {
    const APPENDS: u64 = 3000;
    const AT_ONCE: u64 = 100;
    let scope = bench.new_scope()?;
    let key = canvas("c1")?;
    let mut sleepers = [bench.store.changes(), bench.store.changes()];
    for start in (0..APPENDS).step_by(AT_ONCE as usize) {
        let commits = (start..start + AT_ONCE).map(|n| {
            let (bench, scope, key) = (bench.clone(), scope.clone(), key.clone());
            async move {
                let batch = bench.new_batch().append(key, ExpectedHead::Any, vec![bench.new_event(&scope, n)?]);
                Ok(bench.commit(&scope, batch).await.map(drop)?)
            }
        });
        run_concurrently(commits).await?;
    }
    for sleeper in &mut sleepers {
        wait_for_changes(bench, sleeper, &scope, HashMap::from([(key.clone(), Seq(APPENDS))])).await?;
    }
    Ok(CaseOutcome::Passed)
}
