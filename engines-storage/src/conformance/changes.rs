//! Change notifications: sent after the commit, for each stream, without omissions.

use std::collections::HashMap;

use engines_core::{
    Scope,
    nexus::{Expect, ExpectedHead, StoreChange, StoreChanges},
    stream::{Seq, StreamKey},
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    assertions::next_change,
    case::Case,
    fixture::{canvas, chat, note, run_concurrently},
    report::ensure,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("changes::name_every_stream", |fixture| Box::pin(name_every_stream(fixture))),
        Case::store("changes::none_for_what_failed", |fixture| Box::pin(none_for_what_failed(fixture))),
        Case::store("changes::none_missing", |fixture| Box::pin(none_missing(fixture))),
        Case::store("changes::slow_listeners_do_not_block_writers", |fixture| {
            Box::pin(slow_listeners_do_not_block_writers(fixture))
        }),
    ]
}

/// Reads notifications until each of `wanted` was named with this head or a later one. After
/// [`StoreChange::Lagged`] it reads the streams' heads, as any reader would. Fails when a named head is not readable.
async fn wait_for_changes(
    fixture: &Fixture,
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
                    let there = fixture.store.head(of, key).await?.seq;
                    ensure(there >= *head, || format!("woken for {head} of {key}, but its head is {there}"))?;
                    if of == scope && wanted.get(key).is_some_and(|wanted| head >= wanted) {
                        wanted.remove(key);
                    }
                }
            }
            _ => {
                let mut left = HashMap::new();
                for (key, head) in wanted {
                    if fixture.store.head(scope, &key).await?.seq < head {
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
pub async fn name_every_stream(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let (one, two) = (canvas("c1")?, chat("t1")?);
    let mut readers = [fixture.store.changes(), fixture.store.changes()];
    for n in 0..10 {
        let batch = fixture
            .new_batch()
            .append(one.clone(), ExpectedHead::Any, fixture.new_events(&scope, 1..=2)?)
            .put(note("d", n)?, Expect::Any)
            .append(two.clone(), ExpectedHead::Any, fixture.new_events(&scope, [1])?);
        fixture.commit(&scope, batch).await?;
        let wanted = HashMap::from([(one.clone(), Seq(2 * n + 2)), (two.clone(), Seq(n + 1))]);
        for reader in &mut readers {
            wait_for_changes(fixture, reader, &scope, wanted.clone()).await?;
        }
    }
    Ok(CaseOutcome::Passed)
}

/// A batch that fails, or that is replayed, sends no notification.
pub async fn none_for_what_failed(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let (never, replayed, last) = (canvas("never")?, canvas("replayed")?, canvas("last")?);
    let once = super::fixture::idempotency("r", "k", 1);
    let repeat = || -> Result<_, CaseFailure> {
        let events = fixture.new_events(&scope, [1])?;
        Ok(fixture.new_batch().append(replayed.clone(), ExpectedHead::Any, events).with_idempotency(once.clone()))
    };
    fixture.commit(&scope, repeat()?).await?;
    let mut changes = fixture.store.changes();
    let batch = fixture.new_batch().append(never.clone(), ExpectedHead::Any, fixture.new_events(&scope, [1])?);
    let failed = fixture.commit(&scope, batch.put(note("d", 1)?, Expect::Present)).await;
    ensure(failed.is_err(), || "a batch was to fail".into())?;
    ensure(fixture.commit(&scope, repeat()?).await?.replayed, || "a batch was to be replayed".into())?;
    fixture
        .commit(&scope, fixture.new_batch().append(last.clone(), ExpectedHead::Any, fixture.new_events(&scope, [1])?))
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
pub async fn none_missing(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let keys = (0..5).map(|n| canvas(&format!("c{n}"))).collect::<Result<Vec<_>, _>>()?;
    let mut changes = fixture.store.changes();
    let (writers, rounds) = (fixture.settings.writers, fixture.settings.rounds);
    let writing = run_concurrently((0..writers).map(|writer| {
        let (fixture, scope, keys) = (fixture.clone(), scope.clone(), keys.clone());
        async move {
            for round in 0..rounds {
                let (one, two) = (&keys[(writer + round) % 5], &keys[(writer + round + 1) % 5]);
                let batch = fixture
                    .new_batch()
                    .append(one.clone(), ExpectedHead::Any, fixture.new_events(&scope, [1])?)
                    .append(two.clone(), ExpectedHead::Any, fixture.new_events(&scope, [2])?);
                fixture.commit(&scope, batch).await?;
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
        futures_util::future::join(writing, wait_for_changes(fixture, &mut changes, &scope, wanted)).await;
    wrote?;
    heard?;
    Ok(CaseOutcome::Passed)
}

/// Readers that do not read delay no writer. When they read again, they receive the changes or learn that they missed
/// some.
pub async fn slow_listeners_do_not_block_writers(fixture: &Fixture) -> CaseResult {
    const APPENDS: u64 = 3000;
    const AT_ONCE: u64 = 100;
    let scope = fixture.new_scope()?;
    let key = canvas("c1")?;
    let mut sleepers = [fixture.store.changes(), fixture.store.changes()];
    for start in (0..APPENDS).step_by(AT_ONCE as usize) {
        let commits = (start..start + AT_ONCE).map(|n| {
            let (fixture, scope, key) = (fixture.clone(), scope.clone(), key.clone());
            async move {
                let batch = fixture.new_batch().append(key, ExpectedHead::Any, vec![fixture.new_event(&scope, n)?]);
                Ok(fixture.commit(&scope, batch).await.map(drop)?)
            }
        });
        run_concurrently(commits).await?;
    }
    for sleeper in &mut sleepers {
        wait_for_changes(fixture, sleeper, &scope, HashMap::from([(key.clone(), Seq(APPENDS))])).await?;
    }
    Ok(CaseOutcome::Passed)
}
