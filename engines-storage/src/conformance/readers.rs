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
    fixture::{canvas, note, run_concurrently},
    report::{ensure, ensure_equal},
    runner::Case,
    streams::ensure_contiguous,
};

pub(super) fn cases() -> Vec<Case> {
    vec![Case::store("readers::see_whole_batches", |bench| Box::pin(see_whole_batches(bench)))]
}

/// Readers of a stream that many tasks append to never see a gap, nor an event whose batch's document, head or
/// dataset event is not visible yet.
pub async fn see_whole_batches(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let key = canvas("busy")?;
    let done = Arc::new(AtomicBool::new(false));
    let writes = bench.settings.writers * bench.settings.rounds;
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (bench, scope, key, done) = (bench.clone(), scope.clone(), key.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut after = Seq::ZERO;
                loop {
                    let last_round = done.load(Ordering::SeqCst);
                    let read = bench.store.read(&scope, &key, after, 5).await?;
                    ensure_contiguous(&read, after)?;
                    for event in &read {
                        let data = super::documents::parse_value(event.event.data.get())?;
                        let id = data["n"].as_str().unwrap_or_default();
                        let document = bench.get(&scope, id).await?;
                        ensure(document.is_some(), || format!("event {} is there without its document", event.seq))?;
                    }
                    if let Some(last) = read.last() {
                        after = last.seq;
                        let head = bench.store.head(&scope, &key).await?.seq;
                        ensure(head >= after, || format!("the head is {head}, but event {after} was read"))?;
                        let recorded = bench.list_events(&scope, &EventFilter::default()).await?.len() as u64;
                        ensure(recorded >= after.0, || format!("{recorded} dataset events beside {after} events"))?;
                    } else if last_round {
                        return Ok::<_, CaseFailure>(after);
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let wrote = run_concurrently((0..bench.settings.writers).map(|writer| {
        let (bench, scope, key) = (bench.clone(), scope.clone(), key.clone());
        async move {
            for round in 0..bench.settings.rounds {
                let id = format!("d-{writer}-{round}");
                let batch = bench
                    .new_batch()
                    .append(key.clone(), ExpectedHead::Any, vec![bench.new_event(&scope, id.clone())?])
                    .record(bench.dataset_event(&scope, "readers")?)
                    .put(note(&id, round)?, Expect::Absent);
                bench.commit(&scope, batch).await?;
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
