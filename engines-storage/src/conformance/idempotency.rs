//! Idempotency: a key takes effect once.

use engines_core::{
    Batch, DocId, Scope,
    event::EventFilter,
    nexus::{CommitError, EventOutcome, Expect, ExpectedHead, Failed, Once, Receipt},
    stream::Seq,
};

use super::{
    Bench, Failure, Outcome, Verdict,
    batches::refused_at,
    bench::{NOTE, canvas, kept, note, once, together},
    runner::Case,
    verdict::same,
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

fn command(bench: &Bench, scope: &Scope, once: Once) -> Result<Batch, Failure> {
    Ok(bench
        .batch()
        .append(canvas("c1")?, ExpectedHead::Seq(Seq::ZERO), bench.events_of(scope, 1..=2)?)
        .put(note("d1", 1)?, Expect::Absent)
        .record(bench.dataset(scope, "command")?)
        .audit(bench.audit(scope, "conformance.command", "canvas/c1")?)
        .once(once))
}

async fn ensure_once(bench: &Bench, scope: &Scope) -> Result<(), Failure> {
    same("events", &bench.read_all(scope, &canvas("c1")?, Seq::ZERO).await?.len(), &2)?;
    same("the document's version", &bench.get(scope, "d1").await?.map(|document| document.version), &Some(1))?;
    same("dataset events", &bench.recorded(scope, &EventFilter::default()).await?.len(), &1)?;
    same("audit records", &bench.audited(scope, &Default::default()).await?.len(), &1)?;
    same("the feed", &bench.fed(std::slice::from_ref(scope)).await?.len(), &1)
}

/// The same key and fingerprint again: the first receipt, marked as replayed, and nothing is written; also when the preconditions no
/// longer hold, and when the world has moved on.
pub async fn same_again(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    let mut key = once("canvas/c1", "k1", 1);
    same("a receipt of an unknown key", &bench.store.receipt(&scope, &key).await?, &None)?;
    key.note = "rev 2 \"quoted\"".into();
    let first = bench.commit(&scope, command(bench, &scope, key.clone())?).await?;
    same("the first receipt's note and replayed", &(&*first.note, first.replayed), &(&*key.note, false))?;
    let mut later = key.clone();
    later.note = "another note".into();
    for round in 0..3 {
        let again = bench.commit(&scope, command(bench, &scope, later.clone())?).await?;
        same("the receipt again", &again, &Receipt { replayed: true, ..first.clone() })?;
        ensure_once(bench, &scope).await?;
        let kept = bench.store.receipt(&scope, &once("canvas/c1", "k1", 77)).await?;
        let kept = kept.map(|(receipt, fingerprint)| (Receipt { replayed: false, ..receipt }, fingerprint));
        same("the kept receipt", &kept, &Some((first.clone(), [1; 32])))?;
        if round == 1 {
            let on = bench.batch().append(canvas("c2")?, ExpectedHead::Any, bench.events_of(&scope, [1])?);
            bench.commit(&scope, on).await?;
        }
    }
    Ok(Outcome::Passed)
}

/// The same key with another fingerprint is refused and writes nothing; the first receipt stays.
pub async fn other_body(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    let first = bench.commit(&scope, command(bench, &scope, once("r", "k", 1))?).await?;
    let other = bench
        .batch()
        .put(note("other", 1)?, Expect::Absent)
        .append(canvas("c1")?, ExpectedHead::Any, bench.events_of(&scope, [3])?)
        .record(bench.dataset(&scope, "other")?);
    match bench.commit(&scope, other.once(once("r", "k", 2))).await {
        Err(CommitError::IdempotencyMismatch) => {}
        answer => return Err(Failure::new(format!("wanted IdempotencyMismatch, got {answer:?}"))),
    }
    ensure_once(bench, &scope).await?;
    same("the other's document", &bench.get(&scope, "other").await?.is_none(), &true)?;
    let again = bench.commit(&scope, command(bench, &scope, once("r", "k", 1))?).await?;
    same("the receipt", &again, &Receipt { replayed: true, ..first })?;
    Ok(Outcome::Passed)
}

/// The same command many times at once: it takes effect once, and everybody gets the same receipt.
pub async fn all_at_once(bench: &Bench) -> Verdict {
    for _ in 0..bench.settings.rounds {
        let scope = bench.scope()?;
        let receipts = together((0..bench.settings.writers).map(|_| {
            let (bench, scope) = (bench.clone(), scope.clone());
            async move {
                let batch = command(&bench, &scope, once("r", "k", 1))?;
                Ok(bench.commit(&scope, batch).await?)
            }
        }))
        .await?;
        ensure_once(bench, &scope).await?;
        same("those who did it", &receipts.iter().filter(|receipt| !receipt.replayed).count(), &1)?;
        let first = Receipt { replayed: false, ..receipts[0].clone() };
        for receipt in receipts {
            same("a receipt", &Receipt { replayed: false, ..receipt }, &first)?;
        }
    }
    Ok(Outcome::Passed)
}

/// A batch that fails leaves its key free, for another body too.
pub async fn failure_does_not_burn_the_key(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    bench.commit(&scope, bench.batch().put(note("d1", 0)?, Expect::Absent)).await?;
    let wanted = Failed::Document { kind: NOTE, id: engines_core::DocId::new("d1")?, version: Some(1) };
    refused_at("the command", bench.commit(&scope, command(bench, &scope, once("r", "k", 1))?).await, 1, &wanted)?;
    same("the receipt of a failure", &bench.store.receipt(&scope, &once("r", "k", 1)).await?, &None)?;
    let id = engines_core::DocId::new("d1")?;
    bench.commit(&scope, bench.batch().delete(NOTE, id, Expect::Present)).await?;
    let receipt = bench.commit(&scope, command(bench, &scope, once("r", "k", 2))?).await?;
    same("replayed", &receipt.replayed, &false)?;
    ensure_once(bench, &scope).await?;
    Ok(Outcome::Passed)
}

/// One key in two realms, and in two scopes, are two keys.
pub async fn keys_belong_to_realms_and_scopes(bench: &Bench) -> Verdict {
    let scopes = [bench.scope()?, bench.scope()?];
    for scope in &scopes {
        for realm in ["canvas/c1", "canvas/c2", ""] {
            let batch = bench.batch().append(canvas("c")?, ExpectedHead::Any, bench.events_of(scope, [1])?);
            let receipt = bench.commit(scope, batch.once(once(realm, "k", realm.len() as u8))).await?;
            same(&format!("replayed in realm {realm:?}"), &receipt.replayed, &false)?;
        }
        same("events", &bench.store.head(scope, &canvas("c")?).await?.seq, &Seq(3))?;
    }
    Ok(Outcome::Passed)
}

/// Events with keys of their own in one batch: each is kept once, the others of the batch are not touched by it, and it does not
/// matter whether a key came with an event or with a batch of one.
pub async fn events_of_one_batch(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    let key = |name: &str, print: u8| Once { note: format!("first {name}"), ..once("r", name, print) };
    let event = || bench.dataset(&scope, "batch");
    let replayed = |seq, name: &str| EventOutcome::Replayed { seq: Seq(seq), note: format!("first {name}") };
    let alone = bench.commit(&scope, bench.batch().record(event()?).once(key("alone", 1))).await?;
    same("the event of a batch of its own", &alone.recorded, &kept(1..=1))?;
    // New, without a key, the second of its kind, new, known from a batch, the same key for something else.
    let batch = bench
        .batch()
        .record_once(event()?, key("a", 1))
        .record(event()?)
        .record_once(event()?, Once { note: "second".into(), ..key("a", 1) })
        .record_once(event()?, key("b", 1))
        .record_once(event()?, Once { note: "second".into(), ..key("alone", 1) })
        .record_once(event()?, key("a", 2))
        .record_once(event()?, key("alone", 2))
        .put(note("d1", 1)?, Expect::Absent);
    let receipt = bench.commit(&scope, batch).await?;
    let [two, three, four] = [2, 3, 4].map(|place| EventOutcome::Kept(Seq(place)));
    let wanted =
        vec![two, three, replayed(2, "a"), four, replayed(1, "alone"), EventOutcome::Mismatch, EventOutcome::Mismatch];
    same("what became of the events", &receipt.recorded, &wanted)?;
    same("the batch", &(receipt.replayed, receipt.versions), &(false, vec![1]))?;
    same("events", &bench.recorded(&scope, &EventFilter::default()).await?.len(), &4)?;
    same("the feed", &bench.fed(std::slice::from_ref(&scope)).await?.len(), &4)?;
    // The other way round.
    let again = bench.commit(&scope, bench.batch().record(event()?).once(key("b", 1))).await?;
    same(
        "the batch of a known event",
        &(again.replayed, again.recorded, &*again.note),
        &(true, kept(4..=4), "first b"),
    )?;
    let kept_receipt = bench.store.receipt(&scope, &key("a", 9)).await?;
    same(
        "the receipt of an event's key",
        &kept_receipt.map(|(first, print)| (first.recorded, print)),
        &Some((kept(2..=2), [1; 32])),
    )?;
    // A batch that fails leaves its keys unused.
    let failing = bench.batch().record_once(event()?, key("c", 1)).put(note("d1", 2)?, Expect::Absent);
    let found = Failed::Document { kind: NOTE, id: DocId::new("d1")?, version: Some(1) };
    refused_at("a batch whose document is there", bench.commit(&scope, failing).await, 1, &found)?;
    let fine = bench.commit(&scope, bench.batch().record_once(event()?, key("c", 2))).await?;
    same("the event of an unused key", &fine.recorded, &kept(5..=5))?;
    // Realms and scopes keep their keys apart.
    let realm = Once { realm: "other".into(), ..key("a", 3) };
    same(
        "another realm",
        &bench.commit(&scope, bench.batch().record_once(event()?, realm)).await?.recorded,
        &kept(6..=6),
    )?;
    let other = bench.scope()?;
    let batch = bench.batch().record_once(bench.dataset(&other, "batch")?, key("a", 3));
    same("another scope", &bench.commit(&other, batch).await?.recorded, &kept(1..=1))?;
    Ok(Outcome::Passed)
}

/// Many batches at once with overlapping keys: each event is kept once, and everybody is told the same place.
pub async fn events_at_once(bench: &Bench) -> Verdict {
    let keys: u64 = 12;
    for _ in 0..bench.settings.rounds {
        let scope = bench.scope()?;
        let told = together((0..bench.settings.writers as u64).map(|writer| {
            let (bench, scope) = (bench.clone(), scope.clone());
            async move {
                let mut batch = bench.batch();
                for n in 0..keys {
                    let key = (n + writer) % keys;
                    batch = batch.record_once(bench.dataset(&scope, "race")?, once("r", &key.to_string(), 1));
                }
                let receipt = bench.commit(&scope, batch).await?;
                let mut places: Vec<_> = receipt.recorded.iter().map(EventOutcome::seq).collect();
                // In the order of the keys.
                places.rotate_right(usize::try_from(writer % keys).unwrap_or_default());
                Ok(places)
            }
        }))
        .await?;
        for places in &told {
            same("the places everybody is told", places, &told[0])?;
        }
        let recorded = bench.recorded(&scope, &EventFilter::default()).await?;
        let places: Vec<_> = recorded.iter().map(|event| event.seq.0).collect();
        same("places", &places, &(1..=keys).collect::<Vec<_>>())?;
    }
    Ok(Outcome::Passed)
}
