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
    assertions::expect_failure_at,
    case::Case,
    fixture::{NOTE, canvas, chat, idempotency, kept_outcomes, note, poll_once},
    report::{ensure, ensure_equal},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("batches::mixed_is_written", |fixture| Box::pin(mixed_is_written(fixture))),
        Case::store("batches::failing_anywhere_leaves_nothing", |fixture| {
            Box::pin(failing_anywhere_leaves_nothing(fixture))
        }),
        Case::store("batches::first_failure_is_named", |fixture| Box::pin(first_failure_is_named(fixture))),
        Case::store("batches::malformed_is_refused", |fixture| Box::pin(malformed_is_refused(fixture))),
        Case::store("batches::empty_is_fine", |fixture| Box::pin(empty_is_fine(fixture))),
        Case::store("batches::spanning", |fixture| Box::pin(spanning(fixture))),
        Case::store("batches::dropped_is_whole_or_nothing", |fixture| Box::pin(dropped_is_whole_or_nothing(fixture))),
    ]
}

/// A batch with every kind of write is stored completely, and its receipt lists the results in the batch's order.
pub async fn mixed_is_written(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    fixture.commit(&scope, fixture.new_batch().put(note("old", 1)?, Expect::Absent)).await?;
    let events = fixture.new_events(&scope, 1..=3)?;
    let last_id = events[2].event_id;
    let mut once = idempotency("realm", "key", 1);
    once.note = "a note".into();
    let batch = fixture
        .new_batch()
        .put(note("d1", 1)?, Expect::Absent)
        .append(canvas("c1")?, ExpectedHead::Seq(Seq::ZERO), events)
        .record(fixture.dataset_event(&scope, "one")?)
        .delete(NOTE, DocId::new("old")?, Expect::Version(1))
        .audit(fixture.audit_entry(&scope, "conformance.mixed", "canvas/c1")?)
        .append(chat("t1")?, ExpectedHead::Any, fixture.new_events(&scope, [9])?)
        .record(fixture.dataset_event(&scope, "two")?)
        .put(note("d2", 2)?, Expect::Any)
        .with_idempotency(once);
    let receipt = fixture.commit(&scope, batch).await?;
    ensure_equal("versions", &receipt.versions, &vec![1, 0, 1])?;
    let appended: Vec<_> = receipt.appended.iter().map(|a| (a.key.as_str(), a.first.0, a.last.0)).collect();
    ensure_equal("appended", &appended, &vec![("canvas/c1", 1, 3), ("chat/t1", 1, 1)])?;
    ensure_equal("the id of the last event", &receipt.appended[0].event_id, &last_id)?;
    ensure_equal("recorded", &receipt.recorded, &kept_outcomes(1..=2))?;
    ensure_equal("note and replayed", &(receipt.note.as_str(), receipt.replayed), &("a note", false))?;
    let ids: Vec<_> = fixture
        .list_all(&scope, &DocumentQuery::of_kind(NOTE), 10)
        .await?
        .into_iter()
        .map(|d| d.id.to_string())
        .collect();
    ensure_equal("documents", &ids, &vec!["d1", "d2"])?;
    ensure_equal("events of the canvas", &fixture.read_all(&scope, &canvas("c1")?, Seq::ZERO).await?.len(), &3)?;
    ensure_equal("events of the thread", &fixture.read_all(&scope, &chat("t1")?, Seq::ZERO).await?.len(), &1)?;
    ensure_equal("dataset events", &fixture.list_events(&scope, &EventFilter::default()).await?.len(), &2)?;
    ensure_equal("audit records", &fixture.list_audit(&scope, &AuditFilter::default()).await?.len(), &1)?;
    ensure_equal("events in the feed", &fixture.read_feed(&[scope]).await?.len(), &2)?;
    Ok(CaseOutcome::Passed)
}

/// When a precondition of any kind fails at any position of a batch, nothing of the batch is stored or listed, and
/// its idempotency key stays unused.
pub async fn failing_anywhere_leaves_nothing(fixture: &Fixture) -> CaseResult {
    const WRITES: usize = 6;
    let (good, bad) = (canvas("good")?, canvas("bad")?);
    let keys = [good.clone(), bad.clone()];
    for place in 0..=WRITES {
        for breaker in 0..4 {
            let scope = fixture.new_scope()?;
            let break_it = |batch: Batch| -> Result<Batch, CaseFailure> {
                Ok(match breaker {
                    0 => batch.put(note("broken", 1)?, Expect::Version(7)),
                    1 => batch.put(note("broken", 1)?, Expect::Present),
                    2 => batch.delete(NOTE, DocId::new("broken")?, Expect::Present),
                    _ => batch.append(bad.clone(), ExpectedHead::Seq(Seq(5)), fixture.new_events(&scope, [1])?),
                })
            };
            let once = idempotency("realm", "key", 1);
            let mut batch = fixture.new_batch().with_idempotency(once.clone());
            for step in 0..=WRITES {
                if step == place {
                    batch = break_it(batch)?;
                }
                batch = match step {
                    0 => batch.put(note("d1", 1)?, Expect::Absent),
                    1 => batch.append(good.clone(), ExpectedHead::Any, fixture.new_events(&scope, 1..=2)?),
                    2 => batch.record(fixture.dataset_event(&scope, "nothing")?),
                    3 => batch.audit(fixture.audit_entry(&scope, "conformance.nothing", "r")?),
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
            expect_failure_at(&what, fixture.commit(&scope, batch).await, place, &wanted)?;
            fixture
                .ensure_scope_empty(&scope, &keys, Some(&once))
                .await
                .map_err(|failure| CaseFailure::new(format!("{what}: {failure}")))?;
            let fine =
                fixture.new_batch().put(note("d1", 1)?, Expect::Absent).record(fixture.dataset_event(&scope, "fine")?);
            let receipt = fixture.commit(&scope, fine.with_idempotency(once)).await?;
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
pub async fn first_failure_is_named(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    fixture
        .commit(
            &scope,
            fixture.new_batch().append(canvas("c1")?, ExpectedHead::Any, fixture.new_events(&scope, 1..=4)?),
        )
        .await?;
    fixture.commit(&scope, fixture.new_batch().put(note("d1", 1)?, Expect::Absent)).await?;
    let stream_first = fixture
        .new_batch()
        .record(fixture.dataset_event(&scope, "never")?)
        .append(canvas("c1")?, ExpectedHead::Seq(Seq(3)), fixture.new_events(&scope, [5])?)
        .put(note("d1", 2)?, Expect::Version(9));
    let stream = FailedPrecondition::Stream { key: canvas("c1")?, head: Seq(4) };
    expect_failure_at("the stream first", fixture.commit(&scope, stream_first).await, 1, &stream)?;
    let document_first = fixture.new_batch().put(note("d1", 2)?, Expect::Version(9)).append(
        canvas("c1")?,
        ExpectedHead::Seq(Seq(3)),
        fixture.new_events(&scope, [5])?,
    );
    let document = FailedPrecondition::Document { kind: NOTE, id: DocId::new("d1")?, version: Some(1) };
    expect_failure_at("the document first", fixture.commit(&scope, document_first).await, 0, &document)?;
    Ok(CaseOutcome::Passed)
}

/// A document or a stream twice in one batch, an append without events, or a write to the system scope in a batch
/// that is not spanning is rejected, and nothing is written.
pub async fn malformed_is_refused(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let (key, id) = (canvas("c1")?, DocId::new("d1")?);
    let one = || fixture.new_events(&scope, [1]);
    let batches = [
        ("a document twice", fixture.new_batch().put(note("d1", 1)?, Expect::Any).put(note("d1", 2)?, Expect::Any)),
        ("written and deleted", fixture.new_batch().put(note("d1", 1)?, Expect::Any).delete(NOTE, id, Expect::Any)),
        (
            "a stream twice",
            fixture.new_batch().append(key.clone(), ExpectedHead::Any, one()?).append(
                key.clone(),
                ExpectedHead::Any,
                one()?,
            ),
        ),
        (
            "appended and trimmed",
            fixture.new_batch().append(key.clone(), ExpectedHead::Any, one()?).trim(key.clone(), Seq(1)),
        ),
        ("an append of nothing", fixture.new_batch().append(key.clone(), ExpectedHead::Any, Vec::new())),
        ("the control plane", fixture.new_batch().put_system(note(&fixture.unique_word(), 1)?, Expect::Any)),
    ];
    for (what, batch) in batches {
        let batch = batch.record(fixture.dataset_event(&scope, "never")?).audit(fixture.audit_entry(
            &scope,
            "conformance.never",
            "r",
        )?);
        match fixture.commit(&scope, batch).await {
            Err(CommitError::Refused(_)) => {}
            other => return Err(CaseFailure::new(format!("{what}: wanted Refused, got {other:?}"))),
        }
    }
    fixture.ensure_scope_empty(&scope, &[key], None).await?;
    Ok(CaseOutcome::Passed)
}

/// A batch without writes succeeds and has no effect. With an idempotency key it stores a receipt.
pub async fn empty_is_fine(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let receipt = fixture.commit(&scope, fixture.new_batch()).await?;
    ensure_equal("the receipt of nothing", &receipt, &engines_core::nexus::CommitReceipt::default())?;
    fixture.ensure_scope_empty(&scope, &[], None).await?;
    for replayed in [false, true] {
        let receipt =
            fixture.commit(&scope, fixture.new_batch().with_idempotency(idempotency("realm", "key", 1))).await?;
        ensure_equal("replayed", &receipt.replayed, &replayed)?;
    }
    Ok(CaseOutcome::Passed)
}

/// A spanning batch writes to its own scope and to the system scope atomically. Neither scope shows the other's data.
pub async fn spanning(fixture: &Fixture) -> CaseResult {
    let (scope, system) = (fixture.new_scope()?, Scope::system()?);
    let (user, member) = (fixture.unique_word(), fixture.unique_word());
    let join = |user_expects, member_expects| -> Result<Batch, CaseFailure> {
        Ok(Batch::spanning(fixture.now())
            .put_system(note(&user, "user")?.tag("user"), user_expects)
            .put(note(&member, "member")?, member_expects)
            .append(canvas("c1")?, ExpectedHead::Any, fixture.new_events(&scope, [1])?))
    };
    let failed = fixture.commit(&scope, join(Expect::Absent, Expect::Present)?).await;
    let wanted = FailedPrecondition::Document { kind: NOTE, id: DocId::new(&member)?, version: None };
    expect_failure_at("a precondition of the own scope", failed, 1, &wanted)?;
    ensure(fixture.get(&system, &user).await?.is_none(), || "half of a spanning batch was written".into())?;
    let failed = fixture.commit(&scope, join(Expect::Version(4), Expect::Absent)?).await;
    let wanted = FailedPrecondition::Document { kind: NOTE, id: DocId::new(&user)?, version: None };
    expect_failure_at("a precondition of the control plane", failed, 0, &wanted)?;
    fixture.ensure_scope_empty(&scope, &[canvas("c1")?], None).await?;

    ensure_equal(
        "versions",
        &fixture.commit(&scope, join(Expect::Absent, Expect::Absent)?).await?.versions,
        &vec![1, 1],
    )?;
    for (home, other, id) in [(&system, &scope, &user), (&scope, &system, &member)] {
        ensure(fixture.get(home, id).await?.is_some(), || format!("{id} is not in {home}"))?;
        ensure(fixture.get(other, id).await?.is_none(), || format!("{id} shows in {other}"))?;
    }
    let head = fixture.store.head(&system, &canvas("c1")?).await?.seq;
    ensure(head == Seq::ZERO, || "a spanning batch's append went to the control plane".into())?;

    // The same id in both scopes names two documents.
    let both = Batch::spanning(fixture.now())
        .put_system(note(&user, "user again")?, Expect::Version(1))
        .put(note(&user, "own")?, Expect::Absent);
    ensure_equal("versions of one id twice", &fixture.commit(&scope, both).await?.versions, &vec![2, 1])?;
    let out = Batch::spanning(fixture.now()).delete_system(NOTE, DocId::new(&user)?, Expect::Version(2)).delete(
        NOTE,
        DocId::new(&user)?,
        Expect::Version(1),
    );
    ensure_equal("versions of deletions", &fixture.commit(&scope, out).await?.versions, &vec![0, 0])?;
    for home in [&system, &scope] {
        ensure(fixture.get(home, &user).await?.is_none(), || format!("a deleted document is still in {home}"))?;
    }
    Ok(CaseOutcome::Passed)
}

/// A commit whose future is dropped before it completes is stored completely or not at all, and the store keeps
/// working.
pub async fn dropped_is_whole_or_nothing(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let attempts = fixture.settings.rounds * 8;
    for n in 0..attempts {
        let batch = fixture
            .new_batch()
            .put(note(&format!("d{n}"), n)?, Expect::Absent)
            .append(canvas(&format!("c{n}"))?, ExpectedHead::Any, fixture.new_events(&scope, [1])?)
            .record(fixture.dataset_event(&scope, "dropped")?);
        let mut commit = fixture.store.commit(&scope, batch);
        for _ in 0..n % 4 {
            if poll_once(&mut commit).await.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    let after = fixture.commit(&scope, fixture.new_batch().put(note("after", 1)?, Expect::Absent)).await?;
    ensure_equal("a commit after dropped ones", &after.versions, &vec![1])?;
    for n in 0..attempts {
        // The items are read in the order in which a batch stores them, so this also holds while a dropped commit is
        // in progress.
        let (id, key) = (format!("d{n}"), canvas(&format!("c{n}"))?);
        let event_first = fixture.store.head(&scope, &key).await?.seq == Seq(1);
        let document = fixture.get(&scope, &id).await?.is_some();
        let event_last = fixture.store.head(&scope, &key).await?.seq == Seq(1);
        ensure((!event_first || document) && (!document || event_last), || format!("half of batch {n} was written"))?;
    }
    Ok(CaseOutcome::Passed)
}
