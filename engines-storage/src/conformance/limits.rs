//! Limits: what is exactly at one is taken; what is past it is refused, and nothing of it is written.

use engines_core::{
    Batch, Code,
    nexus::{CommitError, Expect, ExpectedHead},
};

use super::{
    Bench, Failure, Outcome, Verdict,
    bench::{canvas, note, sized},
    runner::Case,
    verdict::{ensure, same},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("limits::writes", |bench| Box::pin(writes(bench))),
        Case::store("limits::events_count_as_writes", |bench| Box::pin(events_count_as_writes(bench))),
        Case::store("limits::tags", |bench| Box::pin(tags(bench))),
        Case::store("limits::document_bytes", |bench| Box::pin(document_bytes(bench))),
        Case::store("limits::event_bytes", |bench| Box::pin(event_bytes(bench))),
        Case::store("limits::batch_bytes", |bench| Box::pin(batch_bytes(bench))),
    ]
}

/// Writes a limit may have to be tried out.
const MANY: usize = 200_000;

/// Why a limit is not tried out, if it is not.
fn left_out(name: &str, limit: usize, most: usize) -> Option<Outcome> {
    (limit > most).then(|| Outcome::LeftOut(format!("{name} is {limit}, more than the {most} that are tried out")))
}

/// Fails unless `batch` is refused as too large and leaves nothing behind.
async fn refused(bench: &Bench, batch: Batch) -> Result<(), Failure> {
    let scope = bench.scope()?;
    match bench.commit(&scope, batch).await {
        Err(CommitError::Refused(error)) => same("the code of a refusal", &error.code(), &Code::BodyTooLarge)?,
        other => return Err(Failure::new(format!("past the limit: wanted Refused, got {:?}", other.map(drop)))),
    }
    bench.ensure_nothing(&scope, &[canvas("c1")?], None).await
}

/// Documents in one batch.
pub async fn writes(bench: &Bench) -> Verdict {
    let limit = bench.store.capabilities().max_writes;
    if let Some(left_out) = left_out("max_writes", limit, MANY) {
        return Ok(left_out);
    }
    let documents = |count: usize| -> Result<Batch, Failure> {
        (0..count).try_fold(bench.batch(), |batch, n| Ok(batch.put(note(&format!("d{n:07}"), n)?, Expect::Absent)))
    };
    let scope = bench.scope()?;
    let receipt = bench.commit(&scope, documents(limit)?).await?;
    same("versions", &receipt.versions.len(), &limit)?;
    let last = bench.get(&scope, &format!("d{:07}", limit - 1)).await?;
    ensure(last.is_some(), || "the last document of a full batch is not there".into())?;
    refused(bench, documents(limit + 1)?).await?;
    Ok(Outcome::Passed)
}

/// Events in one batch, each of which counts as a write.
pub async fn events_count_as_writes(bench: &Bench) -> Verdict {
    let limit = bench.store.capabilities().max_writes;
    if let Some(left_out) = left_out("max_writes", limit, MANY) {
        return Ok(left_out);
    }
    let scope = bench.scope()?;
    let events = bench.events_of(&scope, 1..=limit as u64)?;
    let receipt = bench.commit(&scope, bench.batch().append(canvas("c1")?, ExpectedHead::Any, events)).await?;
    same("the last place", &receipt.appended[0].last.0, &(limit as u64))?;
    let events = bench.events_of(&scope, 1..=limit as u64)?;
    let batch = bench.batch().append(canvas("c1")?, ExpectedHead::Any, events);
    refused(bench, batch.put(note("d", 1)?, Expect::Absent)).await?;
    Ok(Outcome::Passed)
}

/// Labels on one document.
pub async fn tags(bench: &Bench) -> Verdict {
    let limit = bench.store.capabilities().max_tags;
    if let Some(left_out) = left_out("max_tags", limit, 10_000) {
        return Ok(left_out);
    }
    let tagged = |count: usize| -> Result<Batch, Failure> {
        let document = (0..count).fold(note("d", 1)?, |document, n| document.tag(format!("tag{n}")));
        Ok(bench.batch().put(document, Expect::Absent))
    };
    let scope = bench.scope()?;
    bench.commit(&scope, tagged(limit)?).await?;
    same("tags", &bench.get(&scope, "d").await?.map(|document| document.tags.len()), &Some(limit))?;
    refused(bench, tagged(limit + 1)?).await?;
    Ok(Outcome::Passed)
}

/// Bytes of one document.
pub async fn document_bytes(bench: &Bench) -> Verdict {
    let limits = bench.store.capabilities();
    let limit = limits.max_document_bytes;
    if let Some(left_out) = left_out("max_document_bytes", limit, bench.settings.heavy_bytes) {
        return Ok(left_out);
    }
    let document = |bytes: usize| -> Result<Batch, Failure> {
        let mut document = note("d", 1)?;
        document.body = sized(bytes)?;
        Ok(bench.batch().put(document, Expect::Absent))
    };
    let scope = bench.scope()?;
    let fits = limit.min(limits.max_batch_bytes);
    bench.commit(&scope, document(fits)?).await?;
    let read = bench.get(&scope, "d").await?.map(|document| document.body.get().len());
    same("bytes", &read, &Some(fits))?;
    refused(bench, document(limit + 1)?).await?;
    Ok(Outcome::Passed)
}

/// Bytes of one stream event.
pub async fn event_bytes(bench: &Bench) -> Verdict {
    let limits = bench.store.capabilities();
    let limit = limits.max_event_bytes;
    if let Some(left_out) = left_out("max_event_bytes", limit, bench.settings.heavy_bytes) {
        return Ok(left_out);
    }
    let scope = bench.scope()?;
    let append = |bytes: usize| -> Result<Batch, Failure> {
        let mut event = bench.event(&scope, 1)?;
        event.data = sized(bytes)?;
        Ok(bench.batch().append(canvas("c1")?, ExpectedHead::Any, vec![event]))
    };
    let fits = limit.min(limits.max_batch_bytes);
    bench.commit(&scope, append(fits)?).await?;
    let read = bench.read_all(&scope, &canvas("c1")?, engines_core::stream::Seq::ZERO).await?;
    same("bytes", &read.first().map(|event| event.event.size()), &Some(fits))?;
    refused(bench, append(limit + 1)?).await?;
    Ok(Outcome::Passed)
}

/// Bytes of one batch.
pub async fn batch_bytes(bench: &Bench) -> Verdict {
    let limits = bench.store.capabilities();
    let limit = limits.max_batch_bytes;
    if let Some(left_out) = left_out("max_batch_bytes", limit, bench.settings.heavy_bytes) {
        return Ok(left_out);
    }
    let each = limits.max_document_bytes.clamp(2, limit);
    let filled = |bytes: usize| -> Result<Batch, Failure> {
        let mut batch = bench.batch();
        let mut left = bytes;
        for n in 0_usize.. {
            // What is left over must be a JSON text too, so the last but one leaves at least two bytes.
            let size = if left > each && left - each < 2 { each - 2 } else { each.min(left) };
            let mut document = note(&format!("d{n}"), 1)?;
            document.body = sized(size)?;
            batch = batch.put(document, Expect::Absent);
            left -= size;
            if left == 0 {
                break;
            }
        }
        Ok(batch)
    };
    if limit / each + 2 > limits.max_writes {
        return Ok(Outcome::LeftOut("max_writes documents do not fill max_batch_bytes".into()));
    }
    let scope = bench.scope()?;
    let full = filled(limit)?;
    same("bytes of a full batch", &full.size(), &limit)?;
    bench.commit(&scope, full).await?;
    ensure(bench.get(&scope, "d0").await?.is_some(), || "a full batch is not there".into())?;
    refused(bench, filled(limit + 1)?).await?;
    Ok(Outcome::Passed)
}
