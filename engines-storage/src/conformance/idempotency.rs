//! Idempotency: a batch with a key takes effect once.

use engines_core::{
    Batch, DocId, Scope,
    event::EventFilter,
    nexus::{CommitError, CommitReceipt, EventOutcome, Expect, ExpectedHead, FailedPrecondition, Idempotency},
    stream::Seq,
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    assertions::expect_failure_at,
    case::Case,
    fixture::{NOTE, canvas, idempotency, kept_outcomes, note, run_concurrently},
    report::ensure_equal,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("idempotency::same_key_replays", |fixture| Box::pin(same_key_replays(fixture))),
        Case::store("idempotency::other_body", |fixture| Box::pin(other_body(fixture))),
        Case::store("idempotency::all_at_once", |fixture| Box::pin(all_at_once(fixture))),
        Case::store("idempotency::failure_does_not_burn_the_key", |fixture| {
            Box::pin(failure_does_not_burn_the_key(fixture))
        }),
        Case::store("idempotency::events_of_one_batch", |fixture| Box::pin(events_of_one_batch(fixture))),
        Case::store("idempotency::events_at_once", |fixture| Box::pin(events_at_once(fixture))),
        Case::store("idempotency::keys_belong_to_realms_and_scopes", |fixture| {
            Box::pin(keys_belong_to_realms_and_scopes(fixture))
        }),
    ]
}

fn command_batch(fixture: &Fixture, scope: &Scope, once: Idempotency) -> Result<Batch, CaseFailure> {
    Ok(fixture
        .new_batch()
        .append(canvas("c1")?, ExpectedHead::Seq(Seq::ZERO), fixture.new_events(scope, 1..=2)?)
        .put(note("d1", 1)?, Expect::Absent)
        .record(fixture.dataset_event(scope, "command")?)
        .audit(fixture.audit_entry(scope, "conformance.command", "canvas/c1")?)
        .with_idempotency(once))
}

async fn ensure_applied_once(fixture: &Fixture, scope: &Scope) -> Result<(), CaseFailure> {
    ensure_equal("events", &fixture.read_all(scope, &canvas("c1")?, Seq::ZERO).await?.len(), &2)?;
    ensure_equal(
        "the document's version",
        &fixture.get(scope, "d1").await?.map(|document| document.version),
        &Some(1),
    )?;
    ensure_equal("dataset events", &fixture.list_events(scope, &EventFilter::default()).await?.len(), &1)?;
    ensure_equal("audit records", &fixture.list_audit(scope, &Default::default()).await?.len(), &1)?;
    ensure_equal("the feed", &fixture.read_feed(std::slice::from_ref(scope)).await?.len(), &1)
}

/// The same key with the same fingerprint returns the first receipt, marked as replayed, and writes nothing; also
/// when the preconditions do not hold any more, and after other writes.
pub async fn same_key_replays(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let mut key = idempotency("canvas/c1", "k1", 1);
    ensure_equal("a receipt of an unknown key", &fixture.store.receipt(&scope, &key).await?, &None)?;
    key.note = "rev 2 \"quoted\"".into();
    let first = fixture.commit(&scope, command_batch(fixture, &scope, key.clone())?).await?;
    ensure_equal("the first receipt's note and replayed", &(&*first.note, first.replayed), &(&*key.note, false))?;
    let mut later = key.clone();
    later.note = "another note".into();
    for round in 0..3 {
        let again = fixture.commit(&scope, command_batch(fixture, &scope, later.clone())?).await?;
        ensure_equal("the receipt again", &again, &CommitReceipt { replayed: true, ..first.clone() })?;
        ensure_applied_once(fixture, &scope).await?;
        let kept = fixture.store.receipt(&scope, &idempotency("canvas/c1", "k1", 77)).await?;
        let kept = kept.map(|(receipt, fingerprint)| (CommitReceipt { replayed: false, ..receipt }, fingerprint));
        ensure_equal("the kept receipt", &kept, &Some((first.clone(), [1; 32])))?;
        if round == 1 {
            let on = fixture.new_batch().append(canvas("c2")?, ExpectedHead::Any, fixture.new_events(&scope, [1])?);
            fixture.commit(&scope, on).await?;
        }
    }
    Ok(CaseOutcome::Passed)
}

/// The same key with another fingerprint is rejected and writes nothing; the first receipt stays.
pub async fn other_body(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let first = fixture.commit(&scope, command_batch(fixture, &scope, idempotency("r", "k", 1))?).await?;
    let other = fixture
        .new_batch()
        .put(note("other", 1)?, Expect::Absent)
        .append(canvas("c1")?, ExpectedHead::Any, fixture.new_events(&scope, [3])?)
        .record(fixture.dataset_event(&scope, "other")?);
    match fixture.commit(&scope, other.with_idempotency(idempotency("r", "k", 2))).await {
        Err(CommitError::IdempotencyMismatch) => {}
        answer => return Err(CaseFailure::new(format!("wanted IdempotencyMismatch, got {answer:?}"))),
    }
    ensure_applied_once(fixture, &scope).await?;
    ensure_equal("the other's document", &fixture.get(&scope, "other").await?.is_none(), &true)?;
    let again = fixture.commit(&scope, command_batch(fixture, &scope, idempotency("r", "k", 1))?).await?;
    ensure_equal("the receipt", &again, &CommitReceipt { replayed: true, ..first })?;
    Ok(CaseOutcome::Passed)
}

/// Many concurrent commits of the same command take effect once and return the same receipt.
pub async fn all_at_once(fixture: &Fixture) -> CaseResult {
    for _ in 0..fixture.settings.rounds {
        let scope = fixture.new_scope()?;
        let receipts = run_concurrently((0..fixture.settings.writers).map(|_| {
            let (fixture, scope) = (fixture.clone(), scope.clone());
            async move {
                let batch = command_batch(&fixture, &scope, idempotency("r", "k", 1))?;
                Ok(fixture.commit(&scope, batch).await?)
            }
        }))
        .await?;
        ensure_applied_once(fixture, &scope).await?;
        ensure_equal("those who did it", &receipts.iter().filter(|receipt| !receipt.replayed).count(), &1)?;
        let first = CommitReceipt { replayed: false, ..receipts[0].clone() };
        for receipt in receipts {
            ensure_equal("a receipt", &CommitReceipt { replayed: false, ..receipt }, &first)?;
        }
    }
    Ok(CaseOutcome::Passed)
}

/// A batch that fails leaves its key unused; the key can then be used with another fingerprint.
pub async fn failure_does_not_burn_the_key(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    fixture.commit(&scope, fixture.new_batch().put(note("d1", 0)?, Expect::Absent)).await?;
    let wanted = FailedPrecondition::Document { kind: NOTE, id: engines_core::DocId::new("d1")?, version: Some(1) };
    expect_failure_at(
        "the command",
        fixture.commit(&scope, command_batch(fixture, &scope, idempotency("r", "k", 1))?).await,
        1,
        &wanted,
    )?;
    ensure_equal("the receipt of a failure", &fixture.store.receipt(&scope, &idempotency("r", "k", 1)).await?, &None)?;
    let id = engines_core::DocId::new("d1")?;
    fixture.commit(&scope, fixture.new_batch().delete(NOTE, id, Expect::Present)).await?;
    let receipt = fixture.commit(&scope, command_batch(fixture, &scope, idempotency("r", "k", 2))?).await?;
    ensure_equal("replayed", &receipt.replayed, &false)?;
    ensure_applied_once(fixture, &scope).await?;
    Ok(CaseOutcome::Passed)
}

/// The same key in two namespaces, or in two scopes, is two keys.
pub async fn keys_belong_to_realms_and_scopes(fixture: &Fixture) -> CaseResult {
    let scopes = [fixture.new_scope()?, fixture.new_scope()?];
    for scope in &scopes {
        for realm in ["canvas/c1", "canvas/c2", ""] {
            let batch = fixture.new_batch().append(canvas("c")?, ExpectedHead::Any, fixture.new_events(scope, [1])?);
            let receipt =
                fixture.commit(scope, batch.with_idempotency(idempotency(realm, "k", realm.len() as u8))).await?;
            ensure_equal(&format!("replayed in realm {realm:?}"), &receipt.replayed, &false)?;
        }
        ensure_equal("events", &fixture.store.head(scope, &canvas("c")?).await?.seq, &Seq(3))?;
    }
    Ok(CaseOutcome::Passed)
}

/// Events of one batch may have their own keys. Each key stores one event and does not affect the other events of the
/// batch. It makes no difference whether a key was used for an event or for a batch with one event.
pub async fn events_of_one_batch(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let key = |name: &str, print: u8| Idempotency { note: format!("first {name}"), ..idempotency("r", name, print) };
    let event = || fixture.dataset_event(&scope, "batch");
    let replayed = |seq, name: &str| EventOutcome::Replayed { seq: Seq(seq), note: format!("first {name}") };
    let alone = fixture.commit(&scope, fixture.new_batch().record(event()?).with_idempotency(key("alone", 1))).await?;
    ensure_equal("the event of a batch of its own", &alone.recorded, &kept_outcomes(1..=1))?;
    // In this order: new, without a key, repeated in this batch, new, used by an earlier batch, used with another
    // fingerprint.
    let batch = fixture
        .new_batch()
        .record_idempotent(event()?, key("a", 1))
        .record(event()?)
        .record_idempotent(event()?, Idempotency { note: "second".into(), ..key("a", 1) })
        .record_idempotent(event()?, key("b", 1))
        .record_idempotent(event()?, Idempotency { note: "second".into(), ..key("alone", 1) })
        .record_idempotent(event()?, key("a", 2))
        .record_idempotent(event()?, key("alone", 2))
        .put(note("d1", 1)?, Expect::Absent);
    let receipt = fixture.commit(&scope, batch).await?;
    let [two, three, four] = [2, 3, 4].map(|place| EventOutcome::Kept(Seq(place)));
    let wanted =
        vec![two, three, replayed(2, "a"), four, replayed(1, "alone"), EventOutcome::Mismatch, EventOutcome::Mismatch];
    ensure_equal("what became of the events", &receipt.recorded, &wanted)?;
    ensure_equal("the batch", &(receipt.replayed, receipt.versions), &(false, vec![1]))?;
    ensure_equal("events", &fixture.list_events(&scope, &EventFilter::default()).await?.len(), &4)?;
    ensure_equal("the feed", &fixture.read_feed(std::slice::from_ref(&scope)).await?.len(), &4)?;
    // The reverse: a batch with the key of an event.
    let again = fixture.commit(&scope, fixture.new_batch().record(event()?).with_idempotency(key("b", 1))).await?;
    ensure_equal(
        "the batch of a known event",
        &(again.replayed, again.recorded, &*again.note),
        &(true, kept_outcomes(4..=4), "first b"),
    )?;
    let kept_receipt = fixture.store.receipt(&scope, &key("a", 9)).await?;
    ensure_equal(
        "the receipt of an event's key",
        &kept_receipt.map(|(first, print)| (first.recorded, print)),
        &Some((kept_outcomes(2..=2), [1; 32])),
    )?;
    // A batch that fails leaves its keys unused.
    let failing = fixture.new_batch().record_idempotent(event()?, key("c", 1)).put(note("d1", 2)?, Expect::Absent);
    let found = FailedPrecondition::Document { kind: NOTE, id: DocId::new("d1")?, version: Some(1) };
    expect_failure_at("a batch whose document is there", fixture.commit(&scope, failing).await, 1, &found)?;
    let fine = fixture.commit(&scope, fixture.new_batch().record_idempotent(event()?, key("c", 2))).await?;
    ensure_equal("the event of an unused key", &fine.recorded, &kept_outcomes(5..=5))?;
    // Namespaces and scopes separate keys.
    let realm = Idempotency { namespace: "other".into(), ..key("a", 3) };
    ensure_equal(
        "another realm",
        &fixture.commit(&scope, fixture.new_batch().record_idempotent(event()?, realm)).await?.recorded,
        &kept_outcomes(6..=6),
    )?;
    let other = fixture.new_scope()?;
    let batch = fixture.new_batch().record_idempotent(fixture.dataset_event(&other, "batch")?, key("a", 3));
    ensure_equal("another scope", &fixture.commit(&other, batch).await?.recorded, &kept_outcomes(1..=1))?;
    Ok(CaseOutcome::Passed)
}

/// Many concurrent batches with overlapping keys: each event is stored once, and every receipt states the same
/// sequence.
pub async fn events_at_once(fixture: &Fixture) -> CaseResult {
    let keys: u64 = 12;
    for _ in 0..fixture.settings.rounds {
        let scope = fixture.new_scope()?;
        let told = run_concurrently((0..fixture.settings.writers as u64).map(|writer| {
            let (fixture, scope) = (fixture.clone(), scope.clone());
            async move {
                let mut batch = fixture.new_batch();
                for n in 0..keys {
                    let key = (n + writer) % keys;
                    batch = batch.record_idempotent(
                        fixture.dataset_event(&scope, "race")?,
                        idempotency("r", &key.to_string(), 1),
                    );
                }
                let receipt = fixture.commit(&scope, batch).await?;
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
        let recorded = fixture.list_events(&scope, &EventFilter::default()).await?;
        let places: Vec<_> = recorded.iter().map(|event| event.seq.0).collect();
        ensure_equal("places", &places, &(1..=keys).collect::<Vec<_>>())?;
    }
    Ok(CaseOutcome::Passed)
}
