//! Streams: order, no gaps, heads, retention.

use engines_core::{
    Timestamp,
    context::{Actor, ActorType},
    nexus::{CommitError, ExpectedHead, FailedPrecondition, StreamHead},
    stream::{EventMeta, Routing, Seq},
};

use super::{
    CaseOutcome, CaseResult, Fixture,
    assertions::{ensure_contiguous, ensure_same_event, expect_failure_at},
    case::Case,
    fixture::{canvas, chat, raw_json, run_concurrently},
    report::{ensure, ensure_equal},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("streams::appended_is_read", |fixture| Box::pin(appended_is_read(fixture))),
        Case::store("streams::read_from_anywhere", |fixture| Box::pin(read_from_anywhere(fixture))),
        Case::store("streams::expected_head", |fixture| Box::pin(expected_head(fixture))),
        Case::store("streams::concurrent_appends", |fixture| Box::pin(concurrent_appends(fixture))),
        Case::store("streams::trim", |fixture| Box::pin(trim(fixture))),
        Case::store("streams::trim_is_part_of_the_batch", |fixture| Box::pin(trim_is_part_of_the_batch(fixture))),
    ]
}

/// Every field of an event is read back. Sequences start at 1. An unknown stream is empty.
pub async fn appended_is_read(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let key = canvas("c1")?;
    let empty = fixture.store.head(&scope, &key).await?;
    ensure_equal("the head of an unknown stream", &empty, &StreamHead::EMPTY)?;
    ensure_equal("events of an unknown stream", &fixture.store.read(&scope, &key, Seq::ZERO, 10).await?.len(), &0)?;
    let mut full = fixture.new_event(&scope, 1)?;
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
    let mut bare = fixture.new_event(&scope, 2)?;
    bare.ids = Default::default();
    bare.meta = EventMeta::ephemeral();
    bare.data = raw_json("null")?;
    let events = vec![full, bare];
    let batch = fixture.new_batch().append(key.clone(), ExpectedHead::Seq(Seq::ZERO), events.clone());
    let receipt = fixture.commit(&scope, batch).await?;
    let appended = &receipt.appended[..];
    ensure(appended.len() == 1, || format!("a receipt of one append names {}", appended.len()))?;
    ensure_equal("first and last", &(appended[0].first, appended[0].last), &(Seq(1), Seq(2)))?;
    ensure_equal("the last one's id", &appended[0].event_id, &events[1].event_id)?;
    ensure_equal(
        "the head",
        &fixture.store.head(&scope, &key).await?,
        &StreamHead { seq: Seq(2), first: Seq(1), deleted: false },
    )?;
    let read = fixture.read_all(&scope, &key, Seq::ZERO).await?;
    ensure_equal("events", &read.len(), &2)?;
    for (n, (read, wrote)) in read.iter().zip(&events).enumerate() {
        ensure_equal("the place", &read.seq, &Seq(n as u64 + 1))?;
        ensure_same_event(&read.event, wrote)?;
    }
    Ok(CaseOutcome::Passed)
}

/// A read can start after any sequence, returns at most `limit` events, and returns nothing after the head.
pub async fn read_from_anywhere(fixture: &Fixture) -> CaseResult {
    const EVENTS: u64 = 50;
    let scope = fixture.new_scope()?;
    let key = chat("t1")?;
    for n in 0..5 {
        let events = fixture.new_events(&scope, n * 10 + 1..=n * 10 + 10)?;
        fixture.commit(&scope, fixture.new_batch().append(key.clone(), ExpectedHead::Seq(Seq(n * 10)), events)).await?;
    }
    for after in [0, 1, 9, 10, 11, 48, 49, 50, 51, 1000, i64::MAX as u64] {
        for limit in [1, 2, 7, 50, 1000] {
            let read = fixture.store.read(&scope, &key, Seq(after), limit).await?;
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
pub async fn expected_head(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let key = canvas("c1")?;
    for (expected, holds, head) in
        [(1, false, 0), (0, true, 2), (0, false, 2), (1, false, 2), (3, false, 2), (2, true, 4), (u64::MAX, false, 4)]
    {
        let events = fixture.new_events(&scope, 1..=2)?;
        let answer = fixture
            .commit(&scope, fixture.new_batch().append(key.clone(), ExpectedHead::Seq(Seq(expected)), events))
            .await;
        let what = format!("expecting head {expected}");
        match (answer, holds) {
            (Ok(receipt), true) => ensure_equal(&what, &receipt.appended[0].last, &Seq(head))?,
            (answer, false) => {
                expect_failure_at(&what, answer, 0, &FailedPrecondition::Stream { key: key.clone(), head: Seq(head) })?
            }
            (Err(error), true) => return Err(error.into()),
        }
        ensure_equal("the head", &fixture.store.head(&scope, &key).await?.seq, &Seq(head))?;
    }
    Ok(CaseOutcome::Passed)
}

/// Many tasks append to one stream without an expected head. The events of each batch are consecutive, in order, and
/// where the receipt says; there are no gaps.
pub async fn concurrent_appends(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let (key, side) = (chat("busy")?, chat("side")?);
    let rounds = fixture.settings.rounds as u64;
    let receipts = run_concurrently((0..fixture.settings.writers as u64).map(|writer| {
        let (fixture, scope, key, side) = (fixture.clone(), scope.clone(), key.clone(), side.clone());
        async move {
            let mut receipts = Vec::new();
            for round in 0..rounds {
                let events =
                    fixture.new_events(&scope, (0..=round % 3).map(|n| writer * 1_000_000 + round * 1000 + n))?;
                let ids: Vec<_> = events.iter().map(|event| event.event_id).collect();
                let batch = fixture.new_batch().append(key.clone(), ExpectedHead::Any, events).append(
                    side.clone(),
                    ExpectedHead::Any,
                    fixture.new_events(&scope, [round])?,
                );
                receipts.push((fixture.commit(&scope, batch).await?.appended.swap_remove(0), ids));
            }
            Ok(receipts)
        }
    }))
    .await?;
    let read = fixture.read_all(&scope, &key, Seq::ZERO).await?;
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
    let side = fixture.read_all(&scope, &side, Seq::ZERO).await?;
    ensure_contiguous(&side, Seq::ZERO)?;
    ensure_equal("events of the stream beside it", &side.len(), &(fixture.settings.writers * fixture.settings.rounds))?;
    Ok(CaseOutcome::Passed)
}

/// A trim removes the oldest events. The head stays, and the stream continues after it, even if no event is left.
pub async fn trim(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let (key, other) = (canvas("c1")?, canvas("c2")?);
    for key in [&key, &other] {
        let batch = fixture.new_batch().append(key.clone(), ExpectedHead::Any, fixture.new_events(&scope, 1..=10)?);
        fixture.commit(&scope, batch).await?;
    }
    // (requested first sequence, first sequence after the trim)
    for (first, kept) in [(1, 1), (4, 4), (2, 4), (0, 4), (4, 4), (10, 10), (11, 11)] {
        let receipt = fixture.commit(&scope, fixture.new_batch().trim(key.clone(), Seq(first))).await?;
        ensure(receipt.appended.is_empty() && receipt.versions.is_empty(), || {
            format!("a trim's receipt: {receipt:?}")
        })?;
        let what = format!("the stream's ends after trim to {first}");
        ensure_equal(
            &what,
            &fixture.store.head(&scope, &key).await?,
            &StreamHead { seq: Seq(10), first: Seq(kept), deleted: false },
        )?;
        for after in [0, 1, 3, 9, 10] {
            let read = fixture.store.read(&scope, &key, Seq(after), 100).await?;
            let begins = Seq(kept.max(after + 1));
            ensure_contiguous(&read, Seq(begins.0 - 1))?;
            ensure_equal(&format!("{what}, read after {after}"), &read.is_empty(), &(begins.0 > 10))?;
        }
    }
    match fixture.commit(&scope, fixture.new_batch().trim(key.clone(), Seq(12))).await {
        Ok(_) | Err(CommitError::Refused(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let ends = fixture.store.head(&scope, &key).await?;
    ensure_equal(
        "the ends after a trim past the head",
        &ends,
        &StreamHead { seq: Seq(10), first: Seq(11), deleted: false },
    )?;
    let batch = fixture.new_batch().append(key.clone(), ExpectedHead::Seq(Seq(10)), fixture.new_events(&scope, [11])?);
    ensure_equal("the place after all was trimmed", &fixture.commit(&scope, batch).await?.appended[0].first, &Seq(11))?;
    ensure_contiguous(&fixture.read_all(&scope, &key, Seq::ZERO).await?, Seq(10))?;
    ensure_equal(
        "the ends then",
        &fixture.store.head(&scope, &key).await?,
        &StreamHead { seq: Seq(11), first: Seq(11), deleted: false },
    )?;
    ensure_equal("events of the other stream", &fixture.read_all(&scope, &other, Seq::ZERO).await?.len(), &10)?;
    fixture.commit(&scope, fixture.new_batch().trim(canvas("unknown")?, Seq(1))).await?;
    let unknown = fixture.store.head(&scope, &canvas("unknown")?).await?;
    ensure_equal("an unknown stream after a trim", &unknown, &StreamHead::EMPTY)?;
    Ok(CaseOutcome::Passed)
}

/// A trim in a batch that fails removes nothing.
pub async fn trim_is_part_of_the_batch(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let (key, other) = (canvas("c1")?, canvas("c2")?);
    fixture
        .commit(&scope, fixture.new_batch().append(key.clone(), ExpectedHead::Any, fixture.new_events(&scope, 1..=5)?))
        .await?;
    let batch = fixture.new_batch().trim(key.clone(), Seq(4)).append(
        other.clone(),
        ExpectedHead::Seq(Seq(9)),
        fixture.new_events(&scope, [1])?,
    );
    expect_failure_at(
        "the batch",
        fixture.commit(&scope, batch).await,
        1,
        &FailedPrecondition::Stream { key: other, head: Seq::ZERO },
    )?;
    ensure_equal(
        "the ends",
        &fixture.store.head(&scope, &key).await?,
        &StreamHead { seq: Seq(5), first: Seq(1), deleted: false },
    )?;
    ensure_equal("events", &fixture.read_all(&scope, &key, Seq::ZERO).await?.len(), &5)?;
    Ok(CaseOutcome::Passed)
}
