//! Paging: lists are complete, stable and without duplicates during writes; malformed tokens are rejected.

use std::collections::BTreeSet;

use engines_core::{
    Code,
    audit::AuditFilter,
    event::EventFilter,
    nexus::{DocumentQuery, Expect, Page, PageRequest, QueryOrder},
    stream::LogId,
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    case::Case,
    fixture::{NOTE, note, read_pages},
    report::{ensure, ensure_equal},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("paging::complete", |bench| Box::pin(complete(bench))),
        Case::store("paging::page_of_zero", |bench| Box::pin(page_of_zero(bench))),
        Case::store("paging::stable_during_writes", |bench| Box::pin(stable_during_writes(bench))),
        Case::store("paging::malformed_tokens", |bench| Box::pin(malformed_tokens(bench))),
    ]
}

const ORDERS: [QueryOrder; 3] = [QueryOrder::IdAscending, QueryOrder::IdDescending, QueryOrder::UpdatedDescending];

/// Pages of every size return the whole list in order. The last page has no token, also when it is full.
pub async fn complete(bench: &Fixture) -> CaseResult {
    const ITEMS: usize = 12;
    let scope = bench.new_scope()?;
    for n in 0..ITEMS {
        let batch = bench.new_batch().put(note(&format!("d{n:02}"), n)?.tag("t"), Expect::Absent);
        let batch = batch.record(bench.dataset_event(&scope, "paging")?);
        bench.commit(&scope, batch.audit(bench.audit_entry(&scope, "conformance.paging", "r")?)).await?;
    }
    let (all_events, all_audit) = (EventFilter::default(), AuditFilter::default());
    let rising: Vec<_> = (0..ITEMS).map(|n| format!("d{n:02}")).collect();
    for limit in [1, 2, 3, 4, 5, 6, 11, 12, 13, 500, usize::MAX] {
        let what = format!("pages of {limit}");
        for order in ORDERS {
            for query in [DocumentQuery::of_kind(NOTE).order(order), DocumentQuery::of_kind(NOTE).tag("t").order(order)]
            {
                let mut ids: Vec<_> =
                    bench.list_all(&scope, &query, limit).await?.iter().map(|d| d.id.to_string()).collect();
                if order != QueryOrder::IdAscending {
                    ids.reverse();
                }
                ensure_equal(&format!("{what}, {order:?}"), &ids, &rising)?;
            }
        }
        let events = read_pages(limit, |page| bench.store.events(&scope, &all_events, page)).await?;
        ensure_equal(
            &what,
            &events.iter().map(|event| event.seq.0).collect::<Vec<_>>(),
            &(1..=12).collect::<Vec<_>>(),
        )?;
        let audit = read_pages(limit, |page| bench.store.audit(&scope, &all_audit, page)).await?;
        ensure_equal(&what, &(audit.len(), audit.is_sorted_by_key(|entry| entry.ts)), &(ITEMS, true))?;
    }
    Ok(CaseOutcome::Passed)
}

/// A page of 0 items counts as a page of 1 in every list, so that a list can always be read to its end.
pub async fn page_of_zero(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    for n in 0..2 {
        let batch = bench.new_batch().put(note(&format!("d{n}"), n)?, Expect::Absent);
        let batch = batch.record(bench.dataset_event(&scope, "paging")?);
        bench.commit(&scope, batch.audit(bench.audit_entry(&scope, "conformance.paging", "r")?)).await?;
    }
    let zero = || PageRequest { limit: 0, after: None };
    for order in ORDERS {
        let found = bench.store.query(&scope, &DocumentQuery::of_kind(NOTE).order(order), zero()).await?;
        ensure_equal(&format!("documents, {order:?}"), &(found.items.len(), found.next.is_some()), &(1, true))?;
    }
    let found = bench.store.events(&scope, &EventFilter::default(), zero()).await?;
    ensure_equal("events", &(found.items.len(), found.next.is_some()), &(1, true))?;
    let found = bench.store.audit(&scope, &AuditFilter::default(), zero()).await?;
    ensure_equal("audit records", &(found.items.len(), found.next.is_some()), &(1, true))?;
    Ok(CaseOutcome::Passed)
}

/// During concurrent writes and deletions, every item that exists throughout is listed exactly once, in order.
pub async fn stable_during_writes(bench: &Fixture) -> CaseResult {
    let scope = bench.new_scope()?;
    let rounds = bench.settings.rounds * 4;
    for n in 0..rounds {
        let batch = bench.new_batch().put(note(&format!("keep{n:04}"), n)?, Expect::Absent);
        let batch = batch.record(bench.dataset_event(&scope, "before")?);
        bench.commit(&scope, batch.audit(bench.audit_entry(&scope, "conformance.before", "r")?)).await?;
    }
    let writer = tokio::spawn({
        let (bench, scope) = (bench.clone(), scope.clone());
        async move {
            for n in 0..rounds {
                // Ids before, between and after the listed ones, which are then deleted.
                for id in [format!("a{n:04}"), format!("keep{n:04}a"), format!("z{n:04}")] {
                    let batch = bench.new_batch().put(note(&id, n)?, Expect::Absent);
                    let batch = batch.record(bench.dataset_event(&scope, "during")?);
                    let batch = batch.audit(bench.audit_entry(&scope, "conformance.during", "r")?);
                    bench.commit(&scope, batch).await?;
                    if n % 2 == 0 {
                        let id = engines_core::DocId::new(id)?;
                        bench.commit(&scope, bench.new_batch().delete(NOTE, id, Expect::Present)).await?;
                    }
                }
            }
            Ok::<_, CaseFailure>(())
        }
    });
    let (all_events, all_audit) = (EventFilter::default(), AuditFilter::default());
    let kept: Vec<_> = (0..rounds).map(|n| format!("keep{n:04}")).collect();
    loop {
        let last = writer.is_finished();
        for order in ORDERS {
            let listed = bench.list_all(&scope, &DocumentQuery::of_kind(NOTE).order(order), 3).await?;
            let ids: Vec<_> = listed.iter().map(|document| document.id.to_string()).collect();
            let distinct: BTreeSet<_> = ids.iter().collect();
            ensure_equal(&format!("distinct documents, {order:?}"), &distinct.len(), &ids.len())?;
            let mut old: Vec<_> = ids.into_iter().filter(|id| id.starts_with("keep") && id.len() == 8).collect();
            if order != QueryOrder::IdAscending {
                old.reverse();
            }
            ensure_equal(&format!("documents that stayed, {order:?}"), &old, &kept)?;
        }
        let events = read_pages(3, |page| bench.store.events(&scope, &all_events, page)).await?;
        let seqs: Vec<_> = events.iter().map(|event| event.seq.0).collect();
        ensure_equal("places of events", &seqs, &(1..=seqs.len() as u64).collect::<Vec<_>>())?;
        let audit = read_pages(3, |page| bench.store.audit(&scope, &all_audit, page)).await?;
        let distinct: BTreeSet<_> = audit.iter().map(|entry| entry.audit_id).collect();
        ensure_equal("distinct audit records", &distinct.len(), &audit.len())?;
        if last {
            break;
        }
    }
    writer.await.map_err(|error| CaseFailure::new(format!("a task failed: {error}")))??;
    Ok(CaseOutcome::Passed)
}

/// Empty, damaged, very long and foreign tokens fail with `CURSOR_INVALID`, in every list, also in an empty scope.
pub async fn malformed_tokens(bench: &Fixture) -> CaseResult {
    let (scope, empty) = (bench.new_scope()?, bench.new_scope()?);
    for n in 0..3 {
        let batch = bench.new_batch().put(note(&format!("d{n}"), n)?, Expect::Absent);
        let batch = batch.record(bench.dataset_event(&scope, "tokens")?);
        bench.commit(&scope, batch.audit(bench.audit_entry(&scope, "conformance.tokens", "r")?)).await?;
    }
    let token = |next: Option<String>| next.ok_or_else(|| CaseFailure::new("a first page of 1 of 3 has no next"));
    let query = |order| DocumentQuery::of_kind(NOTE).order(order);
    let of_documents =
        token(bench.store.query(&scope, &query(QueryOrder::IdAscending), PageRequest::first(1)).await?.next)?;
    let of_events = token(bench.store.events(&scope, &EventFilter::default(), PageRequest::first(1)).await?.next)?;
    let of_audit = token(bench.store.audit(&scope, &AuditFilter::default(), PageRequest::first(1)).await?.next)?;
    let bad = ["", " ", "!", "AAAA", "null", "../..", "%00", "日本", "0", "-1"].map(str::to_owned);
    let bad: Vec<_> = bad.into_iter().chain([of_documents.repeat(2), "A".repeat(1 << 16), "\0".into()]).collect();
    // The same positions in another log.
    let log = bench.store.log_id();
    let mut other = log.to_bytes();
    other[0] ^= 1;
    let in_other_log = |token: &str| -> Result<String, CaseFailure> {
        let unbound = PageRequest::after(1, token).unbind_from_log(log)?.after;
        let bound = Page::<()> { items: Vec::new(), next: unbound }.bind_to_log(LogId::from_bytes(other)).next;
        bound.ok_or_else(|| CaseFailure::new("a token without text"))
    };
    for scope in [&scope, &empty] {
        let found =
            bench.store.events(scope, &EventFilter::default(), PageRequest::after(2, in_other_log(&of_events)?)).await;
        expect_cursor_invalid("a token of another log", found)?;
        let found =
            bench.store.audit(scope, &AuditFilter::default(), PageRequest::after(2, in_other_log(&of_audit)?)).await;
        expect_cursor_invalid("a token of another log", found)?;
    }
    for scope in [&scope, &empty] {
        for text in &bad {
            for order in ORDERS {
                expect_cursor_invalid(
                    text,
                    bench.store.query(scope, &query(order), PageRequest::after(2, text)).await,
                )?;
            }
            expect_cursor_invalid(
                text,
                bench.store.events(scope, &EventFilter::default(), PageRequest::after(2, text)).await,
            )?;
            expect_cursor_invalid(
                text,
                bench.store.audit(scope, &AuditFilter::default(), PageRequest::after(2, text)).await,
            )?;
        }
        for text in [&of_events, &of_audit] {
            expect_cursor_invalid(
                "one of another list",
                bench.store.query(scope, &query(QueryOrder::IdAscending), PageRequest::after(2, text)).await,
            )?;
        }
        for text in [&of_documents, &of_audit] {
            let found = bench.store.events(scope, &EventFilter::default(), PageRequest::after(2, text)).await;
            expect_cursor_invalid("one of another list", found)?;
        }
        for text in [&of_documents, &of_events] {
            let found = bench.store.audit(scope, &AuditFilter::default(), PageRequest::after(2, text)).await;
            expect_cursor_invalid("one of another list", found)?;
        }
    }
    Ok(CaseOutcome::Passed)
}

#[track_caller]
fn expect_cursor_invalid<T>(text: &str, answer: engines_core::Result<Page<T>>) -> Result<(), CaseFailure> {
    let code = answer.as_ref().err().map(engines_core::Error::code);
    ensure(code == Some(Code::CursorInvalid), || {
        let text: String = text.chars().take(40).collect();
        format!("the token {text:?}: wanted CURSOR_INVALID, got {code:?} (none is success)")
    })
}
