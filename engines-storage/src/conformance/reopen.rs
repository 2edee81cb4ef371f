//! Reopening: a backend that promises `durable` has the same data after it is opened again.

use engines_core::{
    Scope,
    audit::{AuditEntry, AuditFilter},
    event::EventFilter,
    nexus::{CommitError, CommitReceipt, Document, DocumentQuery, Expect, ExpectedHead, StreamHead},
    stream::{LogId, Seq, StreamEvent},
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture, StoreFactory,
    assertions::{ensure_contiguous, ensure_same_event},
    case::Case,
    fixture::{NOTE, canvas, idempotency, kept_outcomes, note},
    report::{ensure, ensure_equal},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::factory("reopen::log_ids_differ", |opener| Box::pin(log_ids_differ(opener))),
        Case::factory("reopen::everything_is_the_same", |opener| Box::pin(everything_is_the_same(opener))),
        Case::factory("reopen::keys_still_count", |opener| Box::pin(keys_still_count(opener))),
    ]
}

fn skip_unless_durable(fixture: &Fixture) -> Option<CaseOutcome> {
    (!fixture.store.capabilities().durable).then(|| CaseOutcome::Skipped("durable is not promised".into()))
}

/// Two databases have different log ids. An open database keeps its log id, and answers a ping.
pub async fn log_ids_differ(opener: &StoreFactory) -> CaseResult {
    let (one, two) = (opener.open("log_one").await?, opener.open("log_two").await?);
    ensure(one.store.log_id() != two.store.log_id(), || "two databases have the same log id".into())?;
    let scope = one.new_scope()?;
    let before = one.store.log_id();
    one.commit(&scope, one.new_batch().append(canvas("c1")?, ExpectedHead::Any, one.new_events(&scope, [1])?)).await?;
    ensure_equal("the log id after a commit", &one.store.log_id(), &before)?;
    one.store.ping().await?;
    Ok(CaseOutcome::Passed)
}

/// Everything that a reader can see of a scope.
struct ScopeContents {
    log_id: LogId,
    documents: Vec<Document>,
    head: StreamHead,
    events: Vec<StreamEvent>,
    recorded: Vec<(Seq, String, String)>,
    audit: Vec<AuditEntry>,
    receipt: Option<(CommitReceipt, [u8; 32])>,
    feed: Vec<(u64, Seq)>,
}

async fn read_scope(fixture: &Fixture, scope: &Scope) -> Result<ScopeContents, CaseFailure> {
    let recorded = fixture.list_events(scope, &EventFilter::default()).await?;
    let fed = fixture.read_feed(std::slice::from_ref(scope)).await?;
    Ok(ScopeContents {
        log_id: fixture.store.log_id(),
        documents: fixture.list_all(scope, &DocumentQuery::of_kind(NOTE), 100).await?,
        head: fixture.store.head(scope, &canvas("c1")?).await?,
        events: fixture.read_all(scope, &canvas("c1")?, Seq::ZERO).await?,
        recorded: recorded.into_iter().map(|e| (e.seq, e.event_id.to_string(), e.body.get().to_owned())).collect(),
        audit: fixture.list_audit(scope, &AuditFilter::default()).await?,
        receipt: fixture.store.receipt(scope, &idempotency("realm", "key", 0)).await?,
        feed: fed.into_iter().map(|item| (item.position, item.event.seq)).collect(),
    })
}

/// Documents with their versions and times, streams with both ends, dataset events, audit records, receipts, the feed
/// and the log id are the same after reopening, and all of them continue where they were.
pub async fn everything_is_the_same(opener: &StoreFactory) -> CaseResult {
    const NAME: &str = "reopen_everything";
    let fixture = opener.open(NAME).await?;
    if let Some(left_out) = skip_unless_durable(&fixture) {
        return Ok(left_out);
    }
    let scopes = [fixture.new_scope()?, fixture.new_scope()?];
    let mut before = Vec::new();
    for scope in &scopes {
        for n in 0..3_u64 {
            let mut batch = fixture
                .new_batch()
                .put(note("d1", n)?.tag(format!("tag{n}")), Expect::Any)
                .put(note(&format!("n{n}"), "text \u{0} 日本")?, Expect::Absent)
                .append(canvas("c1")?, ExpectedHead::Seq(Seq(n * 4)), fixture.new_events(scope, 1..=4)?)
                .record(fixture.dataset_event(scope, "reopen")?)
                .audit(fixture.audit_entry(scope, "conformance.reopen", "r")?);
            if n == 1 {
                let mut once = idempotency("realm", "key", 1);
                once.note = "kept".into();
                batch = batch.with_idempotency(once);
            }
            fixture.commit(scope, batch).await?;
        }
        let batch = fixture.new_batch().trim(canvas("c1")?, Seq(4));
        fixture.commit(scope, batch.delete(NOTE, engines_core::DocId::new("n0")?, Expect::Present)).await?;
    }
    for scope in &scopes {
        before.push(read_scope(&fixture, scope).await?);
    }
    drop(fixture);
    for _ in 0..2 {
        let fixture = opener.open(NAME).await?;
        for (scope, before) in scopes.iter().zip(&before) {
            let after = read_scope(&fixture, scope).await?;
            ensure_equal("the log id", &after.log_id, &before.log_id)?;
            ensure_equal("the stream's ends", &after.head, &before.head)?;
            ensure_equal("dataset events", &after.recorded, &before.recorded)?;
            ensure_equal("audit records", &after.audit, &before.audit)?;
            ensure_equal("the receipt", &after.receipt, &before.receipt)?;
            ensure_equal("the feed", &after.feed, &before.feed)?;
            let text = |documents: &[Document]| format!("{documents:?}");
            ensure_equal("documents", &text(&after.documents), &text(&before.documents))?;
            ensure_equal("events", &after.events.len(), &before.events.len())?;
            for (after, before) in after.events.iter().zip(&before.events) {
                ensure_equal("an event's place", &after.seq, &before.seq)?;
                ensure_same_event(&after.event, &before.event)?;
            }
        }
    }
    let fixture = opener.open(NAME).await?;
    for (scope, before) in scopes.iter().zip(&before) {
        let batch = fixture
            .new_batch()
            .append(canvas("c1")?, ExpectedHead::Seq(Seq(12)), fixture.new_events(scope, [13])?)
            .put(note("d1", 9)?, Expect::Version(3))
            .record(fixture.dataset_event(scope, "reopen")?);
        let receipt = fixture.commit(scope, batch).await?;
        ensure_equal(
            "places after reopening",
            &(receipt.versions, receipt.recorded),
            &(vec![4], kept_outcomes(4..=4)),
        )?;
        ensure_contiguous(&fixture.read_all(scope, &canvas("c1")?, Seq::ZERO).await?, Seq(3))?;
        let fed = fixture.read_feed(std::slice::from_ref(scope)).await?;
        let last = before.feed.iter().map(|(position, _)| *position).max();
        ensure(fed.last().map(|item| item.position) > last, || "the feed's positions go back after reopening".into())?;
    }
    Ok(CaseOutcome::Passed)
}

/// An idempotency key that was used before reopening replays after it, or rejects another fingerprint.
pub async fn keys_still_count(opener: &StoreFactory) -> CaseResult {
    const NAME: &str = "reopen_keys";
    let fixture = opener.open(NAME).await?;
    if let Some(left_out) = skip_unless_durable(&fixture) {
        return Ok(left_out);
    }
    let scope = fixture.new_scope()?;
    let command = |fixture: &Fixture, fingerprint| -> Result<_, CaseFailure> {
        let events = fixture.new_events(&scope, [1])?;
        let mut once = idempotency("canvas/c1", "k", fingerprint);
        once.note = "rev 1".into();
        Ok(fixture.new_batch().append(canvas("c1")?, ExpectedHead::Seq(Seq::ZERO), events).with_idempotency(once))
    };
    let first = fixture.commit(&scope, command(&fixture, 1)?).await?;
    drop(fixture);
    let fixture = opener.open(NAME).await?;
    let again = fixture.commit(&scope, command(&fixture, 1)?).await?;
    ensure_equal("the receipt after reopening", &again, &CommitReceipt { replayed: true, ..first })?;
    match fixture.commit(&scope, command(&fixture, 2)?).await {
        Err(CommitError::IdempotencyMismatch) => {}
        answer => return Err(CaseFailure::new(format!("wanted IdempotencyMismatch after reopening, got {answer:?}"))),
    }
    ensure_equal("the head", &fixture.store.head(&scope, &canvas("c1")?).await?.seq, &Seq(1))?;
    Ok(CaseOutcome::Passed)
}
