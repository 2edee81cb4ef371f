//! Archives: a snapshot shows one moment, and a restored scope is identical and published in one step.

use engines_core::{
    Code, Scope,
    audit::AuditFilter,
    event::EventFilter,
    nexus::{
        Batch, CommitError, DocumentQuery, Expect, ExpectedHead, PageRequest,
        archive::{Archive, ArchiveRecord, Publication, ScopeSnapshot, Section, StoreMark},
    },
    stream::Seq,
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture, StoreFactory,
    case::Case,
    fixture::{NOTE, canvas, chat, idempotency, kept_outcomes, note, read_sparse_pages},
    report::{ensure, ensure_equal},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("archive::restored_is_the_same", |bench| Box::pin(restored_is_the_same(bench))),
        Case::store("archive::a_snapshot_is_one_moment", |bench| Box::pin(a_snapshot_is_one_moment(bench))),
        Case::store("archive::pages", |bench| Box::pin(pages(bench))),
        Case::store("archive::scopes", |bench| Box::pin(scopes(bench))),
        Case::store("archive::refusals", |bench| Box::pin(refusals(bench))),
        Case::store("archive::discarded", |bench| Box::pin(discarded(bench))),
        Case::store("archive::feed", |bench| Box::pin(feed(bench))),
        Case::factory("archive::marks", |opener| Box::pin(marks(opener))),
        Case::factory("archive::staging_survives", |opener| Box::pin(staging_survives(opener))),
    ]
}

/// Evaluates to the archive interface, or skips the case.
macro_rules! archive_of {
    ($bench:expr) => {
        match $bench.store.archive() {
            Some(archive) => archive,
            None => return Ok(CaseOutcome::Skipped("the backend does not support archives".into())),
        }
    };
}

/// Fills a scope with data of every kind: changed documents, trimmed streams, events with and without keys, audit
/// records and receipts.
async fn fill_scope(bench: &Fixture, scope: &Scope) -> Result<(), CaseFailure> {
    for n in 0..5 {
        let document = note(&format!("d{n}"), n)?.tag("all").tag(format!("n:{}", n % 2));
        bench.commit(scope, bench.new_batch().put(document, Expect::Absent)).await?;
    }
    for _ in 0..2 {
        let document = note("d3", "a\nline \"break\"")?.tag("all");
        bench.commit(scope, bench.new_batch().put(document, Expect::Present)).await?;
    }
    bench.commit(scope, bench.new_batch().delete(NOTE, engines_core::DocId::new("d4")?, Expect::Present)).await?;
    for (key, events, first) in [(canvas("c1")?, 9, 1), (canvas("c10")?, 3, 4), (chat("t1")?, 7, 5)] {
        let batch = bench.new_batch().append(key.clone(), ExpectedHead::Any, bench.new_events(scope, 1..=events)?);
        bench.commit(scope, batch.audit(bench.audit_entry(scope, "conformance.append", key.as_str())?)).await?;
        if first > 1 {
            bench.commit(scope, bench.new_batch().trim(key, Seq(first))).await?;
        }
    }
    if bench.store.capabilities().removes {
        let key = chat("gone")?;
        let batch = bench.new_batch().append(key.clone(), ExpectedHead::Any, bench.new_events(scope, 1..=3)?);
        bench.commit(scope, batch).await?;
        bench.commit(scope, bench.new_batch().delete_stream(key)).await?;
    }
    for n in 0..70_u8 {
        let event = bench.dataset_event(scope, ["one", "two"][usize::from(n % 2)])?;
        let batch = match n % 3 {
            0 => bench.new_batch().record(event),
            1 => bench.new_batch().record_idempotent(event, idempotency("events", &format!("k{n}"), n)),
            _ => bench.new_batch().with_idempotency(idempotency("whole", &format!("k{n}"), n)).record(event),
        };
        bench.commit(scope, batch).await?;
    }
    Ok(())
}

/// Returns the lines of every section, without feed positions.
async fn record_lines(snapshot: &dyn ScopeSnapshot, limit: usize) -> Result<Vec<String>, CaseFailure> {
    let mut lines = Vec::new();
    for section in Section::ALL {
        for record in read_sparse_pages(limit, |page| snapshot.records(section, page)).await? {
            let record = without_position(record);
            ensure_equal("the section of a record", &record.section(), &section)?;
            let mut line = Vec::new();
            record.write_line(&mut line)?;
            let read = ArchiveRecord::read_line(section, &line)?;
            let mut again = Vec::new();
            read.write_line(&mut again)?;
            ensure(line == again, || format!("a record of {section:?} is not read as it was written"))?;
            lines.push(String::from_utf8_lossy(&line).into_owned());
        }
    }
    Ok(lines)
}

fn without_position(record: ArchiveRecord) -> ArchiveRecord {
    match record {
        ArchiveRecord::Event(_, event) => ArchiveRecord::Event(None, event),
        record => record,
    }
}

/// Stages the records of a snapshot under another name, a few at a time.
async fn stage_copy(
    archive: &dyn Archive,
    snapshot: &dyn ScopeSnapshot,
    to: &Scope,
    some: usize,
) -> Result<(), CaseFailure> {
    for section in Section::ALL {
        let records = read_sparse_pages(100, |page| snapshot.records(section, page)).await?;
        let mut records = records.into_iter().map(without_position).peekable();
        while records.peek().is_some() {
            let part: Vec<_> = records.by_ref().take(some).collect();
            archive.stage(to, part, section.as_str()).await?;
        }
    }
    Ok(())
}

fn publication(scopes: &[&Scope], batch: Batch) -> Publication {
    Publication { scopes: scopes.iter().map(|scope| (*scope).clone()).collect(), mark: None, batch }
}

/// Staging and publishing a scope under another name keeps every record. Readers see nothing before it is published.
/// The scope continues with the next versions, sequences and keys.
pub async fn restored_is_the_same(bench: &Fixture) -> CaseResult {
    let archive = archive_of!(bench);
    let (from, to) = (bench.new_scope()?, bench.new_scope()?);
    fill_scope(bench, &from).await?;
    let snapshot = archive.snapshot(&from).await?;
    let wanted = record_lines(&*snapshot, 100).await?;
    stage_copy(archive, &*snapshot, &to, 7).await?;
    let keys = [canvas("c1")?, canvas("c10")?, chat("t1")?];
    bench.ensure_scope_empty(&to, &keys, Some(&idempotency("whole", "k2", 2))).await?;
    ensure_equal("staged records", &record_lines(&*archive.staged_snapshot(&to).await?, 100).await?, &wanted)?;
    let staged = archive.staged().await?;
    let staged = staged.iter().find(|staged| staged.scope == to).map(|staged| staged.progress.as_str());
    ensure_equal("the progress of what is staged", &staged, &Some("receipts"))?;

    archive.publish(publication(&[&to], bench.new_batch())).await?;
    ensure_equal("published records", &record_lines(&*archive.snapshot(&to).await?, 3).await?, &wanted)?;
    ensure(!archive.staged().await?.iter().any(|staged| staged.scope == to), || "the scope is still staged".into())?;
    ensure_equal("the source", &record_lines(&*archive.snapshot(&from).await?, 100).await?, &wanted)?;

    // Every kind of query finds the restored data.
    for query in
        [DocumentQuery::of_kind(NOTE), DocumentQuery::of_kind(NOTE).tag("all"), DocumentQuery::of_kind(NOTE).tag("n:1")]
    {
        for order in [engines_core::nexus::QueryOrder::IdAscending, engines_core::nexus::QueryOrder::UpdatedDescending]
        {
            let query = query.clone().order(order);
            let ids = |documents: Vec<engines_core::nexus::Document>| -> Vec<_> {
                documents.into_iter().map(|document| (document.id, document.version, document.updated_at)).collect()
            };
            let (one, other) = (bench.list_all(&from, &query, 2).await?, bench.list_all(&to, &query, 2).await?);
            ensure_equal("documents of a query", &ids(other), &ids(one))?;
        }
    }
    let at = bench.list_events(&from, &EventFilter::default()).await?[40].ts;
    for filter in [
        EventFilter { surface: Some("two".into()), ..EventFilter::default() },
        EventFilter { from: Some(at), ..EventFilter::default() },
        EventFilter { until: Some(at), ..EventFilter::default() },
    ] {
        let seqs = |events: Vec<engines_core::event::StoredEvent>| -> Vec<_> {
            events.into_iter().map(|event| (event.seq, event.event_id)).collect()
        };
        let (one, other) = (bench.list_events(&from, &filter).await?, bench.list_events(&to, &filter).await?);
        ensure_equal("events of a filter", &seqs(other), &seqs(one))?;
    }
    for key in &keys {
        ensure_equal("a stream's ends", &bench.store.head(&to, key).await?, &bench.store.head(&from, key).await?)?;
    }
    let audit = AuditFilter::default();
    ensure_equal("audit records", &bench.list_audit(&to, &audit).await?, &bench.list_audit(&from, &audit).await?)?;

    // The scope continues where it was.
    let again =
        bench.new_batch().with_idempotency(idempotency("whole", "k2", 2)).record(bench.dataset_event(&to, "again")?);
    let receipt = bench.commit(&to, again).await?;
    ensure(receipt.replayed && receipt.recorded == kept_outcomes([3]), || format!("a key is forgotten: {receipt:?}"))?;
    let batch = bench
        .new_batch()
        .put(note("d3", 1)?, Expect::Version(3))
        .append(canvas("c1")?, ExpectedHead::Seq(Seq(9)), bench.new_events(&to, [10])?)
        .append(canvas("c10")?, ExpectedHead::Seq(Seq(3)), bench.new_events(&to, [4])?)
        .record(bench.dataset_event(&to, "next")?)
        .audit(bench.audit_entry(&to, "conformance.next", "")?);
    let receipt = bench.commit(&to, batch).await?;
    ensure_equal("the next version", &receipt.versions, &vec![4])?;
    ensure_equal("the next places", &receipt.appended.iter().map(|at| at.last.0).collect::<Vec<_>>(), &vec![10, 4])?;
    ensure_equal("the next event's place", &receipt.recorded, &kept_outcomes([71]))?;
    ensure_equal("audit records", &bench.list_audit(&to, &audit).await?.len(), &4)?;
    ensure_equal("the source", &record_lines(&*archive.snapshot(&from).await?, 100).await?, &wanted)?;
    Ok(CaseOutcome::Passed)
}

/// A snapshot contains no write that was made after it began, in any section.
pub async fn a_snapshot_is_one_moment(bench: &Fixture) -> CaseResult {
    let archive = archive_of!(bench);
    let scope = bench.new_scope()?;
    fill_scope(bench, &scope).await?;
    let before = archive.snapshot(&scope).await?;
    let wanted = record_lines(&*before, 100).await?;
    for n in 0..5 {
        let batch = bench
            .new_batch()
            .with_idempotency(idempotency("later", &format!("k{n}"), 0))
            .put(note("d0", n)?, Expect::Any)
            .put(note(&format!("later{n}"), n)?, Expect::Any)
            .append(canvas("c1")?, ExpectedHead::Any, bench.new_events(&scope, [n])?)
            .append(canvas(&format!("later{n}"))?, ExpectedHead::Any, bench.new_events(&scope, [n])?)
            .record(bench.dataset_event(&scope, "later")?)
            .audit(bench.audit_entry(&scope, "conformance.later", "")?);
        bench.commit(&scope, batch).await?;
    }
    bench.commit(&scope, bench.new_batch().delete(NOTE, engines_core::DocId::new("d1")?, Expect::Present)).await?;
    ensure_equal("the snapshot after more was written", &record_lines(&*before, 100).await?, &wanted)?;
    ensure(record_lines(&*archive.snapshot(&scope).await?, 100).await? != wanted, || {
        "a later snapshot is the same".into()
    })?;
    Ok(CaseOutcome::Passed)
}

/// Pages of any length give the same records. A token is valid in a later snapshot, and is rejected for another
/// section.
pub async fn pages(bench: &Fixture) -> CaseResult {
    let archive = archive_of!(bench);
    let scope = bench.new_scope()?;
    fill_scope(bench, &scope).await?;
    let snapshot = archive.snapshot(&scope).await?;
    let wanted = record_lines(&*snapshot, 1000).await?;
    for limit in [1, 2, 7] {
        ensure_equal(&format!("pages of {limit}"), &record_lines(&*snapshot, limit).await?, &wanted)?;
    }
    let first = snapshot.records(Section::Events, PageRequest::first(10)).await?;
    let Some(next) = first.next else { return Err(CaseFailure::new("a page of 10 of 70 says that it is the last")) };
    drop(snapshot);
    let later = archive.snapshot(&scope).await?;
    let second = later.records(Section::Events, PageRequest::after(1, next.clone())).await?;
    let seq = second.items.first().and_then(|record| match record {
        ArchiveRecord::Event(_, event) => Some(event.seq),
        _ => None,
    });
    ensure_equal("the event after a token of an earlier snapshot", &seq, &Some(Seq(11)))?;
    for token in [next.as_str(), "?", ""] {
        let refused = later.records(Section::Audit, PageRequest::after(1, token)).await;
        let code = refused.err().map(|error| error.code());
        ensure_equal("what a token of another section is answered with", &code, &Some(Code::CursorInvalid))?;
    }
    Ok(CaseOutcome::Passed)
}

/// Every scope that contains data is listed once, in order. A staged scope is not listed.
pub async fn scopes(bench: &Fixture) -> CaseResult {
    let archive = archive_of!(bench);
    let mut wanted = Vec::new();
    for env in engines_core::Env::ALL {
        let scope = Scope::new(bench.new_scope()?.tenant().clone(), env);
        bench.commit(&scope, bench.new_batch().put(note("d", 1)?, Expect::Any)).await?;
        wanted.push(scope);
    }
    let staged = bench.new_scope()?;
    archive.stage(&staged, Vec::new(), "begun").await?;
    for limit in [1, 2, 1000] {
        let mut found: Vec<Scope> = Vec::new();
        loop {
            let page = bench.store.scopes(found.last(), limit).await?;
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        let names: Vec<_> = found.iter().map(|scope| (scope.tenant().as_str(), scope.env().as_str())).collect();
        ensure(names.is_sorted(), || "scopes are not in order".into())?;
        for scope in &wanted {
            ensure_equal("how often a scope is listed", &found.iter().filter(|found| *found == scope).count(), &1)?;
        }
        ensure(!found.contains(&staged), || "a staged scope is listed".into())?;
    }
    Ok(CaseOutcome::Passed)
}

#[track_caller]
fn expect_refusal<T: std::fmt::Debug>(answer: Result<T, CommitError>, code: Option<Code>) -> Result<(), CaseFailure> {
    match answer {
        Err(CommitError::Refused(error)) if code.is_none_or(|code| error.code() == code) => Ok(()),
        other => Err(CaseFailure::new(format!("not rejected with {code:?}: {other:?}"))),
    }
}

/// A scope that is incomplete, not staged, or in conflict with existing data is not published, and neither is any
/// other scope of the same call.
pub async fn refusals(bench: &Fixture) -> CaseResult {
    let archive = archive_of!(bench);
    let (from, to, other) = (bench.new_scope()?, bench.new_scope()?, bench.new_scope()?);
    fill_scope(bench, &from).await?;
    let snapshot = archive.snapshot(&from).await?;
    expect_refusal(archive.publish(publication(&[&to], bench.new_batch())).await, Some(Code::NotFound))?;

    // First a stream without its last event, then with all events.
    let streams = read_sparse_pages(100, |page| snapshot.records(Section::Streams, page)).await?;
    let events = read_sparse_pages(100, |page| snapshot.records(Section::StreamEvents, page)).await?;
    let mut part = events.clone();
    let last = part.pop();
    archive.stage(&to, streams.clone(), "").await?;
    archive.stage(&to, part, "").await?;
    expect_refusal(archive.publish(publication(&[&to], bench.new_batch())).await, Some(Code::NotFound))?;
    archive.stage(&to, last.into_iter().collect(), "").await?;

    // Nothing is published when the batch is rejected, or when one of two scopes cannot be published.
    let put = note("d", 1)?;
    let system = bench.new_batch().put(put.clone(), Expect::Present);
    ensure(archive.publish(publication(&[&to], system)).await.is_err(), || "the batch's condition is ignored".into())?;
    expect_refusal(archive.publish(publication(&[&to, &other], bench.new_batch())).await, Some(Code::NotFound))?;
    bench.ensure_scope_empty(&to, &[canvas("c1")?], None).await?;
    archive.publish(publication(&[&to], bench.new_batch())).await?;
    ensure_equal("events of a stream", &bench.read_all(&to, &canvas("c1")?, Seq::ZERO).await?.len(), &9)?;

    // The target scope contains data.
    archive.stage(&to, streams.clone(), "").await?;
    archive.stage(&to, events.clone(), "").await?;
    expect_refusal(archive.publish(publication(&[&to], bench.new_batch())).await, Some(Code::AlreadyExists))?;
    ensure_equal("events of a stream", &bench.read_all(&to, &canvas("c1")?, Seq::ZERO).await?.len(), &9)?;
    while archive.discard(&to).await? {}

    // A gap, an event before its stream, a repeated record.
    expect_refusal(archive.stage(&other, events[..1].to_vec(), "").await, None)?;
    archive.stage(&other, streams.clone(), "").await?;
    expect_refusal(archive.stage(&other, vec![events[0].clone(), events[2].clone()], "").await, None)?;
    while archive.discard(&other).await? {}
    archive.stage(&other, streams.clone(), "").await?;
    expect_refusal(archive.stage(&other, streams, "").await, None)?;
    while archive.discard(&other).await? {}
    for section in [Section::Documents, Section::Events, Section::Audit] {
        let records: Vec<_> = read_sparse_pages(100, |page| snapshot.records(section, page)).await?;
        let first = without_position(records[0].clone());
        archive.stage(&other, vec![first.clone()], "").await?;
        expect_refusal(archive.stage(&other, vec![first], "").await, None)?;
        while archive.discard(&other).await? {}
    }
    Ok(CaseOutcome::Passed)
}

/// A discarded scope leaves nothing behind, whatever its size, and can be staged again.
pub async fn discarded(bench: &Fixture) -> CaseResult {
    let archive = archive_of!(bench);
    let (from, to) = (bench.new_scope()?, bench.new_scope()?);
    fill_scope(bench, &from).await?;
    let snapshot = archive.snapshot(&from).await?;
    let wanted = record_lines(&*snapshot, 100).await?;
    let empty = record_lines(&*archive.snapshot(&to).await?, 100).await?;
    for _ in 0..2 {
        stage_copy(archive, &*snapshot, &to, 50).await?;
        while archive.discard(&to).await? {}
        ensure(!archive.staged().await?.iter().any(|staged| staged.scope == to), || {
            "the scope is still staged".into()
        })?;
        ensure_equal("what is staged", &record_lines(&*archive.staged_snapshot(&to).await?, 100).await?, &empty)?;
    }
    stage_copy(archive, &*snapshot, &to, 50).await?;
    archive.publish(publication(&[&to], bench.new_batch())).await?;
    ensure_equal("published records", &record_lines(&*archive.snapshot(&to).await?, 100).await?, &wanted)?;
    Ok(CaseOutcome::Passed)
}

/// Restored events without a position never appear in the feed. Those with a position appear at it once they are
/// published, and later events follow them.
pub async fn feed(bench: &Fixture) -> CaseResult {
    let archive = archive_of!(bench);
    let (from, silent, loud) = (bench.new_scope()?, bench.new_scope()?, bench.new_scope()?);
    fill_scope(bench, &from).await?;
    let snapshot = archive.snapshot(&from).await?;
    stage_copy(archive, &*snapshot, &silent, 50).await?;
    archive.publish(publication(&[&silent], bench.new_batch())).await?;
    bench.commit(&silent, bench.new_batch().record(bench.dataset_event(&silent, "next")?)).await?;
    let fed: Vec<_> =
        bench.read_feed(std::slice::from_ref(&silent)).await?.iter().map(|item| item.event.seq.0).collect();
    ensure_equal("events of the feed", &fed, &vec![71])?;

    let base = archive.mark().await?.feed_position + 1000;
    let events = read_sparse_pages(100, |page| snapshot.records(Section::Events, page)).await?;
    let at = |record: ArchiveRecord| match record {
        ArchiveRecord::Event(_, event) => ArchiveRecord::Event(Some(base + event.seq.0 * 2), event),
        record => record,
    };
    archive.stage(&loud, events.into_iter().map(at).collect(), "").await?;
    ensure_equal("staged events in the feed", &bench.read_feed(std::slice::from_ref(&loud)).await?.len(), &0)?;
    archive.publish(publication(&[&loud], bench.new_batch())).await?;
    bench.commit(&loud, bench.new_batch().record(bench.dataset_event(&loud, "next")?)).await?;
    let fed = bench.read_feed(std::slice::from_ref(&loud)).await?;
    let positions: Vec<_> = fed.iter().take(70).map(|item| item.position - base).collect();
    ensure_equal("positions", &positions, &(1..=70).map(|seq| seq * 2).collect::<Vec<_>>())?;
    let last = fed.last().map(|item| (item.event.seq.0, item.position > base + 140));
    ensure_equal("the next event", &last, &Some((71, true)))?;
    Ok(CaseOutcome::Passed)
}

/// A store takes over the mark of another: its log id and its last feed position.
pub async fn marks(opener: &StoreFactory) -> CaseResult {
    let (one, two) = (opener.open("mark_one").await?, opener.open("mark_two").await?);
    let (source, target) = (archive_of!(one), archive_of!(two));
    let scope = one.new_scope()?;
    fill_scope(&one, &scope).await?;
    let mark = source.mark().await?;
    ensure(mark.feed_position >= 70 && mark.log_id == one.store.log_id(), || format!("a wrong mark: {mark:?}"))?;
    let snapshot = source.snapshot(&scope).await?;
    stage_copy(target, &*snapshot, &scope, 50).await?;
    let mark = StoreMark { feed_position: mark.feed_position + 7, ..mark };
    let publication = Publication { scopes: vec![scope.clone()], mark: Some(mark), batch: two.new_batch() };
    target.publish(publication).await?;
    ensure_equal("the mark", &target.mark().await?, &mark)?;
    ensure_equal("the log's id", &two.store.log_id(), &mark.log_id)?;
    two.commit(&scope, two.new_batch().record(two.dataset_event(&scope, "next")?)).await?;
    let fed = two.read_feed(std::slice::from_ref(&scope)).await?;
    let position = fed.last().map(|item| item.position);
    ensure(position.is_some_and(|position| position > mark.feed_position), || {
        format!("a position is given again: {position:?}")
    })?;
    if two.store.capabilities().durable {
        drop(two);
        ensure_equal("the log's id", &opener.open("mark_two").await?.store.log_id(), &mark.log_id)?;
    }
    Ok(CaseOutcome::Passed)
}

/// Staged records and their progress survive a crash of the process, and staging can be resumed.
pub async fn staging_survives(opener: &StoreFactory) -> CaseResult {
    const NAME: &str = "archive_survives";
    let bench = opener.open(NAME).await?;
    if !bench.store.capabilities().durable {
        return Ok(CaseOutcome::Skipped("durable is not promised".into()));
    }
    let (from, to) = (bench.new_scope()?, bench.new_scope()?);
    fill_scope(&bench, &from).await?;
    let archive = archive_of!(bench);
    let snapshot = archive.snapshot(&from).await?;
    let wanted = record_lines(&*snapshot, 100).await?;
    let mut parts = Vec::new();
    for section in Section::ALL {
        parts.extend(
            read_sparse_pages(100, |page| snapshot.records(section, page)).await?.into_iter().map(without_position),
        );
    }
    let half = parts.len() / 2;
    let rest = parts.split_off(half);
    archive.stage(&to, parts, "half").await?;
    drop(snapshot);
    drop(bench);

    let bench = opener.open(NAME).await?;
    let archive = archive_of!(bench);
    bench.ensure_scope_empty(&to, &[canvas("c1")?], None).await?;
    let staged = archive.staged().await?;
    let progress: Vec<_> = staged.iter().map(|staged| (&staged.scope, staged.progress.as_str())).collect();
    ensure_equal("what is staged", &progress, &vec![(&to, "half")])?;
    archive.stage(&to, rest, "whole").await?;
    drop(bench);

    let bench = opener.open(NAME).await?;
    let archive = archive_of!(bench);
    archive.publish(publication(&[&to], bench.new_batch())).await?;
    ensure_equal("published records", &record_lines(&*archive.snapshot(&to).await?, 100).await?, &wanted)?;
    for key in ["k2", "k5", "k68"] {
        let receipt = bench.store.receipt(&to, &idempotency("whole", key, 0)).await?;
        ensure(receipt.is_some(), || format!("the key {key} is forgotten"))?;
    }
    Ok(CaseOutcome::Passed)
}
