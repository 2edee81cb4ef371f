//! Paging: every list is complete, stable and free of duplicates while others write; what is no token is refused.

use std::collections::BTreeSet;

use engines_core::{
    Code,
    audit::AuditFilter,
    event::EventFilter,
    nexus::{Expect, Order, Page, Paged, Query},
};

use super::{
    Bench, Failure, Outcome, Verdict,
    bench::{NOTE, note, pages},
    runner::Case,
    verdict::{ensure, same},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("paging::complete", |bench| Box::pin(complete(bench))),
        Case::store("paging::stable_during_writes", |bench| Box::pin(stable_during_writes(bench))),
        Case::store("paging::malformed_tokens", |bench| Box::pin(malformed_tokens(bench))),
    ]
}

const ORDERS: [Order; 3] = [Order::IdAscending, Order::IdDescending, Order::UpdatedDescending];

/// Pages of every size give the whole list in order, and the last page says that it is the last, also when it is full.
pub async fn complete(bench: &Bench) -> Verdict {
    const ITEMS: usize = 12;
    let scope = bench.scope()?;
    for n in 0..ITEMS {
        let batch = bench.batch().put(note(&format!("d{n:02}"), n)?.tag("t"), Expect::Absent);
        let batch = batch.record(bench.dataset(&scope, "paging")?);
        bench.commit(&scope, batch.audit(bench.audit(&scope, "conformance.paging", "r")?)).await?;
    }
    let (all_events, all_audit) = (EventFilter::default(), AuditFilter::default());
    let rising: Vec<_> = (0..ITEMS).map(|n| format!("d{n:02}")).collect();
    for limit in [1, 2, 3, 4, 5, 6, 11, 12, 13, 500, usize::MAX] {
        let what = format!("pages of {limit}");
        for order in ORDERS {
            for query in [Query::kind(NOTE).order(order), Query::kind(NOTE).tag("t").order(order)] {
                let mut ids: Vec<_> =
                    bench.list(&scope, &query, limit).await?.iter().map(|d| d.id.to_string()).collect();
                if order != Order::IdAscending {
                    ids.reverse();
                }
                same(&format!("{what}, {order:?}"), &ids, &rising)?;
            }
        }
        let events = pages(limit, |page| bench.store.events(&scope, &all_events, page)).await?;
        same(&what, &events.iter().map(|event| event.seq.0).collect::<Vec<_>>(), &(1..=12).collect::<Vec<_>>())?;
        let audit = pages(limit, |page| bench.store.audit(&scope, &all_audit, page)).await?;
        same(&what, &(audit.len(), audit.is_sorted_by_key(|entry| entry.ts)), &(ITEMS, true))?;
    }
    let zero = bench.store.query(&scope, &Query::kind(NOTE), Page { limit: 0, after: None }).await?;
    same("items of a page of 0, which counts as 1", &zero.items.len(), &1)?;
    Ok(Outcome::Passed)
}

/// While others write, change and delete, what was there before and stays is listed exactly once, in order.
pub async fn stable_during_writes(bench: &Bench) -> Verdict {
    let scope = bench.scope()?;
    let rounds = bench.settings.rounds * 4;
    for n in 0..rounds {
        let batch = bench.batch().put(note(&format!("keep{n:04}"), n)?, Expect::Absent);
        let batch = batch.record(bench.dataset(&scope, "before")?);
        bench.commit(&scope, batch.audit(bench.audit(&scope, "conformance.before", "r")?)).await?;
    }
    let writer = tokio::spawn({
        let (bench, scope) = (bench.clone(), scope.clone());
        async move {
            for n in 0..rounds {
                // Before, between and behind what is listed; then gone again.
                for id in [format!("a{n:04}"), format!("keep{n:04}a"), format!("z{n:04}")] {
                    let batch = bench.batch().put(note(&id, n)?, Expect::Absent);
                    let batch = batch.record(bench.dataset(&scope, "during")?);
                    let batch = batch.audit(bench.audit(&scope, "conformance.during", "r")?);
                    bench.commit(&scope, batch).await?;
                    if n % 2 == 0 {
                        let id = engines_core::DocId::new(id)?;
                        bench.commit(&scope, bench.batch().delete(NOTE, id, Expect::Present)).await?;
                    }
                }
            }
            Ok::<_, Failure>(())
        }
    });
    let (all_events, all_audit) = (EventFilter::default(), AuditFilter::default());
    let kept: Vec<_> = (0..rounds).map(|n| format!("keep{n:04}")).collect();
    loop {
        let last = writer.is_finished();
        for order in ORDERS {
            let listed = bench.list(&scope, &Query::kind(NOTE).order(order), 3).await?;
            let ids: Vec<_> = listed.iter().map(|document| document.id.to_string()).collect();
            let distinct: BTreeSet<_> = ids.iter().collect();
            same(&format!("distinct documents, {order:?}"), &distinct.len(), &ids.len())?;
            let mut old: Vec<_> = ids.into_iter().filter(|id| id.starts_with("keep") && id.len() == 8).collect();
            if order != Order::IdAscending {
                old.reverse();
            }
            same(&format!("documents that stayed, {order:?}"), &old, &kept)?;
        }
        let events = pages(3, |page| bench.store.events(&scope, &all_events, page)).await?;
        let seqs: Vec<_> = events.iter().map(|event| event.seq.0).collect();
        same("places of events", &seqs, &(1..=seqs.len() as u64).collect::<Vec<_>>())?;
        let audit = pages(3, |page| bench.store.audit(&scope, &all_audit, page)).await?;
        let distinct: BTreeSet<_> = audit.iter().map(|entry| entry.audit_id).collect();
        same("distinct audit records", &distinct.len(), &audit.len())?;
        if last {
            break;
        }
    }
    writer.await.map_err(|error| Failure::new(format!("a task died: {error}")))??;
    Ok(Outcome::Passed)
}

/// Tokens that are empty, damaged, enormous or of another list are `CURSOR_INVALID`, in every list, also in an empty scope.
pub async fn malformed_tokens(bench: &Bench) -> Verdict {
    let (scope, empty) = (bench.scope()?, bench.scope()?);
    for n in 0..3 {
        let batch = bench.batch().put(note(&format!("d{n}"), n)?, Expect::Absent);
        let batch = batch.record(bench.dataset(&scope, "tokens")?);
        bench.commit(&scope, batch.audit(bench.audit(&scope, "conformance.tokens", "r")?)).await?;
    }
    let token = |next: Option<String>| next.ok_or_else(|| Failure::new("a first page of 1 of 3 has no next"));
    let query = |order| Query::kind(NOTE).order(order);
    let of_documents = token(bench.store.query(&scope, &query(Order::IdAscending), Page::first(1)).await?.next)?;
    let of_events = token(bench.store.events(&scope, &EventFilter::default(), Page::first(1)).await?.next)?;
    let of_audit = token(bench.store.audit(&scope, &AuditFilter::default(), Page::first(1)).await?.next)?;
    let bad = ["", " ", "!", "AAAA", "null", "../..", "%00", "日本", "0", "-1"].map(str::to_owned);
    let bad: Vec<_> = bad.into_iter().chain([of_documents.repeat(2), "A".repeat(1 << 16), "\0".into()]).collect();
    for scope in [&scope, &empty] {
        for text in &bad {
            for order in ORDERS {
                refused(text, bench.store.query(scope, &query(order), Page::after(2, text)).await)?;
            }
            refused(text, bench.store.events(scope, &EventFilter::default(), Page::after(2, text)).await)?;
            refused(text, bench.store.audit(scope, &AuditFilter::default(), Page::after(2, text)).await)?;
        }
        for text in [&of_events, &of_audit] {
            refused(
                "one of another list",
                bench.store.query(scope, &query(Order::IdAscending), Page::after(2, text)).await,
            )?;
        }
        for text in [&of_documents, &of_audit] {
            let found = bench.store.events(scope, &EventFilter::default(), Page::after(2, text)).await;
            refused("one of another list", found)?;
        }
        for text in [&of_documents, &of_events] {
            let found = bench.store.audit(scope, &AuditFilter::default(), Page::after(2, text)).await;
            refused("one of another list", found)?;
        }
    }
    Ok(Outcome::Passed)
}

#[track_caller]
fn refused<T>(text: &str, answer: engines_core::Result<Paged<T>>) -> Result<(), Failure> {
    let code = answer.as_ref().err().map(engines_core::Error::code);
    ensure(code == Some(Code::CursorInvalid), || {
        let text: String = text.chars().take(40).collect();
        format!("the token {text:?}: wanted CURSOR_INVALID, got {code:?} (none is success)")
    })
}
