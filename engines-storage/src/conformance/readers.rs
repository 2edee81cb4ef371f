//! Readers during writes: no gaps, and no partly visible batch.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use engines_core::{
    event::EventFilter,
    nexus::{Expect, ExpectedHead},
    stream::Seq,
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    assertions::ensure_contiguous,
    case::Case,
    fixture::{canvas, note, run_concurrently},
    report::{ensure, ensure_equal},
};

pub(super) fn cases() -> Vec<Case> {
    vec![Case::store("readers::see_whole_batches", |fixture| Box::pin(see_whole_batches(fixture)))]
}

/// Readers of a stream that many tasks append to never see a gap, nor an event whose batch's document, head or
/// dataset event is not visible yet.
pub async fn see_whole_batches(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let key = canvas("busy")?;
    let done = Arc::new(AtomicBool::new(false));
    let writes = fixture.settings.writers * fixture.settings.rounds;
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (fixture, scope, key, done) = (fixture.clone(), scope.clone(), key.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut after = Seq::ZERO;
                loop {
                    let last_round = done.load(Ordering::SeqCst);
                    let read = fixture.store.read(&scope, &key, after, 5).await?;
                    ensure_contiguous(&read, after)?;
                    for event in &read {
                        let data = super::assertions::parse_value(event.event.data.get())?;
                        let id = data["n"].as_str().unwrap_or_default();
                        let document = fixture.get(&scope, id).await?;
                        ensure(document.is_some(), || format!("event {} is there without its document", event.seq))?;
                    }
                    if let Some(last) = read.last() {
                        after = last.seq;
                        let head = fixture.store.head(&scope, &key).await?.seq;
                        ensure(head >= after, || format!("the head is {head}, but event {after} was read"))?;
                        let recorded = fixture.list_events(&scope, &EventFilter::default()).await?.len() as u64;
                        ensure(recorded >= after.0, || format!("{recorded} dataset events beside {after} events"))?;
                    } else if last_round {
                        return Ok::<_, CaseFailure>(after);
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let wrote = run_concurrently((0..fixture.settings.writers).map(|writer| {
        let (fixture, scope, key) = (fixture.clone(), scope.clone(), key.clone());
        async move {
            for round in 0..fixture.settings.rounds {
                let id = format!("d-{writer}-{round}");
                let batch = fixture
                    .new_batch()
                    .append(key.clone(), ExpectedHead::Any, vec![fixture.new_event(&scope, id.clone())?])
                    .record(fixture.dataset_event(&scope, "readers")?)
                    .put(note(&id, round)?, Expect::Absent);
                fixture.commit(&scope, batch).await?;
            }
            Ok(())
        }
    }))
    .await;
    done.store(true, Ordering::SeqCst);
    let mut ends = Vec::new();
    for reader in readers {
        ends.push(reader.await.map_err(|error| CaseFailure::new(format!("a task failed: {error}"))));
    }
    wrote?;
    for end in ends {
        ensure_equal("the last event a reader saw", &end??, &Seq(writes as u64))?;
    }
    Ok(CaseOutcome::Passed)
}
