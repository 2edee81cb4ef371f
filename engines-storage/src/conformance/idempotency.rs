//! Idempotency: a batch with a key takes effect once.

use engines_core::{
    Batch, DocId, Scope,
    event::EventFilter,
    nexus::{CommitError, CommitReceipt, EventOutcome, Expect, ExpectedHead, FailedPrecondition, Idempotency},
    stream::Seq,
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    batches::expect_failure_at,
    fixture::{NOTE, canvas, idempotency, kept_outcomes, note, run_concurrently},
    report::ensure_equal,
    runner::Case,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("idempotency::same_again", |bench| Box::pin(same_again(bench))),
        Case::store("idempotency::other_body", |bench| Box::pin(other_body(bench))),
        Case::store("idempotency::all_at_once", |bench| Box::pin(all_at_once(bench))),
        Case::store("idempotency::failure_does_not_burn_the_key", |bench| {
            Box::pin(failure_does_not_burn_the_key(bench))
        }),
        Case::store("idempotency::events_of_one_batch", |bench| Box::pin(events_of_one_batch(bench))),
        Case::store("idempotency::events_at_once", |bench| Box::pin(events_at_once(bench))),
        Case::store("idempotency::keys_belong_to_realms_and_scopes", |bench| {
            Box::pin(keys_belong_to_realms_and_scopes(bench))
        }),
    ]
}

fn command_batch(bench: &Fixture, scope: &Scope, once: Idempotency) -> Result<Batch, CaseFailure> {
    Ok(bench
        .new_batch()
        .append(canvas("c1")?, ExpectedHead::Seq(Seq::ZERO), bench.new_events(scope, 1..=2)?)
        .put(note("d1", 1)?, Expect::Absent)
        .record(bench.dataset_event(scope, "command")?)
        .audit(bench.audit_entry(scope, "conformance.command", "canvas/c1")?)
        .with_idempotency(once))
}

async fn ensure_applied_once(bench: &Fixture, scope: &Scope) -> Result<(), CaseFailure> {
    ensure_equal("events", &bench.read_all(scope, &canvas("c1")?, Seq::ZERO).await?.len(), &2)?;
    ensure_equal("the document's version", &bench.get(scope, "d1").await?.map(|document| document.version), &Some(1))?;
    ensure_equal("dataset events", &bench.list_events(scope, &EventFilter::default()).await?.len(), &1)?;
    ensure_equal("audit records", &bench.list_audit(scope, &Default::default()).await?.len(), &1)?;
    ensure_equal("the feed", &bench.read_feed(std::slice::from_ref(scope)).await?.len(), &1)
}

/// The same key with the same fingerprint returns the first receipt, marked as replayed, and writes nothing; also
/// when the preconditions do not hold any more, and after other writes.
pub async fn same_again(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let mut key = idempotency("canvas/c1", "k1", 1);
    ensure_equal("a receipt of an unknown key", &bench.store.receipt(&scope, &key).await?, &None)?;
    key.note = "rev 2 \"quoted\"".into();
    let first = bench.commit(&scope, command_batch(bench, &scope, key.clone())?).await?;
    ensure_equal("the first receipt's note and replayed", &(&*first.note, first.replayed), &(&*key.note, false))?;
    let mut later = key.clone();
    later.note = "another note".into();
    for round in 0..3 {
        let again = bench.commit(&scope, command_batch(bench, &scope, later.clone())?).await?;
        ensure_equal("the receipt again", &again, &CommitReceipt { replayed: true, ..first.clone() })?;
        ensure_applied_once(bench, &scope).await?;
        let kept = bench.store.receipt(&scope, &idempotency("canvas/c1", "k1", 77)).await?;
        let kept = kept.map(|(receipt, fingerprint)| (CommitReceipt { replayed: false, ..receipt }, fingerprint));
        ensure_equal("the kept receipt", &kept, &Some((first.clone(), [1; 32])))?;
        if round == 1 {
            let on = bench.new_batch().append(canvas("c2")?, ExpectedHead::Any, bench.new_events(&scope, [1])?);
            bench.commit(&scope, on).await?;
        }
    }
    Ok(CaseOutcome::Passed)
}

/// The same key with another fingerprint is rejected and writes nothing; the first receipt stays.
pub async fn other_body(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let first = bench.commit(&scope, command_batch(bench, &scope, idempotency("r", "k", 1))?).await?;
    let other = bench
        .new_batch()
        .put(note("other", 1)?, Expect::Absent)
        .append(canvas("c1")?, ExpectedHead::Any, bench.new_events(&scope, [3])?)
        .record(bench.dataset_event(&scope, "other")?);
    match bench.commit(&scope, other.with_idempotency(idempotency("r", "k", 2))).await {
        Err(CommitError::IdempotencyMismatch) => {}
        answer => return Err(CaseFailure::new(format!("wanted IdempotencyMismatch, got {answer:?}"))),
    }
    ensure_applied_once(bench, &scope).await?;
    ensure_equal("the other's document", &bench.get(&scope, "other").await?.is_none(), &true)?;
    let again = bench.commit(&scope, command_batch(bench, &scope, idempotency("r", "k", 1))?).await?;
    ensure_equal("the receipt", &again, &CommitReceipt { replayed: true, ..first })?;
    Ok(CaseOutcome::Passed)
}

/// Many concurrent commits of the same command take effect once and return the same receipt.
pub async fn all_at_once(bench: &Fixture) -> CaseResult {
    for _ in 0..bench.settings.rounds {
        let scope = bench.new_scope()?;
        let receipts = run_concurrently((0..bench.settings.writers).map(|_| {
            let (bench, scope) = (bench.clone(), scope.clone());
            async move {
                let batch = command_batch(&bench, &scope, idempotency("r", "k", 1))?;
                Ok(bench.commit(&scope, batch).await?)
            }
        }))
        .await?;
        ensure_applied_once(bench, &scope).await?;
        ensure_equal("those who did it", &receipts.iter().filter(|receipt| !receipt.replayed).count(), &1)?;
        let first = CommitReceipt { replayed: false, ..receipts[0].clone() };
        for receipt in receipts {
            ensure_equal("a receipt", &CommitReceipt { replayed: false, ..receipt }, &first)?;
        }
    }
    Ok(CaseOutcome::Passed)
}

/// A batch that fails leaves its key unused; the key can then be used with another fingerprint.
pub async fn failure_does_not_burn_the_key(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    bench.commit(&scope, bench.new_batch().put(note("d1", 0)?, Expect::Absent)).await?;
    let wanted = FailedPrecondition::Document { kind: NOTE, id: engines_core::DocId::new("d1")?, version: Some(1) };
    expect_failure_at(
        "the command",
        bench.commit(&scope, command_batch(bench, &scope, idempotency("r", "k", 1))?).await,
        1,
        &wanted,
    )?;
    ensure_equal("the receipt of a failure", &bench.store.receipt(&scope, &idempotency("r", "k", 1)).await?, &None)?;
    let id = engines_core::DocId::new("d1")?;
    bench.commit(&scope, bench.new_batch().delete(NOTE, id, Expect::Present)).await?;
    let receipt = bench.commit(&scope, command_batch(bench, &scope, idempotency("r", "k", 2))?).await?;
    ensure_equal("replayed", &receipt.replayed, &false)?;
    ensure_applied_once(bench, &scope).await?;
    Ok(CaseOutcome::Passed)
}

/// The same key in two namespaces, or in two scopes, is two keys.
pub async fn keys_belong_to_realms_and_scopes(bench: &Fixture) -> CaseResult {
    let scopes = [bench.new_scope()?, bench.new_scope()?];
    for scope in &scopes {
        for realm in ["canvas/c1", "canvas/c2", ""] {
            let batch = bench.new_batch().append(canvas("c")?, ExpectedHead::Any, bench.new_events(scope, [1])?);
            let receipt =
                bench.commit(scope, batch.with_idempotency(idempotency(realm, "k", realm.len() as u8))).await?;
            ensure_equal(&format!("replayed in realm {realm:?}"), &receipt.replayed, &false)?;
        }
        ensure_equal("events", &bench.store.head(scope, &canvas("c")?).await?.seq, &Seq(3))?;
    }
    Ok(CaseOutcome::Passed)
}

/// Events of one batch may have their own keys. Each key stores one event and does not affect the other events of the
/// batch. It makes no difference whether a key was used for an event or for a batch with one event.
pub async fn events_of_one_batch(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let key = |name: &str, print: u8| Idempotency { note: format!("first {name}"), ..idempotency("r", name, print) };
    let event = || bench.dataset_event(&scope, "batch");
    let replayed = |seq, name: &str| EventOutcome::Replayed { seq: Seq(seq), note: format!("first {name}") };
    let alone = bench.commit(&scope, bench.new_batch().record(event()?).with_idempotency(key("alone", 1))).await?;
    ensure_equal("the event of a batch of its own", &alone.recorded, &kept_outcomes(1..=1))?;
    // In this order: new, without a key, repeated in this batch, new, used by an earlier batch, used with another
    // fingerprint.
    let batch = bench
        .new_batch()
        .record_idempotent(event()?, key("a", 1))
        .record(event()?)
        .record_idempotent(event()?, Idempotency { note: "second".into(), ..key("a", 1) })
        .record_idempotent(event()?, key("b", 1))
        .record_idempotent(event()?, Idempotency { note: "second".into(), ..key("alone", 1) })
        .record_idempotent(event()?, key("a", 2))
        .record_idempotent(event()?, key("alone", 2))
        .put(note("d1", 1)?, Expect::Absent);
    let receipt = bench.commit(&scope, batch).await?;
    let [two, three, four] = [2, 3, 4].map(|place| EventOutcome::Kept(Seq(place)));
    let wanted =
        vec![two, three, replayed(2, "a"), four, replayed(1, "alone"), EventOutcome::Mismatch, EventOutcome::Mismatch];
    ensure_equal("what became of the events", &receipt.recorded, &wanted)?;
    ensure_equal("the batch", &(receipt.replayed, receipt.versions), &(false, vec![1]))?;
    ensure_equal("events", &bench.list_events(&scope, &EventFilter::default()).await?.len(), &4)?;
    ensure_equal("the feed", &bench.read_feed(std::slice::from_ref(&scope)).await?.len(), &4)?;
    // The reverse: a batch with the key of an event.
    let again = bench.commit(&scope, bench.new_batch().record(event()?).with_idempotency(key("b", 1))).await?;
    ensure_equal(
        "the batch of a known event",
        &(again.replayed, again.recorded, &*again.note),
        &(true, kept_outcomes(4..=4), "first b"),
    )?;
    let kept_receipt = bench.store.receipt(&scope, &key("a", 9)).await?;
    ensure_equal(
        "the receipt of an event's key",
        &kept_receipt.map(|(first, print)| (first.recorded, print)),
        &Some((kept_outcomes(2..=2), [1; 32])),
    )?;
    // A batch that fails leaves its keys unused.
    let failing = bench.new_batch().record_idempotent(event()?, key("c", 1)).put(note("d1", 2)?, Expect::Absent);
    let found = FailedPrecondition::Document { kind: NOTE, id: DocId::new("d1")?, version: Some(1) };
    expect_failure_at("a batch whose document is there", bench.commit(&scope, failing).await, 1, &found)?;
    let fine = bench.commit(&scope, bench.new_batch().record_idempotent(event()?, key("c", 2))).await?;
    ensure_equal("the event of an unused key", &fine.recorded, &kept_outcomes(5..=5))?;
    // Namespaces and scopes separate keys.
    let realm = Idempotency { namespace: "other".into(), ..key("a", 3) };
    ensure_equal(
        "another realm",
        &bench.commit(&scope, bench.new_batch().record_idempotent(event()?, realm)).await?.recorded,
        &kept_outcomes(6..=6),
    )?;
    let other = bench.new_scope()?;
    let batch = bench.new_batch().record_idempotent(bench.dataset_event(&other, "batch")?, key("a", 3));
    ensure_equal("another scope", &bench.commit(&other, batch).await?.recorded, &kept_outcomes(1..=1))?;
    Ok(CaseOutcome::Passed)
}

/// Many concurrent batches with overlapping keys: each event is stored once, and every receipt states the same
/// sequence.
pub async fn events_at_once(bench: &Fixture) -> CaseResult {
    let keys: u64 = 12;
    for _ in 0..bench.settings.rounds {
        let scope = bench.new_scope()?;
        let told = run_concurrently((0..bench.settings.writers as u64).map(|writer| {
            let (bench, scope) = (bench.clone(), scope.clone());
            async move {
                let mut batch = bench.new_batch();
                for n in 0..keys {
                    let key = (n + writer) % keys;
                    batch = batch
                        .record_idempotent(bench.dataset_event(&scope, "race")?, idempotency("r", &key.to_string(), 1));
                }
                let receipt = bench.commit(&scope, batch).await?;
                let mut places: Vec<_> = receipt.recorded.iter().map(EventOutcome::seq).collect();
                // Sort into the order of the keys.
                places.rotate_right(usize::try_from(writer % keys).unwrap_or_default());
                Ok(places)
            }
        }))
        .await?;
        for places in &told {
            ensure_equal("the places everybody is told", places, &told[0])?;
        }
        let recorded = bench.list_events(&scope, &EventFilter::default()).await?;
        let places: Vec<_> = recorded.iter().map(|event| event.seq.0).collect();
        ensure_equal("places", &places, &(1..=keys).collect::<Vec<_>>())?;
    }
    Ok(CaseOutcome::Passed)
}
