//! Removal: removed data is invisible to every reader, a step at a time, and no other data is affected. For backends
//! that promise `removes`.

use std::time::Duration;

use engines_core::{
    DatasetEvent, Env, Scope,
    audit::AuditFilter,
    event::EventFilter,
    nexus::{
        CommitError, DocumentQuery, Expect, ExpectedHead, FailedPrecondition, PageRequest, Removal, RemovalProgress,
        StoreChange, StreamHead,
    },
    stream::{Seq, StreamKey},
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture, StoreFactory,
    assertions::next_change,
    case::Case,
    fixture::{NOTE, canvas, chat, idempotency, note, read_pages, run_concurrently},
    report::{ensure, ensure_equal},
};

/// Number of steps of one removal after which the backend is considered not to make progress.
const MAX_STEPS: usize = 10_000;
/// First and maximum delay of polling for data that a backend removes in the background.
const RETRY_WAIT: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(200));

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("removal::declared", |fixture| Box::pin(declared(fixture))),
        Case::store("removal::deleted_streams", |fixture| Box::pin(deleted_streams(fixture))),
        Case::store("removal::receipts_of_deleted_streams", |fixture| Box::pin(receipts_of_deleted_streams(fixture))),
        Case::store("removal::deletions_wake", |fixture| Box::pin(deletions_wake(fixture))),
        Case::store("removal::deletions_race", |fixture| Box::pin(deletions_race(fixture))),
        Case::store("removal::events", |fixture| Box::pin(events(fixture))),
        Case::store("removal::events_not_delivered", |fixture| Box::pin(events_not_delivered(fixture))),
        Case::store("removal::receipts", |fixture| Box::pin(receipts(fixture))),
        Case::store("removal::audit", |fixture| Box::pin(audit(fixture))),
        Case::store("removal::scope", |fixture| Box::pin(scope(fixture))),
        Case::factory("removal::stays_removed", |opener| Box::pin(stays_removed(opener))),
    ]
}

fn skip_unless_removes(fixture: &Fixture) -> Option<CaseOutcome> {
    (!fixture.store.capabilities().removes).then(|| CaseOutcome::Skipped("removes is not promised".into()))
}

/// Runs steps of `limit` until the removal is complete. Returns the number of items removed.
async fn remove_all(fixture: &Fixture, scope: &Scope, removal: &Removal, limit: usize) -> Result<u64, CaseFailure> {
    let (mut total, mut after) = (0, None);
    for _ in 0..MAX_STEPS {
        let RemovalProgress { removed, position, done } =
            fixture.store.remove(scope, removal, limit, after.as_deref()).await?;
        ensure(removed <= limit as u64, || format!("a step of at most {limit} removed {removed}"))?;
        total += removed;
        if done {
            return Ok(total);
        }
        after = position;
    }
    Err(CaseFailure::new("a removal does not end"))
}

async fn append_events(fixture: &Fixture, scope: &Scope, key: &StreamKey, count: u64) -> Result<(), CaseFailure> {
    let batch = fixture.new_batch().append(key.clone(), ExpectedHead::Any, fixture.new_events(scope, 1..=count)?);
    fixture.commit(scope, batch).await?;
    Ok(())
}

/// A backend that does not promise removals rejects them and keeps all data.
pub async fn declared(fixture: &Fixture) -> CaseResult {
    let (scope, key) = (fixture.new_scope()?, canvas("c1")?);
    append_events(fixture, &scope, &key, 2).await?;
    if fixture.store.capabilities().removes {
        ensure_equal("removing nothing", &remove_all(fixture, &fixture.new_scope()?, &Removal::Scope, 10).await?, &0)?;
        return Ok(CaseOutcome::Passed);
    }
    ensure(fixture.store.remove(&scope, &Removal::Scope, 10, None).await.is_err(), || {
        "it removes data nevertheless".into()
    })?;
    match fixture.commit(&scope, fixture.new_batch().delete_stream(key.clone())).await {
        Err(CommitError::Refused(_)) => {}
        other => return Err(CaseFailure::new(format!("a stream's deletion: {other:?}"))),
    }
    ensure_equal("what is kept", &fixture.read_all(&scope, &key, Seq::ZERO).await?.len(), &2)?;
    Ok(CaseOutcome::Passed)
}

/// A deleted stream returns no events and accepts none, also a stream that never had an event. Other streams are not
/// affected.
pub async fn deleted_streams(fixture: &Fixture) -> CaseResult {
    if let Some(left_out) = skip_unless_removes(fixture) {
        return Ok(left_out);
    }
    let (scope, other_env) = (fixture.new_scope()?, fixture.new_scope()?);
    let (full, empty, other) = (canvas("c1")?, chat("t1")?, canvas("c10")?);
    for (scope, key) in [(&scope, &full), (&scope, &other), (&other_env, &full)] {
        append_events(fixture, scope, key, 5).await?;
    }
    fixture.commit(&scope, fixture.new_batch().expect_stream(full.clone()).put(note("d1", 1)?, Expect::Absent)).await?;
    let batch = fixture.new_batch().delete(NOTE, engines_core::DocId::new("d1")?, Expect::Present);
    fixture.commit(&scope, batch.delete_stream(full.clone()).delete_stream(empty.clone())).await?;
    for (key, seq) in [(&full, 5), (&empty, 0)] {
        let ends = StreamHead { seq: Seq(seq), first: Seq(seq + 1), deleted: true };
        ensure_equal("the ends of a deleted stream", &fixture.store.head(&scope, key).await?, &ends)?;
        for after in [0, 2, 5] {
            ensure_equal("events of it", &fixture.store.read(&scope, key, Seq(after), 10).await?.len(), &0)?;
        }
        let refused = [
            fixture.new_batch().append(key.clone(), ExpectedHead::Any, fixture.new_events(&scope, [9])?),
            fixture.new_batch().append(key.clone(), ExpectedHead::Seq(Seq(seq)), fixture.new_events(&scope, [9])?),
            fixture.new_batch().expect_stream(key.clone()),
            fixture.new_batch().delete_stream(key.clone()),
        ];
        for batch in refused {
            // The same in a batch with another write, which must not be stored either.
            let mut both = fixture.new_batch().put(note("d2", 1)?, Expect::Absent);
            for write in batch.writes() {
                both = match write.clone() {
                    engines_core::nexus::Write::Append { key, expected, events } => both.append(key, expected, events),
                    engines_core::nexus::Write::ExpectStream { key } => both.expect_stream(key),
                    engines_core::nexus::Write::DeleteStream { key } => both.delete_stream(key),
                    _ => both,
                };
            }
            match fixture.commit(&scope, both).await {
                Err(CommitError::Precondition { index: 1, failed: FailedPrecondition::Deleted { key: named } }) => {
                    ensure_equal("the deleted stream that is named", &named, key)?;
                }
                answer => return Err(CaseFailure::new(format!("a write to a deleted stream: {answer:?}"))),
            }
        }
        ensure(fixture.get(&scope, "d2").await?.is_none(), || "a part of a refused batch was written".into())?;
    }
    ensure_equal("the other stream", &fixture.read_all(&scope, &other, Seq::ZERO).await?.len(), &5)?;
    ensure_equal("the stream of another scope", &fixture.read_all(&other_env, &full, Seq::ZERO).await?.len(), &5)?;
    append_events(fixture, &other_env, &full, 1).await?;
    Ok(CaseOutcome::Passed)
}

/// The receipts of a deleted stream are removed; those of streams with similar names are kept.
pub async fn receipts_of_deleted_streams(fixture: &Fixture) -> CaseResult {
    if let Some(left_out) = skip_unless_removes(fixture) {
        return Ok(left_out);
    }
    let scope = fixture.new_scope()?;
    let (gone, kept) = (canvas("c1")?, canvas("c10")?);
    let of_gone = [
        idempotency("canvas/c1/ada", "k1", 1),
        idempotency("canvas/c1/bob", "k1", 1),
        idempotency("canvas/c1", "k1", 1),
    ];
    let of_kept =
        [idempotency("canvas/c10/ada", "k1", 1), idempotency("chat/c1/ada", "k1", 1), idempotency("canvas/c", "k1", 1)];
    for (n, key) in of_gone.iter().chain(&of_kept).enumerate() {
        let stream = if n < of_gone.len() { &gone } else { &kept };
        let events = fixture.new_events(&scope, [1])?;
        fixture
            .commit(
                &scope,
                fixture.new_batch().append(stream.clone(), ExpectedHead::Any, events).with_idempotency(key.clone()),
            )
            .await?;
    }
    fixture.commit(&scope, fixture.new_batch().delete_stream(gone)).await?;
    let mut wait = RETRY_WAIT.0;
    for key in &of_gone {
        // Removal may happen in the background; the case's time limit bounds the wait.
        while fixture.store.receipt(&scope, key).await?.is_some() {
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_WAIT.1);
        }
    }
    for key in &of_kept {
        ensure(fixture.store.receipt(&scope, key).await?.is_some(), || format!("the receipt of {key:?} is gone"))?;
    }
    Ok(CaseOutcome::Passed)
}

/// Readers of change notifications are notified of a deletion after it took effect.
pub async fn deletions_wake(fixture: &Fixture) -> CaseResult {
    if let Some(left_out) = skip_unless_removes(fixture) {
        return Ok(left_out);
    }
    let (scope, key) = (fixture.new_scope()?, canvas("c1")?);
    append_events(fixture, &scope, &key, 1).await?;
    let mut changes = fixture.store.changes();
    fixture.commit(&scope, fixture.new_batch().delete_stream(key.clone())).await?;
    loop {
        let told = match next_change(&mut changes).await? {
            StoreChange::Deleted(streams) => streams.iter().any(|(of, name)| *of == scope && *name == key),
            StoreChange::Lagged => true,
            _ => false,
        };
        if told {
            ensure(fixture.store.head(&scope, &key).await?.deleted, || "told of a deletion that is not there".into())?;
            return Ok(CaseOutcome::Passed);
        }
    }
}

/// Concurrent appends and a deletion: each append is either acknowledged before the deletion, and deleted by it, or
/// rejected. The same holds for a document that expects the stream.
pub async fn deletions_race(fixture: &Fixture) -> CaseResult {
    if let Some(left_out) = skip_unless_removes(fixture) {
        return Ok(left_out);
    }
    for round in 0..fixture.settings.rounds {
        let (scope, key) = (fixture.new_scope()?, chat("t1")?);
        let writers = fixture.settings.writers;
        let acknowledged = run_concurrently((0..=writers).map(|writer| {
            let (fixture, scope, key) = (fixture.clone(), scope.clone(), key.clone());
            async move {
                let mut count = 0;
                for n in 0..4_u64 {
                    let last = writer == writers && n == round as u64 % 4;
                    let document = format!("d{writer}x{n}");
                    let batch = match last {
                        true => fixture.new_batch().delete_stream(key.clone()),
                        false => fixture
                            .new_batch()
                            .append(key.clone(), ExpectedHead::Any, fixture.new_events(&scope, [n])?)
                            .expect_stream(key.clone())
                            .put(note(&document, 1)?, Expect::Absent),
                    };
                    match fixture.commit(&scope, batch).await {
                        Ok(_) if last => return Ok(count),
                        Ok(_) => count += 1,
                        Err(CommitError::Precondition { failed: FailedPrecondition::Deleted { .. }, .. }) if !last => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(count)
            }
        }))
        .await?;
        let head = fixture.store.head(&scope, &key).await?;
        let count: u64 = acknowledged.iter().sum();
        ensure_equal("the head behind all acknowledged appends", &(head.seq, head.deleted), &(Seq(count), true))?;
        ensure_equal("events that are left", &fixture.read_all(&scope, &key, Seq::ZERO).await?.len(), &0)?;
        let documents = fixture.list_all(&scope, &DocumentQuery::of_kind(NOTE), 100).await?.len();
        ensure_equal("documents of acknowledged batches", &(documents as u64), &count)?;
    }
    Ok(CaseOutcome::Passed)
}

/// Removed events disappear from lists, from the feed and from every filter. The others stay, and new events get the
/// next sequences.
pub async fn events(fixture: &Fixture) -> CaseResult {
    if let Some(left_out) = skip_unless_removes(fixture) {
        return Ok(left_out);
    }
    let none = EventFilter::default;
    for limit in [1, 7, 1000] {
        let (scope, other) = (fixture.new_scope()?, fixture.new_scope()?);
        let mut all = Vec::new();
        for n in 0..60_usize {
            let word = |list: [&str; 3]| list[n % 3].to_owned();
            let event = DatasetEvent {
                surface: word(["desk", "desk", "phone"]),
                agent_id: word(["a", "b", "a"]),
                analytics_event_type: (n % 2 == 0).then(|| "click".to_owned()),
                ..DatasetEvent::default()
            };
            // Some events are earlier than those before them.
            let ts = fixture.now().plus(Duration::from_secs((n as u64 * 37) % 60));
            let clean = fixture.scrub_event_at(&scope, event, ts)?;
            let batch = fixture.new_batch().record(clean);
            fixture.commit(&scope, batch).await?;
            fixture.commit(&other, fixture.new_batch().record(fixture.dataset_event(&other, "desk")?)).await?;
        }
        all.extend(fixture.list_events(&scope, &none()).await?);
        let middle = Some(all[30].ts);
        let removals = [
            EventFilter { surface: Some("phone".into()), ..none() },
            EventFilter { until: middle, event_type: Some("click".into()), ..none() },
            EventFilter { agent_id: Some("b".into()), from: middle, ..none() },
            EventFilter { until: middle, ..none() },
        ];
        for filter in removals {
            let (gone, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|event| filter.matches(event));
            let removal = Removal::Events { filter: filter.clone(), delivered: None };
            ensure_equal("events removed", &remove_all(fixture, &scope, &removal, limit).await?, &(gone.len() as u64))?;
            let places = |events: &[engines_core::event::StoredEvent]| -> Vec<Seq> {
                events.iter().map(|event| event.seq).collect()
            };
            for view in [none(), EventFilter { surface: Some("desk".into()), ..none() }, filter] {
                let wanted: Vec<_> = kept.iter().filter(|event| view.matches(event)).map(|event| event.seq).collect();
                ensure_equal("what is left", &places(&fixture.list_events(&scope, &view).await?), &wanted)?;
            }
            let fed = fixture.read_feed(std::slice::from_ref(&scope)).await?;
            let fed: Vec<_> = fed.into_iter().map(|item| item.event.seq).collect();
            ensure_equal("what the feed has", &fed, &places(&kept))?;
            ensure_equal("removing them again", &remove_all(fixture, &scope, &removal, limit).await?, &0)?;
            all = kept;
        }
        let receipt =
            fixture.commit(&scope, fixture.new_batch().record(fixture.dataset_event(&scope, "desk")?)).await?;
        ensure_equal("the place of a new event", &receipt.recorded, &super::fixture::kept_outcomes([61]))?;
        let everything = Removal::Events { filter: none(), delivered: None };
        remove_all(fixture, &scope, &everything, limit).await?;
        let receipt =
            fixture.commit(&scope, fixture.new_batch().record(fixture.dataset_event(&scope, "desk")?)).await?;
        ensure_equal("the place after all were removed", &receipt.recorded, &super::fixture::kept_outcomes([62]))?;
        ensure_equal("events of the other scope", &fixture.list_events(&other, &none()).await?.len(), &60)?;
    }
    Ok(CaseOutcome::Passed)
}

/// Events after a position of the feed stay when that is requested, and the feed still returns them.
pub async fn events_not_delivered(fixture: &Fixture) -> CaseResult {
    if let Some(left_out) = skip_unless_removes(fixture) {
        return Ok(left_out);
    }
    let scope = fixture.new_scope()?;
    for _ in 0..20 {
        fixture.commit(&scope, fixture.new_batch().record(fixture.dataset_event(&scope, "desk")?)).await?;
    }
    let fed = fixture.read_feed(std::slice::from_ref(&scope)).await?;
    let delivered = fed[11].position;
    let removal = Removal::Events { filter: EventFilter::default(), delivered: Some(delivered) };
    ensure_equal("events removed", &remove_all(fixture, &scope, &removal, 5).await?, &12)?;
    let left: Vec<_> =
        fixture.read_feed(std::slice::from_ref(&scope)).await?.iter().map(|item| item.position).collect();
    let wanted: Vec<_> = fed[12..].iter().map(|item| item.position).collect();
    ensure_equal("positions that are left", &left, &wanted)?;
    let next = fixture.store.after(delivered, 1).await?;
    ensure_equal("the next one of the feed", &next.first().map(|item| item.position), &wanted.first().copied())?;
    Ok(CaseOutcome::Passed)
}

/// Old receipts are removed, and their keys take effect again; newer keys still replay.
pub async fn receipts(fixture: &Fixture) -> CaseResult {
    if let Some(left_out) = skip_unless_removes(fixture) {
        return Ok(left_out);
    }
    for limit in [1, 3, 1000] {
        let (scope, other) = (fixture.new_scope()?, fixture.new_scope()?);
        let key = |n: u64| idempotency("canvas/c1/ada", &format!("k{n}"), 1);
        let put = |scope: &Scope, n: u64| -> Result<_, CaseFailure> {
            let append = fixture.new_batch().append(canvas("c1")?, ExpectedHead::Any, fixture.new_events(scope, [n])?);
            Ok(append.with_idempotency(key(n)))
        };
        let mut before = fixture.now();
        for n in 0..10 {
            if n == 6 {
                before = fixture.now();
            }
            fixture.commit(&scope, put(&scope, n)?).await?;
            fixture.commit(&other, put(&other, n)?).await?;
        }
        let removal = Removal::Receipts { before };
        ensure_equal("receipts removed", &remove_all(fixture, &scope, &removal, limit).await?, &6)?;
        for n in 0..10 {
            let there = fixture.store.receipt(&scope, &key(n)).await?.is_some();
            ensure_equal(&format!("whether receipt {n} is there"), &there, &(n >= 6))?;
            let receipt = fixture.commit(&scope, put(&scope, n)?).await?;
            ensure_equal(&format!("whether key {n} replays"), &receipt.replayed, &(n >= 6))?;
            let receipt = fixture.commit(&scope, put(&scope, n)?).await?;
            ensure_equal("whether it replays then", &receipt.replayed, &true)?;
            ensure(fixture.store.receipt(&other, &key(n)).await?.is_some(), || {
                "another scope's receipt is gone".into()
            })?;
        }
        ensure_equal("removing them again", &remove_all(fixture, &scope, &removal, limit).await?, &0)?;
    }
    Ok(CaseOutcome::Passed)
}

/// Old audit records are removed, the newest is kept, and tokens from before the removal stay valid.
pub async fn audit(fixture: &Fixture) -> CaseResult {
    if let Some(left_out) = skip_unless_removes(fixture) {
        return Ok(left_out);
    }
    for limit in [1, 3, 1000] {
        let (scope, other) = (fixture.new_scope()?, fixture.new_scope()?);
        let mut all = Vec::new();
        for n in 0..10 {
            let entry = fixture.audit_entry(&scope, "conformance.write", &format!("canvas/c{n}"))?;
            fixture.commit(&scope, fixture.new_batch().audit(entry.clone())).await?;
            fixture
                .commit(
                    &other,
                    fixture.new_batch().audit(fixture.audit_entry(&other, "conformance.write", "canvas/c")?),
                )
                .await?;
            all.push(entry);
        }
        let none = AuditFilter::default();
        let page = fixture.store.audit(&scope, &none, PageRequest::first(6)).await?;
        let next = page.next.ok_or_else(|| CaseFailure::new("ten records fit into a page of six"))?;
        let removal = Removal::Audit { before: all[4].ts };
        ensure_equal("records removed", &remove_all(fixture, &scope, &removal, limit).await?, &4)?;
        let found = read_pages(3, |page| fixture.store.audit(&scope, &none, page)).await?;
        ensure_equal("records that are left", &found, &all[4..].to_vec())?;
        let rest = fixture.store.audit(&scope, &none, PageRequest::after(10, next)).await?.items;
        ensure_equal("the page after the one from before", &rest, &all[6..].to_vec())?;
        let everything = Removal::Audit { before: fixture.now() };
        ensure_equal("records removed then", &remove_all(fixture, &scope, &everything, limit).await?, &5)?;
        ensure_equal("the newest", &fixture.list_audit(&scope, &none).await?, &all[9..].to_vec())?;
        ensure_equal("records of the other scope", &fixture.list_audit(&other, &none).await?.len(), &10)?;
    }
    Ok(CaseOutcome::Passed)
}

/// A whole scope is removed in steps, and is then like a scope that never had data. Another tenant and another
/// environment are not affected.
pub async fn scope(fixture: &Fixture) -> CaseResult {
    if let Some(left_out) = skip_unless_removes(fixture) {
        return Ok(left_out);
    }
    for limit in [1, 5, 1000] {
        let scope = fixture.new_scope()?;
        let other_env = Scope::new(scope.tenant().clone(), Env::Prod);
        let scopes = [scope.clone(), other_env, fixture.new_scope()?];
        let (one, two, deleted) = (canvas("c1")?, chat("t1")?, canvas("c2")?);
        let key = idempotency("canvas/c1/ada", "k1", 1);
        for scope in &scopes {
            for n in 0..7_u64 {
                let batch = fixture
                    .new_batch()
                    .put(note(&format!("d{n}"), n)?.tag("of:all").tag("one"), Expect::Absent)
                    .append(one.clone(), ExpectedHead::Any, fixture.new_events(scope, [n, n])?)
                    .append(two.clone(), ExpectedHead::Any, fixture.new_events(scope, [n])?)
                    .record_idempotent(
                        fixture.dataset_event(scope, "desk")?,
                        idempotency("events/ada", &format!("e{n}"), 1),
                    )
                    .audit(fixture.audit_entry(scope, "conformance.write", "canvas/c1")?);
                fixture.commit(scope, if n == 0 { batch.with_idempotency(key.clone()) } else { batch }).await?;
            }
            append_events(fixture, scope, &deleted, 3).await?;
            fixture.commit(scope, fixture.new_batch().delete_stream(deleted.clone())).await?;
        }
        ensure(remove_all(fixture, &scope, &Removal::Scope, limit).await? > 0, || "nothing was removed".into())?;
        let streams = [one.clone(), two.clone(), deleted.clone()];
        fixture.ensure_scope_empty(&scope, &streams, Some(&key)).await?;
        let tagged = fixture.list_all(&scope, &DocumentQuery::of_kind(NOTE).tag("of:all"), 100).await?;
        ensure_equal("documents found by a tag", &tagged.len(), &0)?;
        for key in &streams {
            ensure_equal("the ends of a removed stream", &fixture.store.head(&scope, key).await?, &StreamHead::EMPTY)?;
        }
        let listed = list_scopes(fixture).await?;
        ensure(!listed.contains(&scope), || "a removed scope is still listed".into())?;
        for kept in &scopes[1..] {
            ensure(listed.contains(kept), || "another scope is not listed".into())?;
            ensure_equal(
                "documents of another scope",
                &fixture.list_all(kept, &DocumentQuery::of_kind(NOTE).tag("one"), 100).await?.len(),
                &7,
            )?;
            ensure_equal("events of another scope", &fixture.read_all(kept, &one, Seq::ZERO).await?.len(), &14)?;
            ensure_equal(
                "dataset events of another scope",
                &fixture.list_events(kept, &EventFilter::default()).await?.len(),
                &7,
            )?;
            ensure_equal(
                "records of another scope",
                &fixture.list_audit(kept, &AuditFilter::default()).await?.len(),
                &7,
            )?;
            ensure(fixture.store.receipt(kept, &key).await?.is_some(), || "another scope's receipt is gone".into())?;
            ensure(fixture.store.head(kept, &deleted).await?.deleted, || "another scope's deletion is gone".into())?;
        }
        ensure_equal("removing it again", &remove_all(fixture, &scope, &Removal::Scope, limit).await?, &0)?;
        // Sequences, versions and keys start again.
        append_events(fixture, &scope, &deleted, 1).await?;
        let batch = fixture
            .new_batch()
            .put(note("d0", 1)?, Expect::Absent)
            .append(one.clone(), ExpectedHead::Seq(Seq::ZERO), fixture.new_events(&scope, [1])?)
            .record(fixture.dataset_event(&scope, "desk")?)
            .audit(fixture.audit_entry(&scope, "conformance.write", "canvas/c1")?)
            .with_idempotency(key.clone());
        let receipt = fixture.commit(&scope, batch).await?;
        ensure_equal("a batch in the empty scope", &(receipt.replayed, receipt.versions), &(false, vec![1]))?;
        ensure_equal("the place of its event", &receipt.recorded, &super::fixture::kept_outcomes([1]))?;
        ensure_equal("its records", &fixture.list_audit(&scope, &AuditFilter::default()).await?.len(), &1)?;
    }
    Ok(CaseOutcome::Passed)
}

/// Lists all scopes in pages of 3. Fails unless each comes once and they are in order.
async fn list_scopes(fixture: &Fixture) -> Result<Vec<Scope>, CaseFailure> {
    let mut all: Vec<Scope> = Vec::new();
    loop {
        let page = fixture.store.scopes(all.last(), 3).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    let names: Vec<_> = all.iter().map(|scope| (scope.tenant().as_str(), scope.env().as_str())).collect();
    ensure(names.windows(2).all(|pair| pair[0] < pair[1]), || "scopes are not listed in order".into())?;
    Ok(all)
}

/// Removed data stays removed after reopening, and a deleted stream's name stays reserved.
pub async fn stays_removed(opener: &StoreFactory) -> CaseResult {
    let fixture = opener.open("stays_removed").await?;
    if let Some(left_out) = skip_unless_removes(&fixture) {
        return Ok(left_out);
    }
    if !fixture.store.capabilities().durable {
        return Ok(CaseOutcome::Skipped("durable is not promised".into()));
    }
    let (scope, gone, key) = (fixture.new_scope()?, fixture.new_scope()?, canvas("c1")?);
    let once = idempotency("canvas/c1/ada", "k1", 1);
    for scope in [&scope, &gone] {
        let batch = fixture
            .new_batch()
            .append(key.clone(), ExpectedHead::Any, fixture.new_events(scope, 1..=5)?)
            .record(fixture.dataset_event(scope, "desk")?)
            .with_idempotency(once.clone());
        fixture.commit(scope, batch).await?;
    }
    let before = fixture.now();
    fixture.commit(&scope, fixture.new_batch().delete_stream(key.clone())).await?;
    remove_all(&fixture, &scope, &Removal::Events { filter: EventFilter::default(), delivered: None }, 10).await?;
    remove_all(&fixture, &scope, &Removal::Receipts { before }, 10).await?;
    remove_all(&fixture, &gone, &Removal::Scope, 10).await?;
    drop(fixture);
    let fixture = opener.open("stays_removed").await?;
    let ends = StreamHead { seq: Seq(5), first: Seq(6), deleted: true };
    ensure_equal("the ends of the deleted stream", &fixture.store.head(&scope, &key).await?, &ends)?;
    ensure_equal("its events", &fixture.read_all(&scope, &key, Seq::ZERO).await?.len(), &0)?;
    ensure_equal("its receipt", &fixture.store.receipt(&scope, &once).await?, &None)?;
    ensure_equal("dataset events", &fixture.list_events(&scope, &EventFilter::default()).await?.len(), &0)?;
    match fixture.commit(&scope, fixture.new_batch().expect_stream(key.clone())).await {
        Err(CommitError::Precondition { failed: FailedPrecondition::Deleted { .. }, .. }) => {}
        answer => return Err(CaseFailure::new(format!("the deleted stream after reopening: {answer:?}"))),
    }
    fixture.ensure_scope_empty(&gone, &[key], Some(&once)).await?;
    let receipt = fixture.commit(&scope, fixture.new_batch().record(fixture.dataset_event(&scope, "desk")?)).await?;
    ensure_equal("the place of the next event", &receipt.recorded, &super::fixture::kept_outcomes([2]))?;
    Ok(CaseOutcome::Passed)
}
