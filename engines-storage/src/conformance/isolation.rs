//! Isolation: scopes with the same ids do not affect each other.

use engines_core::{
    DocId, Env, Scope,
    audit::AuditFilter,
    event::EventFilter,
    nexus::{DocumentQuery, Expect, ExpectedHead, PageRequest, QueryOrder, StoreChange},
    stream::Seq,
    testing,
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    assertions::{next_change, require_found},
    case::Case,
    fixture::{NOTE, canvas, idempotency, kept_outcomes, note},
    report::{ensure, ensure_equal},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("isolation::same_ids_everywhere", |fixture| Box::pin(same_ids_everywhere(fixture))),
        Case::store("isolation::other_scopes_are_empty", |fixture| Box::pin(other_scopes_are_empty(fixture))),
        Case::store("isolation::tokens_do_not_cross", |fixture| Box::pin(tokens_do_not_cross(fixture))),
        Case::store("isolation::changes_name_their_scope", |fixture| Box::pin(changes_name_their_scope(fixture))),
    ]
}

/// Three tenants with a common prefix in their names, in every environment.
fn similar_scopes(fixture: &Fixture) -> Result<Vec<Scope>, CaseFailure> {
    let name = fixture.unique_word();
    let mut scopes = Vec::new();
    for tenant in [format!("t_{name}"), format!("t_{name}-dev"), format!("t_{name}_")] {
        for env in Env::ALL {
            scopes.push(testing::scope(&tenant, env)?);
        }
    }
    Ok(scopes)
}

/// The same ids and keys in every scope refer to that scope's own data. Changes in one scope change no other scope.
pub async fn same_ids_everywhere(fixture: &Fixture) -> CaseResult {
    let scopes = similar_scopes(fixture)?;
    let key = canvas("c1")?;
    for (n, scope) in scopes.iter().enumerate() {
        let own = scope.to_string();
        let batch = fixture
            .new_batch()
            .put(note("d1", own.clone())?.tag("t"), Expect::Absent)
            .append(key.clone(), ExpectedHead::Seq(Seq::ZERO), vec![fixture.new_event(scope, own.clone())?])
            .record(fixture.dataset_event(scope, "isolation")?)
            .audit(fixture.audit_entry(scope, "conformance.isolation", &own)?)
            .with_idempotency(idempotency("realm", "key", u8::try_from(n).unwrap_or(u8::MAX)));
        let receipt = fixture.commit(scope, batch).await?;
        ensure(!receipt.replayed, || format!("{scope} got another scope's receipt"))?;
        ensure_equal(
            &format!("places in {scope}"),
            &(&receipt.versions, &receipt.recorded),
            &(&vec![1], &kept_outcomes(1..=1)),
        )?;
    }
    for (n, scope) in scopes.iter().enumerate() {
        check_own_data(fixture, scope, u8::try_from(n).unwrap_or(u8::MAX)).await?;
    }
    // Everything in the first scope is changed or removed; the other scopes stay as they were.
    let first = &scopes[0];
    fixture.commit(first, fixture.new_batch().put(note("d1", "changed")?, Expect::Version(1))).await?;
    let batch = fixture.new_batch().delete(NOTE, DocId::new("d1")?, Expect::Version(2)).append(
        key.clone(),
        ExpectedHead::Seq(Seq(1)),
        fixture.new_events(first, [2])?,
    );
    fixture.commit(first, batch.record(fixture.dataset_event(first, "isolation")?)).await?;
    fixture.commit(first, fixture.new_batch().trim(key, Seq(3))).await?;
    for (n, scope) in scopes.iter().enumerate().skip(1) {
        check_own_data(fixture, scope, u8::try_from(n).unwrap_or(u8::MAX)).await?;
    }
    let fed = fixture.read_feed(&scopes).await?;
    for (n, scope) in scopes.iter().enumerate() {
        let own = fed.iter().filter(|item| item.scope == *scope).count();
        ensure_equal(&format!("events of {scope} in the feed"), &own, &if n == 0 { 2 } else { 1 })?;
    }
    Ok(CaseOutcome::Passed)
}

async fn check_own_data(fixture: &Fixture, scope: &Scope, fingerprint: u8) -> Result<(), CaseFailure> {
    let own = scope.to_string();
    ensure_equal("a document", &require_found(fixture.get(scope, "d1").await?)?.decode::<String>()?, &own)?;
    for order in [QueryOrder::IdAscending, QueryOrder::IdDescending, QueryOrder::UpdatedDescending] {
        for query in [DocumentQuery::of_kind(NOTE).order(order), DocumentQuery::of_kind(NOTE).tag("t").order(order)] {
            let listed = fixture.list_all(scope, &query, 10).await?;
            let bodies = listed.iter().map(|document| document.decode::<String>()).collect::<Result<Vec<_>, _>>()?;
            ensure_equal(&format!("documents of {scope}, {order:?}"), &bodies, &vec![own.clone()])?;
        }
    }
    let events = fixture.read_all(scope, &canvas("c1")?, Seq::ZERO).await?;
    ensure_equal(&format!("events of {scope}"), &events.len(), &1)?;
    let data = super::assertions::parse_value(events[0].event.data.get())?;
    ensure_equal("an event", &data, &serde_json::json!({ "n": own }))?;
    ensure_equal("a head", &fixture.store.head(scope, &canvas("c1")?).await?.seq, &Seq(1))?;
    ensure_equal("dataset events", &fixture.list_events(scope, &EventFilter::default()).await?.len(), &1)?;
    let audit = fixture.list_audit(scope, &AuditFilter::default()).await?;
    ensure_equal("audit records", &audit.into_iter().map(|entry| entry.resource).collect::<Vec<_>>(), &vec![own])?;
    let receipt = fixture.store.receipt(scope, &idempotency("realm", "key", 0)).await?;
    ensure_equal("a receipt's fingerprint", &receipt.map(|(_, kept)| kept), &Some([fingerprint; 32]))
}

/// A scope without writes is empty for every kind of read, next to scopes with data.
pub async fn other_scopes_are_empty(fixture: &Fixture) -> CaseResult {
    let scopes = similar_scopes(fixture)?;
    let (strangers, natives) = scopes.split_at(2);
    let key = canvas("c1")?;
    let once = idempotency("realm", "key", 1);
    for scope in natives {
        let batch = fixture
            .new_batch()
            .put(note("d1", 1)?.tag("t"), Expect::Absent)
            .append(key.clone(), ExpectedHead::Any, fixture.new_events(scope, 1..=3)?)
            .record(fixture.dataset_event(scope, "isolation")?)
            .audit(fixture.audit_entry(scope, "conformance.isolation", "r")?);
        fixture.commit(scope, batch.with_idempotency(once.clone())).await?;
    }
    for stranger in strangers {
        ensure(fixture.get(stranger, "d1").await?.is_none(), || format!("{stranger} sees another scope's document"))?;
        fixture.ensure_scope_empty(stranger, std::slice::from_ref(&key), Some(&once)).await?;
        let batch = fixture.new_batch().delete(NOTE, DocId::new("d1")?, Expect::Any);
        fixture.commit(stranger, batch.trim(key.clone(), Seq(1))).await?;
    }
    for scope in natives {
        ensure(fixture.get(scope, "d1").await?.is_some(), || format!("a stranger deleted what is in {scope}"))?;
        ensure_equal("events", &fixture.read_all(scope, &key, Seq::ZERO).await?.len(), &3)?;
    }
    Ok(CaseOutcome::Passed)
}

/// A page token from one scope, used in another, shows no data of the first.
pub async fn tokens_do_not_cross(fixture: &Fixture) -> CaseResult {
    let scopes = similar_scopes(fixture)?;
    for scope in &scopes[..2] {
        for n in 0..4 {
            let document = note(&format!("d{n}"), scope.to_string())?;
            let batch =
                fixture.new_batch().put(document, Expect::Absent).record(fixture.dataset_event(scope, "isolation")?);
            fixture
                .commit(scope, batch.audit(fixture.audit_entry(scope, "conformance.isolation", &scope.to_string())?))
                .await?;
        }
    }
    let (mine, other) = (&scopes[0], &scopes[1]);
    let ids: Vec<_> =
        fixture.list_events(mine, &EventFilter::default()).await?.into_iter().map(|event| event.event_id).collect();
    for order in [QueryOrder::IdAscending, QueryOrder::IdDescending, QueryOrder::UpdatedDescending] {
        let query = DocumentQuery::of_kind(NOTE).order(order);
        let token = fixture.store.query(mine, &query, PageRequest::first(2)).await?.next.unwrap_or_default();
        for document in fixture
            .store
            .query(other, &query, PageRequest::after(10, token))
            .await
            .map(|page| page.items)
            .unwrap_or_default()
        {
            ensure_equal("whose document a foreign token shows", &document.decode::<String>()?, &other.to_string())?;
        }
    }
    let token =
        fixture.store.events(mine, &EventFilter::default(), PageRequest::first(2)).await?.next.unwrap_or_default();
    let shown = fixture.store.events(other, &EventFilter::default(), PageRequest::after(10, token)).await;
    let shown = shown.map(|page| page.items).unwrap_or_default();
    ensure(!shown.iter().any(|event| ids.contains(&event.event_id)), || "a token shows another scope's events".into())?;
    let token =
        fixture.store.audit(mine, &AuditFilter::default(), PageRequest::first(2)).await?.next.unwrap_or_default();
    let shown = fixture.store.audit(other, &AuditFilter::default(), PageRequest::after(10, token)).await;
    let shown = shown.map(|page| page.items).unwrap_or_default();
    ensure(shown.iter().all(|entry| entry.resource == other.to_string()), || "a token shows another's audit".into())?;
    Ok(CaseOutcome::Passed)
}

/// A change notification names the scope of the append, and no other scope's stream with the same key.
pub async fn changes_name_their_scope(fixture: &Fixture) -> CaseResult {
    let scopes = similar_scopes(fixture)?;
    let key = canvas("c1")?;
    let mut changes = fixture.store.changes();
    let written = &scopes[4];
    let batch = fixture.new_batch().append(key.clone(), ExpectedHead::Any, fixture.new_events(written, 1..=2)?);
    fixture.commit(written, batch).await?;
    let mut named = 0;
    while named == 0 {
        match next_change(&mut changes).await? {
            StoreChange::Appended(heads) => {
                for (scope, _, _) in heads.iter().filter(|(scope, _, _)| scopes.contains(scope)) {
                    ensure_equal("the scope a wake-up names", scope, written)?;
                    named += 1;
                }
            }
            _ => break,
        }
    }
    Ok(CaseOutcome::Passed)
}
