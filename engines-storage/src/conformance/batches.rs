//! Batches: atomic, whatever they contain and wherever they fail.

use engines_core::{
    Batch, DocId, Scope,
    audit::AuditFilter,
    event::EventFilter,
    nexus::{CommitError, DocumentQuery, Expect, ExpectedHead, FailedPrecondition},
    stream::Seq,
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    fixture::{NOTE, canvas, chat, idempotency, kept_outcomes, note, poll_once},
    report::{ensure, ensure_equal},
    runner::Case,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("batches::mixed_is_written", |bench| Box::pin(mixed_is_written(bench))),
        Case::store("batches::failing_anywhere_leaves_nothing", |bench| {
            Box::pin(failing_anywhere_leaves_nothing(bench))
        }),
        Case::store("batches::first_failure_is_named", |bench| Box::pin(first_failure_is_named(bench))),
        Case::store("batches::malformed_is_refused", |bench| Box::pin(malformed_is_refused(bench))),
        Case::store("batches::empty_is_fine", |bench| Box::pin(empty_is_fine(bench))),
        Case::store("batches::spanning", |bench| Box::pin(spanning(bench))),
        Case::store("batches::dropped_is_whole_or_nothing", |bench| Box::pin(dropped_is_whole_or_nothing(bench))),
    ]
}

/// A batch with every kind of write is stored completely, and its receipt lists the results in the batch's order.
pub async fn mixed_is_written(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    bench.commit(&scope, bench.new_batch().put(note("old", 1)?, Expect::Absent)).await?;
    let events = bench.new_events(&scope, 1..=3)?;
    let last_id = events[2].event_id;
    let mut once = idempotency("realm", "key", 1);
    once.note = "a note".into();
    let batch = bench
        .new_batch()
        .put(note("d1", 1)?, Expect::Absent)
        .append(canvas("c1")?, ExpectedHead::Seq(Seq::ZERO), events)
        .record(bench.dataset_event(&scope, "one")?)
        .delete(NOTE, DocId::new("old")?, Expect::Version(1))
        .audit(bench.audit_entry(&scope, "conformance.mixed", "canvas/c1")?)
        .append(chat("t1")?, ExpectedHead::Any, bench.new_events(&scope, [9])?)
        .record(bench.dataset_event(&scope, "two")?)
        .put(note("d2", 2)?, Expect::Any)
        .with_idempotency(once);
    let receipt = bench.commit(&scope, batch).await?;
    ensure_equal("versions", &receipt.versions, &vec![1, 0, 1])?;
    let appended: Vec<_> = receipt.appended.iter().map(|a| (a.key.as_str(), a.first.0, a.last.0)).collect();
    ensure_equal("appended", &appended, &vec![("canvas/c1", 1, 3), ("chat/t1", 1, 1)])?;
    ensure_equal("the id of the last event", &receipt.appended[0].event_id, &last_id)?;
    ensure_equal("recorded", &receipt.recorded, &kept_outcomes(1..=2))?;
    ensure_equal("note and replayed", &(receipt.note.as_str(), receipt.replayed), &("a note", false))?;
    let ids: Vec<_> = bench
        .list_all(&scope, &DocumentQuery::of_kind(NOTE), 10)
        .await?
        .into_iter()
        .map(|d| d.id.to_string())
        .collect();
    ensure_equal("documents", &ids, &vec!["d1", "d2"])?;
    ensure_equal("events of the canvas", &bench.read_all(&scope, &canvas("c1")?, Seq::ZERO).await?.len(), &3)?;
    ensure_equal("events of the thread", &bench.read_all(&scope, &chat("t1")?, Seq::ZERO).await?.len(), &1)?;
    ensure_equal("dataset events", &bench.list_events(&scope, &EventFilter::default()).await?.len(), &2)?;
    ensure_equal("audit records", &bench.list_audit(&scope, &AuditFilter::default()).await?.len(), &1)?;
    ensure_equal("events in the feed", &bench.read_feed(&[scope]).await?.len(), &2)?;
    Ok(CaseOutcome::Passed)
}

/// When a precondition of any kind fails at any position of a batch, nothing of the batch is stored or listed, and
/// its idempotency key stays unused.
pub async fn failing_anywhere_leaves_nothing(bench: &Fixture) -> CaseResult {
    const WRITES: usize = 6;
    let (good, bad) = (canvas("good")?, canvas("bad")?);
    let keys = [good.clone(), bad.clone()];
    for place in 0..=WRITES {
        for breaker in 0..4 {
            let scope = bench.new_scope()?;
            let break_it = |batch: Batch| -> Result<Batch, CaseFailure> {
                Ok(match breaker {
                    0 => batch.put(note("broken", 1)?, Expect::Version(7)),
                    1 => batch.put(note("broken", 1)?, Expect::Present),
                    2 => batch.delete(NOTE, DocId::new("broken")?, Expect::Present),
                    _ => batch.append(bad.clone(), ExpectedHead::Seq(Seq(5)), bench.new_events(&scope, [1])?),
                })
            };
            let once = idempotency("realm", "key", 1);
            let mut batch = bench.new_batch().with_idempotency(once.clone());
            for step in 0..=WRITES {
                if step == place {
                    batch = break_it(batch)?;
                }
                batch = match step {
                    0 => batch.put(note("d1", 1)?, Expect::Absent),
                    1 => batch.append(good.clone(), ExpectedHead::Any, bench.new_events(&scope, 1..=2)?),
                    2 => batch.record(bench.dataset_event(&scope, "nothing")?),
                    3 => batch.audit(bench.audit_entry(&scope, "conformance.nothing", "r")?),
                    4 => batch.delete(NOTE, DocId::new("absent")?, Expect::Any),
                    5 => batch.put(note("d2", 1)?, Expect::Any),
                    _ => batch,
                };
            }
            let what = format!("failing write {breaker} in place {place}");
            let wanted = match breaker {
                0..=2 => FailedPrecondition::Document { kind: NOTE, id: DocId::new("broken")?, version: None },
                _ => FailedPrecondition::Stream { key: bad.clone(), head: Seq::ZERO },
            };
            expect_failure_at(&what, bench.commit(&scope, batch).await, place, &wanted)?;
            bench
                .ensure_scope_empty(&scope, &keys, Some(&once))
                .await
                .map_err(|failure| CaseFailure::new(format!("{what}: {failure}")))?;
            let fine =
                bench.new_batch().put(note("d1", 1)?, Expect::Absent).record(bench.dataset_event(&scope, "fine")?);
            let receipt = bench.commit(&scope, fine.with_idempotency(once)).await?;
            ensure_equal(
                &what,
                &(receipt.versions, receipt.recorded, receipt.replayed),
                &(vec![1], kept_outcomes(1..=1), false),
            )?;
        }
    }
    Ok(CaseOutcome::Passed)
}

/// When several preconditions fail, the error names the first one in the batch's order.
pub async fn first_failure_is_named(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    bench
        .commit(&scope, bench.new_batch().append(canvas("c1")?, ExpectedHead::Any, bench.new_events(&scope, 1..=4)?))
        .await?;
    bench.commit(&scope, bench.new_batch().put(note("d1", 1)?, Expect::Absent)).await?;
    let stream_first = bench
        .new_batch()
        .record(bench.dataset_event(&scope, "never")?)
        .append(canvas("c1")?, ExpectedHead::Seq(Seq(3)), bench.new_events(&scope, [5])?)
        .put(note("d1", 2)?, Expect::Version(9));
    let stream = FailedPrecondition::Stream { key: canvas("c1")?, head: Seq(4) };
    expect_failure_at("the stream first", bench.commit(&scope, stream_first).await, 1, &stream)?;
    let document_first = bench.new_batch().put(note("d1", 2)?, Expect::Version(9)).append(
        canvas("c1")?,
        ExpectedHead::Seq(Seq(3)),
        bench.new_events(&scope, [5])?,
    );
    let document = FailedPrecondition::Document { kind: NOTE, id: DocId::new("d1")?, version: Some(1) };
    expect_failure_at("the document first", bench.commit(&scope, document_first).await, 0, &document)?;
    Ok(CaseOutcome::Passed)
}

/// A document or a stream twice in one batch, an append without events, or a write to the system scope in a batch
/// that is not spanning is rejected, and nothing is written.
pub async fn malformed_is_refused(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let (key, id) = (canvas("c1")?, DocId::new("d1")?);
    let one = || bench.new_events(&scope, [1]);
    let batches = [
        ("a document twice", bench.new_batch().put(note("d1", 1)?, Expect::Any).put(note("d1", 2)?, Expect::Any)),
        ("written and deleted", bench.new_batch().put(note("d1", 1)?, Expect::Any).delete(NOTE, id, Expect::Any)),
        (
            "a stream twice",
            bench.new_batch().append(key.clone(), ExpectedHead::Any, one()?).append(
                key.clone(),
                ExpectedHead::Any,
                one()?,
            ),
        ),
        (
            "appended and trimmed",
            bench.new_batch().append(key.clone(), ExpectedHead::Any, one()?).trim(key.clone(), Seq(1)),
        ),
        ("an append of nothing", bench.new_batch().append(key.clone(), ExpectedHead::Any, Vec::new())),
        ("the control plane", bench.new_batch().put_system(note(&bench.unique_word(), 1)?, Expect::Any)),
    ];
    for (what, batch) in batches {
        let batch = batch.record(bench.dataset_event(&scope, "never")?).audit(bench.audit_entry(
            &scope,
            "conformance.never",
            "r",
        )?);
        match bench.commit(&scope, batch).await {
            Err(CommitError::Refused(_)) => {}
            other => return Err(CaseFailure::new(format!("{what}: wanted Refused, got {other:?}"))),
        }
    }
    bench.ensure_scope_empty(&scope, &[key], None).await?;
    Ok(CaseOutcome::Passed)
}

/// A batch without writes succeeds and has no effect. With an idempotency key it stores a receipt.
pub async fn empty_is_fine(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let receipt = bench.commit(&scope, bench.new_batch()).await?;
    ensure_equal("the receipt of nothing", &receipt, &engines_core::nexus::CommitReceipt::default())?;
    bench.ensure_scope_empty(&scope, &[], None).await?;
    for replayed in [false, true] {
        let receipt = bench.commit(&scope, bench.new_batch().with_idempotency(idempotency("realm", "key", 1))).await?;
        ensure_equal("replayed", &receipt.replayed, &replayed)?;
    }
    Ok(CaseOutcome::Passed)
}

/// A spanning batch writes to its own scope and to the system scope atomically. Neither scope shows the other's data.
pub async fn spanning(bench: &Fixture) -> CaseResult {
    let (scope, system) = (bench.new_scope()?, Scope::system()?);
    let (user, member) = (bench.unique_word(), bench.unique_word());
    let join = |user_expects, member_expects| -> Result<Batch, CaseFailure> {
        Ok(Batch::spanning(bench.now())
            .put_system(note(&user, "user")?.tag("user"), user_expects)
            .put(note(&member, "member")?, member_expects)
            .append(canvas("c1")?, ExpectedHead::Any, bench.new_events(&scope, [1])?))
    };
    let failed = bench.commit(&scope, join(Expect::Absent, Expect::Present)?).await;
    let wanted = FailedPrecondition::Document { kind: NOTE, id: DocId::new(&member)?, version: None };
    expect_failure_at("a precondition of the own scope", failed, 1, &wanted)?;
    ensure(bench.get(&system, &user).await?.is_none(), || "half of a spanning batch was written".into())?;
    let failed = bench.commit(&scope, join(Expect::Version(4), Expect::Absent)?).await;
    let wanted = FailedPrecondition::Document { kind: NOTE, id: DocId::new(&user)?, version: None };
    expect_failure_at("a precondition of the control plane", failed, 0, &wanted)?;
    bench.ensure_scope_empty(&scope, &[canvas("c1")?], None).await?;

    ensure_equal(
        "versions",
        &bench.commit(&scope, join(Expect::Absent, Expect::Absent)?).await?.versions,
        &vec![1, 1],
    )?;
    for (home, other, id) in [(&system, &scope, &user), (&scope, &system, &member)] {
        ensure(bench.get(home, id).await?.is_some(), || format!("{id} is not in {home}"))?;
        ensure(bench.get(other, id).await?.is_none(), || format!("{id} shows in {other}"))?;
    }
    let head = bench.store.head(&system, &canvas("c1")?).await?.seq;
    ensure(head == Seq::ZERO, || "a spanning batch's append went to the control plane".into())?;

    // The same id in both scopes names two documents.
    let both = Batch::spanning(bench.now())
        .put_system(note(&user, "user again")?, Expect::Version(1))
        .put(note(&user, "own")?, Expect::Absent);
    ensure_equal("versions of one id twice", &bench.commit(&scope, both).await?.versions, &vec![2, 1])?;
    let out = Batch::spanning(bench.now()).delete_system(NOTE, DocId::new(&user)?, Expect::Version(2)).delete(
        NOTE,
        DocId::new(&user)?,
        Expect::Version(1),
    );
    ensure_equal("versions of deletions", &bench.commit(&scope, out).await?.versions, &vec![0, 0])?;
    for home in [&system, &scope] {
        ensure(bench.get(home, &user).await?.is_none(), || format!("a deleted document is still in {home}"))?;
    }
    Ok(CaseOutcome::Passed)
}

/// A commit whose future is dropped before it completes is stored completely or not at all, and the store keeps
/// working.
pub async fn dropped_is_whole_or_nothing(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let attempts = bench.settings.rounds * 8;
    for n in 0..attempts {
        let batch = bench
            .new_batch()
            .put(note(&format!("d{n}"), n)?, Expect::Absent)
            .append(canvas(&format!("c{n}"))?, ExpectedHead::Any, bench.new_events(&scope, [1])?)
            .record(bench.dataset_event(&scope, "dropped")?);
        let mut commit = bench.store.commit(&scope, batch);
        for _ in 0..n % 4 {
            if poll_once(&mut commit).await.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    let after = bench.commit(&scope, bench.new_batch().put(note("after", 1)?, Expect::Absent)).await?;
    ensure_equal("a commit after dropped ones", &after.versions, &vec![1])?;
    for n in 0..attempts {
        // The items are read in the order in which a batch stores them, so this also holds while a dropped commit is
        // in progress.
        let (id, key) = (format!("d{n}"), canvas(&format!("c{n}"))?);
        let event_first = bench.store.head(&scope, &key).await?.seq == Seq(1);
        let document = bench.get(&scope, &id).await?.is_some();
        let event_last = bench.store.head(&scope, &key).await?.seq == Seq(1);
        ensure((!event_first || document) && (!document || event_last), || format!("half of batch {n} was written"))?;
    }
    Ok(CaseOutcome::Passed)
}

/// Fails unless the commit failed at this write, for this reason.
#[track_caller]
pub(super) fn expect_failure_at<T: std::fmt::Debug>(
    what: &str,
    answer: Result<T, CommitError>,
    place: usize,
    wanted: &FailedPrecondition,
) -> Result<(), CaseFailure> {
    match answer {
        Err(CommitError::Precondition { index, failed }) if index == place && failed == *wanted => Ok(()),
        other => Err(CaseFailure::new(format!("{what}: wanted {wanted:?} at write {place}, got {other:?}"))),
    }
}
