//! Streams: order, no holes, heads, retention.

use engines_core::{
    Timestamp,
    context::{Actor, ActorType},
    nexus::{CommitError, ExpectedHead, Failed, Head},
    stream::{Meta, NewEvent, Routing, Seq, StreamEvent},
};

use super::{
    Bench, Failure, Outcome, Verdict,
    batches::refused_at,
    bench::{canvas, chat, raw, together},
    runner::Case,
    verdict::{ensure, same},
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

/// Every field of an event comes back; places start at 1; an unknown stream is empty.
pub async fn appended_is_read(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    let key = canvas("c1")?;
    let empty = bench.store.head(&scope, &key).await?;
    same("the head of an unknown stream", &empty, &Head::EMPTY)?;
    same("events of an unknown stream", &bench.store.read(&scope, &key, Seq::ZERO, 10).await?.len(), &0)?;
    let mut full = bench.event(&scope, 1)?;
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
    full.meta = Meta { schema: Some("schema/1".into()), ..Meta::default() };
    full.data = raw(r#"{"b":[1,2.5,null,true],"a":{"deep":"x"}}"#)?;
    let mut bare = bench.event(&scope, 2)?;
    bare.ids = Default::default();
    bare.meta = Meta::ephemeral();
    bare.data = raw("null")?;
    let events = vec![full, bare];
    let batch = bench.batch().append(key.clone(), ExpectedHead::Seq(Seq::ZERO), events.clone());
    let receipt = bench.commit(&scope, batch).await?;
    let appended = &receipt.appended[..];
    ensure(appended.len() == 1, || format!("a receipt of one append names {}", appended.len()))?;
    same("first and last", &(appended[0].first, appended[0].last), &(Seq(1), Seq(2)))?;
    same("the last one's id", &appended[0].event_id, &events[1].event_id)?;
    same("the head", &bench.store.head(&scope, &key).await?, &Head { seq: Seq(2), first: Seq(1), deleted: false })?;
    let read = bench.read_all(&scope, &key, Seq::ZERO).await?;
    same("events", &read.len(), &2)?;
    for (n, (read, wrote)) in read.iter().zip(&events).enumerate() {
        same("the place", &read.seq, &Seq(n as u64 + 1))?;
        same_event(&read.event, wrote)?;
    }
    Ok(Outcome::Passed)
}

/// Reading begins after any place, ends at the limit at the latest, and past the head there is nothing.
pub async fn read_from_anywhere(bench: &Bench) -> Verdict {
    const EVENTS: u64 = 50;
    let scope = bench.scope()?;
    let key = chat("t1")?;
    for n in 0..5 {
        let events = bench.events_of(&scope, n * 10 + 1..=n * 10 + 10)?;
        bench.commit(&scope, bench.batch().append(key.clone(), ExpectedHead::Seq(Seq(n * 10)), events)).await?;
    }
    for after in [0, 1, 9, 10, 11, 48, 49, 50, 51, 1000, i64::MAX as u64] {
        for limit in [1, 2, 7, 50, 1000] {
            let read = bench.store.read(&scope, &key, Seq(after), limit).await?;
            let what = format!("{limit} events after {after}");
            ensure(read.len() <= limit, || format!("{what}: {} came", read.len()))?;
            ensure(read.is_empty() == (after >= EVENTS), || format!("{what}: {} came", read.len()))?;
            contiguous(&read, Seq(after))?;
            ensure(read.last().is_none_or(|last| last.seq.0 <= EVENTS), || format!("{what}: past the head"))?;
            for event in &read {
                same(&what, &event.event.data.get().replace(' ', ""), &format!(r#"{{"n":{}}}"#, event.seq))?;
            }
        }
    }
    Ok(Outcome::Passed)
}

/// An append expecting another head fails and names the head there is.
pub async fn expected_head(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    let key = canvas("c1")?;
    for (expected, holds, head) in
        [(1, false, 0), (0, true, 2), (0, false, 2), (1, false, 2), (3, false, 2), (2, true, 4), (u64::MAX, false, 4)]
    {
        let events = bench.events_of(&scope, 1..=2)?;
        let answer =
            bench.commit(&scope, bench.batch().append(key.clone(), ExpectedHead::Seq(Seq(expected)), events)).await;
        let what = format!("expecting head {expected}");
        match (answer, holds) {
            (Ok(receipt), true) => same(&what, &receipt.appended[0].last, &Seq(head))?,
            (answer, false) => refused_at(&what, answer, 0, &Failed::Stream { key: key.clone(), head: Seq(head) })?,
            (Err(error), true) => return Err(error.into()),
        }
        same("the head", &bench.store.head(&scope, &key).await?.seq, &Seq(head))?;
    }
    Ok(Outcome::Passed)
}

/// Many append to one stream expecting nothing: every batch's events are together, in order, where its receipt says; no holes.
pub async fn concurrent_appends(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    let (key, side) = (chat("busy")?, chat("side")?);
    let rounds = bench.settings.rounds as u64;
    let receipts = together((0..bench.settings.writers as u64).map(|writer| {
        let (bench, scope, key, side) = (bench.clone(), scope.clone(), key.clone(), side.clone());
        async move {
            let mut receipts = Vec::new();
            for round in 0..rounds {
                let events = bench.events_of(&scope, (0..=round % 3).map(|n| writer * 1_000_000 + round * 1000 + n))?;
                let ids: Vec<_> = events.iter().map(|event| event.event_id).collect();
                let batch = bench.batch().append(key.clone(), ExpectedHead::Any, events).append(
                    side.clone(),
                    ExpectedHead::Any,
                    bench.events_of(&scope, [round])?,
                );
                receipts.push((bench.commit(&scope, batch).await?.appended.swap_remove(0), ids));
            }
            Ok(receipts)
        }
    }))
    .await?;
    let read = bench.read_all(&scope, &key, Seq::ZERO).await?;
    contiguous(&read, Seq::ZERO)?;
    let mut total = 0;
    for (appended, ids) in receipts.into_iter().flatten() {
        total += ids.len();
        let there: Vec<_> = read
            .iter()
            .filter(|event| (appended.first..=appended.last).contains(&event.seq))
            .map(|event| event.event.event_id)
            .collect();
        same("the events between a receipt's first and last", &there, &ids)?;
        same("the receipt's event id", &Some(&appended.event_id), &ids.last())?;
    }
    same("all events", &read.len(), &total)?;
    let side = bench.read_all(&scope, &side, Seq::ZERO).await?;
    contiguous(&side, Seq::ZERO)?;
    same("events of the stream beside it", &side.len(), &(bench.settings.writers * bench.settings.rounds))?;
    Ok(Outcome::Passed)
}

/// Retention takes the oldest events; the head stays, and the stream goes on behind it, even if nothing is left.
pub async fn trim(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    let (key, other) = (canvas("c1")?, canvas("c2")?);
    for key in [&key, &other] {
        let batch = bench.batch().append(key.clone(), ExpectedHead::Any, bench.events_of(&scope, 1..=10)?);
        bench.commit(&scope, batch).await?;
    }
    // (asked for, first kept after it)
    for (first, kept) in [(1, 1), (4, 4), (2, 4), (0, 4), (4, 4), (10, 10), (11, 11)] {
        let receipt = bench.commit(&scope, bench.batch().trim(key.clone(), Seq(first))).await?;
        ensure(receipt.appended.is_empty() && receipt.versions.is_empty(), || {
            format!("a trim's receipt: {receipt:?}")
        })?;
        let what = format!("the stream's ends after trim to {first}");
        same(&what, &bench.store.head(&scope, &key).await?, &Head { seq: Seq(10), first: Seq(kept), deleted: false })?;
        for after in [0, 1, 3, 9, 10] {
            let read = bench.store.read(&scope, &key, Seq(after), 100).await?;
            let begins = Seq(kept.max(after + 1));
            contiguous(&read, Seq(begins.0 - 1))?;
            same(&format!("{what}, read after {after}"), &read.is_empty(), &(begins.0 > 10))?;
        }
    }
    match bench.commit(&scope, bench.batch().trim(key.clone(), Seq(12))).await {
        Ok(_) | Err(CommitError::Refused(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let ends = bench.store.head(&scope, &key).await?;
    same("the ends after a trim past the head", &ends, &Head { seq: Seq(10), first: Seq(11), deleted: false })?;
    let batch = bench.batch().append(key.clone(), ExpectedHead::Seq(Seq(10)), bench.events_of(&scope, [11])?);
    same("the place after all was trimmed", &bench.commit(&scope, batch).await?.appended[0].first, &Seq(11))?;
    contiguous(&bench.read_all(&scope, &key, Seq::ZERO).await?, Seq(10))?;
    same(
        "the ends then",
        &bench.store.head(&scope, &key).await?,
        &Head { seq: Seq(11), first: Seq(11), deleted: false },
    )?;
    same("events of the other stream", &bench.read_all(&scope, &other, Seq::ZERO).await?.len(), &10)?;
    bench.commit(&scope, bench.batch().trim(canvas("unknown")?, Seq(1))).await?;
    let unknown = bench.store.head(&scope, &canvas("unknown")?).await?;
    same("an unknown stream after a trim", &unknown, &Head::EMPTY)?;
    Ok(Outcome::Passed)
}

/// A trim in a batch that fails takes nothing.
pub async fn trim_is_part_of_the_batch(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    let (key, other) = (canvas("c1")?, canvas("c2")?);
    bench.commit(&scope, bench.batch().append(key.clone(), ExpectedHead::Any, bench.events_of(&scope, 1..=5)?)).await?;
    let batch = bench.batch().trim(key.clone(), Seq(4)).append(
        other.clone(),
        ExpectedHead::Seq(Seq(9)),
        bench.events_of(&scope, [1])?,
    );
    refused_at("the batch", bench.commit(&scope, batch).await, 1, &Failed::Stream { key: other, head: Seq::ZERO })?;
    same("the ends", &bench.store.head(&scope, &key).await?, &Head { seq: Seq(5), first: Seq(1), deleted: false })?;
    same("events", &bench.read_all(&scope, &key, Seq::ZERO).await?.len(), &5)?;
    Ok(Outcome::Passed)
}

/// Fails unless the events are at the places right after `after`, with no hole.
#[track_caller]
pub(super) fn contiguous(events: &[StreamEvent], after: Seq) -> Result<(), Failure> {
    for (event, wanted) in events.iter().zip(after.0.saturating_add(1)..) {
        if event.seq.0 != wanted {
            return Err(Failure::new(format!("a hole or a disorder: {} where {wanted} belongs", event.seq)));
        }
    }
    Ok(())
}

#[track_caller]
pub(super) fn same_event(found: &NewEvent, wanted: &NewEvent) -> Result<(), Failure> {
    same("event_id", &found.event_id, &wanted.event_id)?;
    same("event_type", &found.event_type, &wanted.event_type)?;
    same("ts", &found.ts, &wanted.ts)?;
    same("actor", &found.actor, &wanted.actor)?;
    same("trace_id", &found.trace_id, &wanted.trace_id)?;
    same("span_id", &found.span_id, &wanted.span_id)?;
    same("ids", &found.ids, &wanted.ids)?;
    same("routing", &found.routing, &wanted.routing)?;
    same("meta", &found.meta, &wanted.meta)?;
    same("data", &super::documents::value(found.data.get())?, &super::documents::value(wanted.data.get())?)
}
