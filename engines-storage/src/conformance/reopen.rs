//! Reopening: for backends that promise `durable`, everything is as it was.

use engines_core::{
    Scope,
    audit::{AuditEntry, AuditFilter},
    event::EventFilter,
    nexus::{CommitError, Document, Expect, ExpectedHead, Head, Query, Receipt},
    stream::{LogId, Seq, StreamEvent},
};

use super::{
    Bench, Failure, Opener, Outcome, Verdict,
    bench::{NOTE, canvas, kept, note, once},
    runner::Case,
    streams::{contiguous, same_event},
    verdict::{ensure, same},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::opener("reopen::log_ids_differ", |opener| Box::pin(log_ids_differ(opener))),
        Case::opener("reopen::everything_is_the_same", |opener| Box::pin(everything_is_the_same(opener))),
        Case::opener("reopen::keys_still_count", |opener| Box::pin(keys_still_count(opener))),
    ]
}

fn left_out(bench: &Bench) -> Option<Outcome> {
    (!bench.store.capabilities().durable).then(|| Outcome::LeftOut("durable is not promised".into()))
}

/// Two databases have two log ids, and one has the same as long as it is open; it answers a ping.
pub async fn log_ids_differ(opener: &Opener) -> Verdict {
    let (one, two) = (opener.open("log_one").await?, opener.open("log_two").await?);
    ensure(one.store.log_id() != two.store.log_id(), || "two databases have the same log id".into())?;
    let scope = one.scope()?;
    let before = one.store.log_id();
    one.commit(&scope, one.batch().append(canvas("c1")?, ExpectedHead::Any, one.events_of(&scope, [1])?)).await?;
    same("the log id after a commit", &one.store.log_id(), &before)?;
    one.store.ping().await?;
    Ok(Outcome::Passed)
}

/// All that a reader can see of a scope.
struct Seen {
    log_id: LogId,
    documents: Vec<Document>,
    head: Head,
    events: Vec<StreamEvent>,
    recorded: Vec<(Seq, String, String)>,
    audit: Vec<AuditEntry>,
    receipt: Option<(Receipt, [u8; 32])>,
    feed: Vec<(u64, Seq)>,
}

async fn look(bench: &Bench, scope: &Scope) -> Result<Seen, Failure> {
    let recorded = bench.recorded(scope, &EventFilter::default()).await?;
    let fed = bench.fed(std::slice::from_ref(scope)).await?;
    Ok(Seen {
        log_id: bench.store.log_id(),
        documents: bench.list(scope, &Query::kind(NOTE), 100).await?,
        head: bench.store.head(scope, &canvas("c1")?).await?,
        events: bench.read_all(scope, &canvas("c1")?, Seq::ZERO).await?,
        recorded: recorded.into_iter().map(|e| (e.seq, e.event_id.to_string(), e.body.get().to_owned())).collect(),
        audit: bench.audited(scope, &AuditFilter::default()).await?,
        receipt: bench.store.receipt(scope, &once("realm", "key", 0)).await?,
        feed: fed.into_iter().map(|item| (item.position, item.event.seq)).collect(),
    })
}

/// Documents with their versions and times, streams with both ends, dataset events, audit records, receipts, the feed and the
/// log's id; and all of them go on from where they were.
pub async fn everything_is_the_same(opener: &Opener) -> Verdict {
    const NAME: &str = "reopen_everything";
    let bench = opener.open(NAME).await?;
    if let Some(left_out) = left_out(&bench) {
        return Ok(left_out);
    }
    let scopes = [bench.scope()?, bench.scope()?];
    let mut before = Vec::new();
    for scope in &scopes {
        for n in 0..3_u64 {
            let mut batch = bench
                .batch()
                .put(note("d1", n)?.tag(format!("tag{n}")), Expect::Any)
                .put(note(&format!("n{n}"), "text \u{0} 日本")?, Expect::Absent)
                .append(canvas("c1")?, ExpectedHead::Seq(Seq(n * 4)), bench.events_of(scope, 1..=4)?)
                .record(bench.dataset(scope, "reopen")?)
                .audit(bench.audit(scope, "conformance.reopen", "r")?);
            if n == 1 {
                let mut once = once("realm", "key", 1);
                once.note = "kept".into();
                batch = batch.once(once);
            }
            bench.commit(scope, batch).await?;
        }
        let batch = bench.batch().trim(canvas("c1")?, Seq(4));
        bench.commit(scope, batch.delete(NOTE, engines_core::DocId::new("n0")?, Expect::Present)).await?;
    }
    for scope in &scopes {
        before.push(look(&bench, scope).await?);
    }
    drop(bench);
    for _ in 0..2 {
        let bench = opener.open(NAME).await?;
        for (scope, before) in scopes.iter().zip(&before) {
            let after = look(&bench, scope).await?;
            same("the log id", &after.log_id, &before.log_id)?;
            same("the stream's ends", &after.head, &before.head)?;
            same("dataset events", &after.recorded, &before.recorded)?;
            same("audit records", &after.audit, &before.audit)?;
            same("the receipt", &after.receipt, &before.receipt)?;
            same("the feed", &after.feed, &before.feed)?;
            let text = |documents: &[Document]| format!("{documents:?}");
            same("documents", &text(&after.documents), &text(&before.documents))?;
            same("events", &after.events.len(), &before.events.len())?;
            for (after, before) in after.events.iter().zip(&before.events) {
                same("an event's place", &after.seq, &before.seq)?;
                same_event(&after.event, &before.event)?;
            }
        }
    }
    let bench = opener.open(NAME).await?;
    for (scope, before) in scopes.iter().zip(&before) {
        let batch = bench
            .batch()
            .append(canvas("c1")?, ExpectedHead::Seq(Seq(12)), bench.events_of(scope, [13])?)
            .put(note("d1", 9)?, Expect::Version(3))
            .record(bench.dataset(scope, "reopen")?);
        let receipt = bench.commit(scope, batch).await?;
        same("places after reopening", &(receipt.versions, receipt.recorded), &(vec![4], kept(4..=4)))?;
        contiguous(&bench.read_all(scope, &canvas("c1")?, Seq::ZERO).await?, Seq(3))?;
        let fed = bench.fed(std::slice::from_ref(scope)).await?;
        let last = before.feed.iter().map(|(position, _)| *position).max();
        ensure(fed.last().map(|item| item.position) > last, || "the feed's positions go back after reopening".into())?;
    }
    Ok(Outcome::Passed)
}

/// An idempotency key used before reopening replays, or refuses another body, after it.
pub async fn keys_still_count(opener: &Opener) -> Verdict {
    const NAME: &str = "reopen_keys";
    let bench = opener.open(NAME).await?;
    if let Some(left_out) = left_out(&bench) {
        return Ok(left_out);
    }
    let scope = bench.scope()?;
    let command = |bench: &Bench, fingerprint| -> Result<_, Failure> {
        let events = bench.events_of(&scope, [1])?;
        let mut once = once("canvas/c1", "k", fingerprint);
        once.note = "rev 1".into();
        Ok(bench.batch().append(canvas("c1")?, ExpectedHead::Seq(Seq::ZERO), events).once(once))
    };
    let first = bench.commit(&scope, command(&bench, 1)?).await?;
    drop(bench);
    let bench = opener.open(NAME).await?;
    let again = bench.commit(&scope, command(&bench, 1)?).await?;
    same("the receipt after reopening", &again, &Receipt { replayed: true, ..first })?;
    match bench.commit(&scope, command(&bench, 2)?).await {
        Err(CommitError::IdempotencyMismatch) => {}
        answer => return Err(Failure::new(format!("wanted IdempotencyMismatch after reopening, got {answer:?}"))),
    }
    same("the head", &bench.store.head(&scope, &canvas("c1")?).await?.seq, &Seq(1))?;
    Ok(Outcome::Passed)
}
