//! Dataset events: one log per scope, filters, and the feed of all scopes.

use std::time::Duration;

use engines_core::{
    DatasetEvent, Timestamp,
    event::{CleanEvent, EventFilter, StoredEvent},
    nexus::{Expect, FeedItem},
    stream::Seq,
};
use serde_json::{Map, Value};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    assertions::parse_value,
    case::Case,
    fixture::{kept_outcomes, note, run_concurrently},
    report::{ensure, ensure_equal},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("events::recorded_is_read", |fixture| Box::pin(recorded_is_read(fixture))),
        Case::store("events::filters", |fixture| Box::pin(filters(fixture))),
        Case::store("events::times_out_of_order", |fixture| Box::pin(times_out_of_order(fixture))),
        Case::store("events::feed", |fixture| Box::pin(feed(fixture))),
        Case::store("events::feed_during_writes", |fixture| Box::pin(feed_during_writes(fixture))),
    ]
}

/// Every field is read back. Sequences start at 1 in each scope and have no gaps.
pub async fn recorded_is_read(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let mut wrote = Vec::new();
    for n in 0..7_u64 {
        let event = DatasetEvent {
            surface: "editor".into(),
            agent_id: "agent".into(),
            actor_type: (n % 2 == 0).then(|| "agent".into()),
            analytics_event_type: (n % 3 == 0).then(|| "click".into()),
            asset_alt_text: Some("a picture".into()),
            metadata: Map::from_iter([("n".to_owned(), Value::from(n))]),
            extra: Map::from_iter([("utm_source".to_owned(), Value::from("letter"))]),
            ..DatasetEvent::default()
        };
        wrote.push(fixture.scrub_event(&scope, event)?);
    }
    let mut receipts = Vec::new();
    for pair in wrote.chunks(2) {
        let batch = pair.iter().cloned().fold(fixture.new_batch(), engines_core::Batch::record);
        receipts.extend(fixture.commit(&scope, batch).await?.recorded);
    }
    ensure_equal("the places of the receipts", &receipts, &kept_outcomes(1..=7))?;
    let read = fixture.list_events(&scope, &EventFilter::default()).await?;
    ensure_equal("events", &read.len(), &7)?;
    for ((read, wrote), seq) in read.iter().zip(wrote).zip(1..) {
        ensure_same_event(read, wrote, Seq(seq))?;
    }
    Ok(CaseOutcome::Passed)
}

/// Every filter, alone and combined; `from` is inclusive, `until` is exclusive.
pub async fn filters(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let mut all: Vec<StoredEvent> = Vec::new();
    for n in 0..24_u64 {
        let pick = |words: [&str; 2], step: u64| words[usize::from(n / step % 2 == 1)].to_owned();
        let event = DatasetEvent {
            surface: pick(["editor", "chat"], 1),
            agent_id: pick(["writer", "critic"], 2),
            analytics_event_type: (n % 3 != 0).then(|| pick(["click", "view"], 4)),
            trace_id: Some(pick(["alpha", "beta"], 8)),
            ..DatasetEvent::default()
        };
        let event = fixture.scrub_event(&scope, event)?;
        fixture.commit(&scope, fixture.new_batch().record(event.clone())).await?;
        all.push(event.into_stored(Seq(n + 1)));
    }
    let text = |text: &str| Some(text.to_owned());
    let none = EventFilter::default;
    let at = |n: usize| Some(all[n].ts);
    let filters = [
        none(),
        EventFilter { surface: text("chat"), ..none() },
        EventFilter { surface: text("CHAT"), ..none() },
        EventFilter { surface: text("cha"), ..none() },
        EventFilter { agent_id: text("critic"), ..none() },
        EventFilter { trace_id: text("beta"), ..none() },
        EventFilter { event_type: text("view"), ..none() },
        EventFilter { event_type: text(""), ..none() },
        EventFilter { from: at(5), ..none() },
        EventFilter { until: at(5), ..none() },
        EventFilter { from: at(5), until: at(6), ..none() },
        EventFilter { from: at(6), until: at(6), ..none() },
        EventFilter { from: at(7), until: at(6), ..none() },
        EventFilter { from: Some(Timestamp::default()), until: Some(Timestamp::MAX), ..none() },
        EventFilter {
            surface: text("chat"),
            agent_id: text("critic"),
            trace_id: text("alpha"),
            event_type: text("click"),
            from: at(1),
            until: at(20),
        },
    ];
    for filter in filters {
        let wanted: Vec<_> = all.iter().filter(|event| filter.matches(event)).map(|event| event.event_id).collect();
        for limit in [1, 3, 500] {
            let found =
                super::fixture::read_sparse_pages(limit, |page| fixture.store.events(&scope, &filter, page)).await?;
            let found: Vec<_> = found.into_iter().map(|event| event.event_id).collect();
            ensure_equal(&format!("events of {filter:?}, pages of {limit}"), &found, &wanted)?;
        }
    }
    Ok(CaseOutcome::Passed)
}

/// Times need not increase with sequences, because events may be recorded late. A filter by time finds all of its
/// events all the same, in a log that is long enough for any time index to be used.
pub async fn times_out_of_order(fixture: &Fixture) -> CaseResult {
    let (scope, count) = (fixture.new_scope()?, 500_u64);
    let begin = fixture.now();
    let mut all: Vec<StoredEvent> = Vec::new();
    let mut batch = fixture.new_batch();
    for n in 0..count {
        // Mostly increasing, each up to 40 before the previous one; one event far in the past, one far in the future.
        let at = match n {
            300 => 0,
            200 => 5000,
            n => 10 * n + n * 7919 % 41,
        };
        let surface = if n % 5 == 0 { "rare" } else { "common" };
        let event = DatasetEvent { surface: surface.into(), agent_id: "agent".into(), ..DatasetEvent::default() };
        let event = fixture.scrub_event_at(&scope, event, begin.plus(Duration::from_millis(at)))?;
        batch = batch.record(event.clone());
        all.push(event.into_stored(Seq(n + 1)));
        if n % 20 == 19 {
            fixture.commit(&scope, std::mem::replace(&mut batch, fixture.new_batch())).await?;
        }
    }
    let at = |millis: u64| Some(begin.plus(Duration::from_millis(millis)));
    for (from, until) in
        [(0, 1), (0, 1000), (990, 1010), (1900, 2100), (2990, 3010), (4900, 5001), (5000, 5001), (6000, 9000)]
    {
        for surface in [None, Some("rare".to_owned())] {
            for (from, until) in [(at(from), at(until)), (at(from), None), (None, at(until))] {
                let filter = EventFilter { surface: surface.clone(), from, until, ..EventFilter::default() };
                let wanted: Vec<_> =
                    all.iter().filter(|event| filter.matches(event)).map(|event| event.seq.0).collect();
                for limit in [7, 1000] {
                    let found =
                        super::fixture::read_sparse_pages(limit, |page| fixture.store.events(&scope, &filter, page))
                            .await?;
                    let found: Vec<_> = found.into_iter().map(|event| event.seq.0).collect();
                    ensure_equal(&format!("places of {filter:?}, pages of {limit}"), &found, &wanted)?;
                }
            }
        }
    }
    Ok(CaseOutcome::Passed)
}

/// The feed contains every event of every scope in commit order, its positions increase, and it can start after any
/// position.
pub async fn feed(fixture: &Fixture) -> CaseResult {
    let scopes = [fixture.new_scope()?, fixture.new_scope()?, fixture.new_scope()?];
    let mut wrote = Vec::new();
    for n in 0..30 {
        let scope = &scopes[n % 7 % 3];
        let events = [fixture.dataset_event(scope, "feed")?, fixture.dataset_event(scope, "feed")?];
        wrote.extend(events.iter().map(|event| (scope.clone(), event.event_id())));
        let [one, two] = events;
        fixture.commit(scope, fixture.new_batch().record(one).put(note("d", n)?, Expect::Any).record(two)).await?;
    }
    let fed = fixture.read_feed(&scopes).await?;
    ensure_rising(&fed)?;
    let found: Vec<_> = fed.iter().map(|item| (item.scope.clone(), item.event.event_id)).collect();
    ensure_equal("the feed", &found, &wrote)?;
    for scope in &scopes {
        let own = fixture.list_events(scope, &EventFilter::default()).await?;
        let own: Vec<_> = own.iter().map(|event| (event.seq, event.event_id)).collect();
        let of_feed: Vec<_> = fed.iter().filter(|item| item.scope == *scope).collect();
        let of_feed: Vec<_> = of_feed.iter().map(|item| (item.event.seq, item.event.event_id)).collect();
        ensure_equal("a scope's part of the feed", &of_feed, &own)?;
    }
    let middle = &fed[fed.len() / 2];
    for limit in [1, 2, 7, 1000] {
        let some = fixture.store.after(middle.position, limit).await?;
        ensure(some.len() <= limit && !some.is_empty(), || format!("{} items for a limit of {limit}", some.len()))?;
        ensure(some[0].position > middle.position, || "the feed gives again what it is to begin after".into())?;
    }
    let last = fed.last().map_or(0, |item| item.position);
    let rest = fixture.store.after(last, 100).await?;
    ensure(rest.iter().all(|item| item.position > last), || "the feed goes back".into())?;
    Ok(CaseOutcome::Passed)
}

/// A reader that follows the feed during concurrent writes gets every event once: a later commit never gets an
/// earlier position.
pub async fn feed_during_writes(fixture: &Fixture) -> CaseResult {
    let (writers, rounds) = (fixture.settings.writers, fixture.settings.rounds * 2);
    let scopes = [fixture.new_scope()?, fixture.new_scope()?];
    let mut position = 0;
    while let Some(last) = fixture.store.after(position, 500).await?.last() {
        ensure(last.position > position, || "the feed's positions do not rise".into())?;
        position = last.position;
    }
    let follower = {
        let (fixture, scopes) = (fixture.clone(), scopes.clone());
        async move {
            let mut got = Vec::new();
            while got.len() < writers * rounds {
                let some = fixture.store.after(position, 7).await?;
                ensure_rising(&some)?;
                position = some.last().map_or(position, |last| last.position);
                got.extend(
                    some.into_iter().filter(|item| scopes.contains(&item.scope)).map(|item| item.event.event_id),
                );
                tokio::task::yield_now().await;
            }
            Ok(got)
        }
    };
    let follower = tokio::spawn(follower);
    let wrote = run_concurrently((0..writers).map(|writer| {
        let (fixture, scope) = (fixture.clone(), scopes[writer % 2].clone());
        async move {
            let mut ids = Vec::new();
            for _ in 0..rounds {
                let event = fixture.dataset_event(&scope, "feed")?;
                ids.push(event.event_id());
                fixture.commit(&scope, fixture.new_batch().record(event)).await?;
            }
            Ok(ids)
        }
    }))
    .await;
    let wrote = match wrote {
        Ok(wrote) => wrote,
        Err(failure) => {
            follower.abort();
            return Err(failure);
        }
    };
    let followed = tokio::time::timeout(fixture.settings.patience / 2, follower).await;
    let got: Result<_, CaseFailure> = followed
        .map_err(|_| CaseFailure::new("a reader that follows the feed during writes misses events"))?
        .map_err(|error| CaseFailure::new(format!("a task failed: {error}")))?;
    let mut got = got?;
    let mut wrote: Vec<_> = wrote.into_iter().flatten().collect();
    got.sort_unstable();
    wrote.sort_unstable();
    ensure_equal("followed events", &got, &wrote)?;
    for scope in &scopes {
        let recorded = fixture.list_events(scope, &EventFilter::default()).await?;
        let seqs: Vec<_> = recorded.iter().map(|event| event.seq.0).collect();
        ensure_equal("places of a scope's events", &seqs, &(1..=seqs.len() as u64).collect::<Vec<_>>())?;
    }
    Ok(CaseOutcome::Passed)
}

#[track_caller]
fn ensure_rising(items: &[FeedItem]) -> Result<(), CaseFailure> {
    ensure(items.is_sorted_by(|one, two| one.position < two.position), || "the feed's positions do not rise".into())
}

#[track_caller]
fn ensure_same_event(found: &StoredEvent, wrote: CleanEvent, seq: Seq) -> Result<(), CaseFailure> {
    let wanted = wrote.into_stored(seq);
    ensure_equal("seq", &found.seq, &wanted.seq)?;
    ensure_equal("event_id", &found.event_id, &wanted.event_id)?;
    ensure_equal("ts", &found.ts, &wanted.ts)?;
    ensure_equal("surface", &found.surface, &wanted.surface)?;
    ensure_equal("agent_id", &found.agent_id, &wanted.agent_id)?;
    ensure_equal("event_type", &found.event_type, &wanted.event_type)?;
    ensure_equal("trace_id", &found.trace_id, &wanted.trace_id)?;
    ensure_equal("actor", &found.actor, &wanted.actor)?;
    ensure_equal("train_ok", &found.train_ok, &wanted.train_ok)?;
    ensure_equal("pii_flags", &found.pii_flags, &wanted.pii_flags)?;
    ensure_equal("body", &parse_value(found.body.get())?, &parse_value(wanted.body.get())?)
}
