//! Streams: order, no gaps, heads, retention.

use engines_core::{
    Timestamp,
    context::{Actor, ActorType},
    nexus::{CommitError, ExpectedHead, FailedPrecondition, StreamHead},
    stream::{EventMeta, NewEvent, Routing, Seq, StreamEvent},
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    batches::expect_failure_at,
    fixture::{canvas, chat, raw_json, run_concurrently},
    report::{ensure, ensure_equal},
    runner::Case,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("streams::appended_is_read", |bench| Box::pin(appended_is_read(bench))),
        Case::store("streams::read_from_anywhere", |bench| Box::pin(read_from_anywhere(bench))),
        Case::store("streams::expected_head", |bench| Box::pin(expected_head(bench))),
        Case::store("streams::concurrent_appends", |bench| Box::pin(concurrent_appends(bench))),
        Case::store("streams::trim", |bench| Box::pin(trim(bench))),
        Case::store("streams::trim_is_part_of_the_batch", |bench| Box::pin(trim_is_part_of_the_batch(bench))),
    ]
}

/// Every field of an event is read back. Sequences start at 1. An unknown stream is empty.
pub async fn appended_is_read(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let key = canvas("c1")?;
    let empty = bench.store.head(&scope, &key).await?;
    ensure_equal("the head of an unknown stream", &empty, &StreamHead::EMPTY)?;
    ensure_equal("events of an unknown stream", &bench.store.read(&scope, &key, Seq::ZERO, 10).await?.len(), &0)?;
    let mut full = bench.new_event(&scope, 1)?;
    full.ts = Timestamp::from_millis(1_700_000_000_123);
    full.actor = Actor { id: engines_core::UserId::new("agent:7|x")?, kind: ActorType::Agent };
    full.ids.correlation_id = Some("corr".into());
    full.ids.run_id = Some("run".into());
    full.ids.step_id = Some("step".into());
    full.routing = Routing {
        workspace_id: Some(engines_core::ResourceId::new("w1")?),
        session_id: Some(engines_core::ResourceId::new("s1")?),
        ..Routing::default()
    };
    full.meta = EventMeta { schema: Some("schema/1".into()), ..EventMeta::default() };
    full.data = raw_json(r#"{"b":[1,2.5,null,true],"a":{"deep":"x"}}"#)?;
    let mut bare = bench.new_event(&scope, 2)?;
    bare.ids = Default::default();
    bare.meta = EventMeta::ephemeral();
    bare.data = raw_json("null")?;
    let events = vec![full, bare];
    let batch = bench.new_batch().append(key.clone(), ExpectedHead::Seq(Seq::ZERO), events.clone());
    let receipt = bench.commit(&scope, batch).await?;
    let appended = &receipt.appended[..];
    ensure(appended.len() == 1, || format!("a receipt of one append names {}", appended.len()))?;
    ensure_equal("first and last", &(appended[0].first, appended[0].last), &(Seq(1), Seq(2)))?;
    ensure_equal("the last one's id", &appended[0].event_id, &events[1].event_id)?;
    ensure_equal(
        "the head",
        &bench.store.head(&scope, &key).await?,
        &StreamHead { seq: Seq(2), first: Seq(1), deleted: false },
    )?;
    let read = bench.read_all(&scope, &key, Seq::ZERO).await?;
    ensure_equal("events", &read.len(), &2)?;
    for (n, (read, wrote)) in read.iter().zip(&events).enumerate() {
        ensure_equal("the place", &read.seq, &Seq(n as u64 + 1))?;
        ensure_same_event(&read.event, wrote)?;
    }
    Ok(CaseOutcome::Passed)
}

/// A read can start after any sequence, returns at most `limit` events, and returns nothing after the head.
pub async fn read_from_anywhere(bench: &Fixture) -> CaseResult {
    const EVENTS: u64 = 50;
    let scope = bench.new_scope()?;
    let key = chat("t1")?;
    for n in 0..5 {
        let events = bench.new_events(&scope, n * 10 + 1..=n * 10 + 10)?;
        bench.commit(&scope, bench.new_batch().append(key.clone(), ExpectedHead::Seq(Seq(n * 10)), events)).await?;
    }
    for after in [0, 1, 9, 10, 11, 48, 49, 50, 51, 1000, i64::MAX as u64] {
        for limit in [1, 2, 7, 50, 1000] {
            let read = bench.store.read(&scope, &key, Seq(after), limit).await?;
            let what = format!("{limit} events after {after}");
            ensure(read.len() <= limit, || format!("{what}: {} came", read.len()))?;
            ensure(read.is_empty() == (after >= EVENTS), || format!("{what}: {} came", read.len()))?;
            ensure_contiguous(&read, Seq(after))?;
            ensure(read.last().is_none_or(|last| last.seq.0 <= EVENTS), || format!("{what}: past the head"))?;
            for event in &read {
                ensure_equal(&what, &event.event.data.get().replace(' ', ""), &format!(r#"{{"n":{}}}"#, event.seq))?;
            }
        }
    }
    Ok(CaseOutcome::Passed)
}

/// An append with a wrong expected head fails, and the error states the actual head.
pub async fn expected_head(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let key = canvas("c1")?;
    for (expected, holds, head) in
        [(1, false, 0), (0, true, 2), (0, false, 2), (1, false, 2), (3, false, 2), (2, true, 4), (u64::MAX, false, 4)]
    {
        let events = bench.new_events(&scope, 1..=2)?;
        let answer =
            bench.commit(&scope, bench.new_batch().append(key.clone(), ExpectedHead::Seq(Seq(expected)), events)).await;
        let what = format!("expecting head {expected}");
        match (answer, holds) {
            (Ok(receipt), true) => ensure_equal(&what, &receipt.appended[0].last, &Seq(head))?,
            (answer, false) => {
                expect_failure_at(&what, answer, 0, &FailedPrecondition::Stream { key: key.clone(), head: Seq(head) })?
            }
            (Err(error), true) => return Err(error.into()),
        }
        ensure_equal("the head", &bench.store.head(&scope, &key).await?.seq, &Seq(head))?;
    }
    Ok(CaseOutcome::Passed)
}

/// Many tasks append to one stream without an expected head. The events of each batch are consecutive, in order, and
/// where the receipt says; there are no gaps.
pub async fn concurrent_appends(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let (key, side) = (chat("busy")?, chat("side")?);
    let rounds = bench.settings.rounds as u64;
    let receipts = run_concurrently((0..bench.settings.writers as u64).map(|writer| {
        let (bench, scope, key, side) = (bench.clone(), scope.clone(), key.clone(), side.clone());
        async move {
            let mut receipts = Vec::new();
            for round in 0..rounds {
                let events =
                    bench.new_events(&scope, (0..=round % 3).map(|n| writer * 1_000_000 + round * 1000 + n))?;
                let ids: Vec<_> = events.iter().map(|event| event.event_id).collect();
                let batch = bench.new_batch().append(key.clone(), ExpectedHead::Any, events).append(
                    side.clone(),
                    ExpectedHead::Any,
                    bench.new_events(&scope, [round])?,
                );
                receipts.push((bench.commit(&scope, batch).await?.appended.swap_remove(0), ids));
            }
            Ok(receipts)
        }
    }))
    .await?;
    let read = bench.read_all(&scope, &key, Seq::ZERO).await?;
    ensure_contiguous(&read, Seq::ZERO)?;
    let mut total = 0;
    for (appended, ids) in receipts.into_iter().flatten() {
        total += ids.len();
        let there: Vec<_> = read
            .iter()
            .filter(|event| (appended.first..=appended.last).contains(&event.seq))
            .map(|event| event.event.event_id)
            .collect();
        ensure_equal("the events between a receipt's first and last", &there, &ids)?;
        ensure_equal("the receipt's event id", &Some(&appended.event_id), &ids.last())?;
    }
    ensure_equal("all events", &read.len(), &total)?;
    let side = bench.read_all(&scope, &side, Seq::ZERO).await?;
    ensure_contiguous(&side, Seq::ZERO)?;
    ensure_equal("events of the stream beside it", &side.len(), &(bench.settings.writers * bench.settings.rounds))?;
    Ok(CaseOutcome::Passed)
}

/// A trim removes the oldest events. The head stays, and the stream continues after it, even if no event is left.
pub async fn trim(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let (key, other) = (canvas("c1")?, canvas("c2")?);
    for key in [&key, &other] {
        let batch = bench.new_batch().append(key.clone(), ExpectedHead::Any, bench.new_events(&scope, 1..=10)?);
        bench.commit(&scope, batch).await?;
    }
    // (requested first sequence, first sequence after the trim)
    for (first, kept) in [(1, 1), (4, 4), (2, 4), (0, 4), (4, 4), (10, 10), (11, 11)] {
        let receipt = bench.commit(&scope, bench.new_batch().trim(key.clone(), Seq(first))).await?;
        ensure(receipt.appended.is_empty() && receipt.versions.is_empty(), || {
            format!("a trim's receipt: {receipt:?}")
        })?;
        let what = format!("the stream's ends after trim to {first}");
        ensure_equal(
            &what,
            &bench.store.head(&scope, &key).await?,
            &StreamHead { seq: Seq(10), first: Seq(kept), deleted: false },
        )?;
        for after in [0, 1, 3, 9, 10] {
            let read = bench.store.read(&scope, &key, Seq(after), 100).await?;
            let begins = Seq(kept.max(after + 1));
            ensure_contiguous(&read, Seq(begins.0 - 1))?;
            ensure_equal(&format!("{what}, read after {after}"), &read.is_empty(), &(begins.0 > 10))?;
        }
    }
    match bench.commit(&scope, bench.new_batch().trim(key.clone(), Seq(12))).await {
        Ok(_) | Err(CommitError::Refused(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let ends = bench.store.head(&scope, &key).await?;
    ensure_equal(
        "the ends after a trim past the head",
        &ends,
        &StreamHead { seq: Seq(10), first: Seq(11), deleted: false },
    )?;
    let batch = bench.new_batch().append(key.clone(), ExpectedHead::Seq(Seq(10)), bench.new_events(&scope, [11])?);
    ensure_equal("the place after all was trimmed", &bench.commit(&scope, batch).await?.appended[0].first, &Seq(11))?;
    ensure_contiguous(&bench.read_all(&scope, &key, Seq::ZERO).await?, Seq(10))?;
    ensure_equal(
        "the ends then",
        &bench.store.head(&scope, &key).await?,
        &StreamHead { seq: Seq(11), first: Seq(11), deleted: false },
    )?;
    ensure_equal("events of the other stream", &bench.read_all(&scope, &other, Seq::ZERO).await?.len(), &10)?;
    bench.commit(&scope, bench.new_batch().trim(canvas("unknown")?, Seq(1))).await?;
    let unknown = bench.store.head(&scope, &canvas("unknown")?).await?;
    ensure_equal("an unknown stream after a trim", &unknown, &StreamHead::EMPTY)?;
    Ok(CaseOutcome::Passed)
}

/// A trim in a batch that fails removes nothing.
pub async fn trim_is_part_of_the_batch(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let (key, other) = (canvas("c1")?, canvas("c2")?);
    bench
        .commit(&scope, bench.new_batch().append(key.clone(), ExpectedHead::Any, bench.new_events(&scope, 1..=5)?))
        .await?;
    let batch = bench.new_batch().trim(key.clone(), Seq(4)).append(
        other.clone(),
        ExpectedHead::Seq(Seq(9)),
        bench.new_events(&scope, [1])?,
    );
    expect_failure_at(
        "the batch",
        bench.commit(&scope, batch).await,
        1,
        &FailedPrecondition::Stream { key: other, head: Seq::ZERO },
    )?;
    ensure_equal(
        "the ends",
        &bench.store.head(&scope, &key).await?,
        &StreamHead { seq: Seq(5), first: Seq(1), deleted: false },
    )?;
    ensure_equal("events", &bench.read_all(&scope, &key, Seq::ZERO).await?.len(), &5)?;
    Ok(CaseOutcome::Passed)
}

/// Fails unless the events have consecutive sequences that start right after `after`.
#[track_caller]
pub(super) fn ensure_contiguous(events: &[StreamEvent], after: Seq) -> Result<(), CaseFailure> {
    for (event, wanted) in events.iter().zip(after.0.saturating_add(1)..) {
        if event.seq.0 != wanted {
            return Err(CaseFailure::new(format!("a gap or wrong order: {} where {wanted} belongs", event.seq)));
        }
    }
    Ok(())
}

#[track_caller]
pub(super) fn ensure_same_event(found: &NewEvent, wanted: &NewEvent) -> Result<(), CaseFailure> {
    ensure_equal("event_id", &found.event_id, &wanted.event_id)?;
    ensure_equal("event_type", &found.event_type, &wanted.event_type)?;
    ensure_equal("ts", &found.ts, &wanted.ts)?;
    ensure_equal("actor", &found.actor, &wanted.actor)?;
    ensure_equal("trace_id", &found.trace_id, &wanted.trace_id)?;
    ensure_equal("span_id", &found.span_id, &wanted.span_id)?;
    ensure_equal("ids", &found.ids, &wanted.ids)?;
    ensure_equal("routing", &found.routing, &wanted.routing)?;
    ensure_equal("meta", &found.meta, &wanted.meta)?;
    ensure_equal(
        "data",
        &super::documents::parse_value(found.data.get())?,
        &super::documents::parse_value(wanted.data.get())?,
    )
}
