//! Limits: a batch exactly at a limit is accepted; a batch beyond it is rejected, and nothing of it is stored.

use engines_core::{
    Batch, Code,
    nexus::{CommitError, Expect, ExpectedHead},
};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    case::Case,
    fixture::{canvas, json_of_size, note},
    report::{ensure, ensure_equal},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("limits::writes", |fixture| Box::pin(writes(fixture))),
        Case::store("limits::events_count_as_writes", |fixture| Box::pin(events_count_as_writes(fixture))),
        Case::store("limits::tags", |fixture| Box::pin(tags(fixture))),
        Case::store("limits::document_bytes", |fixture| Box::pin(document_bytes(fixture))),
        Case::store("limits::event_bytes", |fixture| Box::pin(event_bytes(fixture))),
        Case::store("limits::batch_bytes", |fixture| Box::pin(batch_bytes(fixture))),
    ]
}

/// Maximum number of writes for which a limit is tested.
const MAX_TRIED_WRITES: usize = 200_000;

/// Skips the case if the limit is too large to be tested.
fn skip_limit(name: &str, limit: usize, most: usize) -> Option<CaseOutcome> {
    (limit > most).then(|| CaseOutcome::Skipped(format!("{name} is {limit}, more than the {most} that are tested")))
}

/// Fails unless `batch` is rejected as too large and leaves nothing behind.
async fn expect_too_large(fixture: &Fixture, batch: Batch) -> Result<(), CaseFailure> {
    let scope = fixture.new_scope()?;
    match fixture.commit(&scope, batch).await {
        Err(CommitError::Refused(error)) => ensure_equal("the code of a refusal", &error.code(), &Code::BodyTooLarge)?,
        other => return Err(CaseFailure::new(format!("past the limit: wanted Refused, got {:?}", other.map(drop)))),
    }
    fixture.ensure_scope_empty(&scope, &[canvas("c1")?], None).await
}

/// The number of documents in one batch.
pub async fn writes(fixture: &Fixture) -> CaseResult {
    let limit = fixture.store.capabilities().max_writes;
    if let Some(left_out) = skip_limit("max_writes", limit, MAX_TRIED_WRITES) {
        return Ok(left_out);
    }
    let documents = |count: usize| -> Result<Batch, CaseFailure> {
        (0..count)
            .try_fold(fixture.new_batch(), |batch, n| Ok(batch.put(note(&format!("d{n:07}"), n)?, Expect::Absent)))
    };
    let scope = fixture.new_scope()?;
    let receipt = fixture.commit(&scope, documents(limit)?).await?;
    ensure_equal("versions", &receipt.versions.len(), &limit)?;
    let last = fixture.get(&scope, &format!("d{:07}", limit - 1)).await?;
    ensure(last.is_some(), || "the last document of a full batch is not there".into())?;
    expect_too_large(fixture, documents(limit + 1)?).await?;
    Ok(CaseOutcome::Passed)
}

/// The number of events in one batch; each counts as a write.
pub async fn events_count_as_writes(fixture: &Fixture) -> CaseResult {
    let limit = fixture.store.capabilities().max_writes;
    if let Some(left_out) = skip_limit("max_writes", limit, MAX_TRIED_WRITES) {
        return Ok(left_out);
    }
    let scope = fixture.new_scope()?;
    let events = fixture.new_events(&scope, 1..=limit as u64)?;
    let receipt = fixture.commit(&scope, fixture.new_batch().append(canvas("c1")?, ExpectedHead::Any, events)).await?;
    ensure_equal("the last place", &receipt.appended[0].last.0, &(limit as u64))?;
    let events = fixture.new_events(&scope, 1..=limit as u64)?;
    let batch = fixture.new_batch().append(canvas("c1")?, ExpectedHead::Any, events);
    expect_too_large(fixture, batch.put(note("d", 1)?, Expect::Absent)).await?;
    Ok(CaseOutcome::Passed)
}

/// The number of tags on one document.
pub async fn tags(fixture: &Fixture) -> CaseResult {
    let limit = fixture.store.capabilities().max_tags;
    if let Some(left_out) = skip_limit("max_tags", limit, 10_000) {
        return Ok(left_out);
    }
    let tagged = |count: usize| -> Result<Batch, CaseFailure> {
        let document = (0..count).fold(note("d", 1)?, |document, n| document.tag(format!("tag{n}")));
        Ok(fixture.new_batch().put(document, Expect::Absent))
    };
    let scope = fixture.new_scope()?;
    fixture.commit(&scope, tagged(limit)?).await?;
    ensure_equal("tags", &fixture.get(&scope, "d").await?.map(|document| document.tags.len()), &Some(limit))?;
    expect_too_large(fixture, tagged(limit + 1)?).await?;
    Ok(CaseOutcome::Passed)
}

/// The size of one document.
pub async fn document_bytes(fixture: &Fixture) -> CaseResult {
    let limits = fixture.store.capabilities();
    let limit = limits.max_document_bytes;
    if let Some(left_out) = skip_limit("max_document_bytes", limit, fixture.settings.heavy_bytes) {
        return Ok(left_out);
    }
    let document = |bytes: usize| -> Result<Batch, CaseFailure> {
        let mut document = note("d", 1)?;
        document.body = json_of_size(bytes)?;
        Ok(fixture.new_batch().put(document, Expect::Absent))
    };
    let scope = fixture.new_scope()?;
    let fits = limit.min(limits.max_batch_bytes);
    fixture.commit(&scope, document(fits)?).await?;
    let read = fixture.get(&scope, "d").await?.map(|document| document.body.get().len());
    ensure_equal("bytes", &read, &Some(fits))?;
    expect_too_large(fixture, document(limit + 1)?).await?;
    Ok(CaseOutcome::Passed)
}

/// The size of one stream event.
pub async fn event_bytes(fixture: &Fixture) -> CaseResult {
    let limits = fixture.store.capabilities();
    let limit = limits.max_event_bytes;
    if let Some(left_out) = skip_limit("max_event_bytes", limit, fixture.settings.heavy_bytes) {
        return Ok(left_out);
    }
    let scope = fixture.new_scope()?;
    let append = |bytes: usize| -> Result<Batch, CaseFailure> {
        let mut event = fixture.new_event(&scope, 1)?;
        event.data = json_of_size(bytes)?;
        Ok(fixture.new_batch().append(canvas("c1")?, ExpectedHead::Any, vec![event]))
    };
    let fits = limit.min(limits.max_batch_bytes);
    fixture.commit(&scope, append(fits)?).await?;
    let read = fixture.read_all(&scope, &canvas("c1")?, engines_core::stream::Seq::ZERO).await?;
    ensure_equal("bytes", &read.first().map(|event| event.event.size()), &Some(fits))?;
    expect_too_large(fixture, append(limit + 1)?).await?;
    Ok(CaseOutcome::Passed)
}

/// The size of one batch.
pub async fn batch_bytes(fixture: &Fixture) -> CaseResult {
    let limits = fixture.store.capabilities();
    let limit = limits.max_batch_bytes;
    if let Some(left_out) = skip_limit("max_batch_bytes", limit, fixture.settings.heavy_bytes) {
        return Ok(left_out);
    }
    let each = limits.max_document_bytes.clamp(2, limit);
    let filled = |bytes: usize| -> Result<Batch, CaseFailure> {
        let mut batch = fixture.new_batch();
        let mut left = bytes;
        for n in 0_usize.. {
            // The last document must be a JSON text too, so the one before it leaves at least two bytes.
            let size = if left > each && left - each < 2 { each - 2 } else { each.min(left) };
            let mut document = note(&format!("d{n}"), 1)?;
            document.body = json_of_size(size)?;
            batch = batch.put(document, Expect::Absent);
            left -= size;
            if left == 0 {
                break;
            }
        }
        Ok(batch)
    };
    if limit / each + 2 > limits.max_writes {
        return Ok(CaseOutcome::Skipped("max_writes documents do not fill max_batch_bytes".into()));
    }
    let scope = fixture.new_scope()?;
    let full = filled(limit)?;
    ensure_equal("bytes of a full batch", &full.size(), &limit)?;
    fixture.commit(&scope, full).await?;
    ensure(fixture.get(&scope, "d0").await?.is_some(), || "a full batch is not there".into())?;
    expect_too_large(fixture, filled(limit + 1)?).await?;
    Ok(CaseOutcome::Passed)
}
