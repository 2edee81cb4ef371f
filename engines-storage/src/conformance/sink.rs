//! The conformance suite for event sinks.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use engines_core::{
    CleanEvent, Result, Scope,
    nexus::{EventSink, SinkError},
};

use futures_util::future::BoxFuture;

use super::{
    case_loop::CaseLoop,
    fixture::Fixture,
    report::{CaseFailure, CaseOutcome, CaseResult, Report, SuiteFailure, ensure, ensure_equal},
    suite_settings::SuiteSettings,
};
use crate::MemoryStore;

/// Reads back what a sink wrote.
#[async_trait]
pub trait ReadBack: Send + Sync + Debug {
    /// Returns the ids of the events of this scope as text, in the order in which they are stored, including
    /// duplicates.
    ///
    /// # Errors
    ///
    /// The destination cannot be read.
    async fn event_ids(&self, scope: &Scope) -> Result<Vec<String>>;
}

/// Tests a sink: order, batches of one and of many events, separation of scopes, the same batch twice (as after a
/// crash), concurrent writes.
///
/// `read_back` returns what arrived. Without it, for a sink that stores nothing, only the sink's results are checked,
/// and the report lists the other cases as skipped. A sink may store a repeated event twice or recognise its
/// `event_id`; it must not lose an event.
///
/// ```
/// use std::sync::Arc;
/// use engines_storage::{NoopSink, conformance};
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let report = conformance::sink(Arc::new(NoopSink::default()), None).await?;
/// assert!(report.passed.contains(&"sink::name"));
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`SuiteFailure`] lists every case that failed.
pub async fn sink(sink: Arc<dyn EventSink>, read_back: Option<Arc<dyn ReadBack>>) -> Result<Report, SuiteFailure> {
    let mut results = CaseLoop::new(SuiteSettings::default().patience);
    let cases: [(_, BoxFuture<'static, CaseResult>); 5] = [
        ("sink::name", Box::pin(check_name(Arc::clone(&sink)))),
        ("sink::order_and_batches", Box::pin(order_and_batches(Arc::clone(&sink), read_back.clone()))),
        ("sink::same_batch_again", Box::pin(same_batch_again(Arc::clone(&sink), read_back.clone()))),
        ("sink::scopes_apart", Box::pin(scopes_apart(Arc::clone(&sink), read_back))),
        ("sink::empty_batch", Box::pin(empty_batch(sink))),
    ];
    for (case, work) in cases {
        results.run(case, work).await;
    }
    results.finish()
}

fn new_fixture() -> Result<Fixture, CaseFailure> {
    let ids = engines_core::IdGenerator::from_os()?;
    Ok(Fixture::new(Arc::new(MemoryStore::new(&ids)), SuiteSettings::default())?)
}

fn new_events(fixture: &Fixture, scope: &Scope, count: usize) -> Result<Vec<CleanEvent>, CaseFailure> {
    (0..count).map(|_| Ok(fixture.dataset_event(scope, "sink")?)).collect()
}

fn event_ids(events: &[CleanEvent]) -> Vec<String> {
    events.iter().map(|event| event.event_id().to_string()).collect()
}

/// Writes as the outbox does: retries a few times while the sink reports that it is not ready.
async fn write_with_retry(sink: &dyn EventSink, scope: &Scope, batch: &[CleanEvent]) -> Result<(), CaseFailure> {
    const MAX_ATTEMPTS: usize = 10;
    for _ in 1..MAX_ATTEMPTS {
        match sink.write(scope, batch).await {
            Err(SinkError::Retry(_)) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            answer => return answer.map_err(|error| CaseFailure::new(format!("the sink does not write: {error}"))),
        }
    }
    let last = sink.write(scope, batch).await;
    last.map_err(|error| CaseFailure::new(format!("the sink is not ready after {MAX_ATTEMPTS} tries: {error}")))
}

fn skip_without_read_back() -> CaseOutcome {
    CaseOutcome::Skipped("there is no way to read back what the sink wrote".into())
}

async fn check_name(sink: Arc<dyn EventSink>) -> CaseResult {
    let name = sink.name().to_owned();
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    ensure((1..=48).contains(&name.len()) && name.bytes().all(fine), || {
        format!("the name {name:?} is not 1 to 48 lower-case letters, digits and _")
    })?;
    ensure_equal("the name when asked again", &sink.name(), &name.as_str())?;
    Ok(CaseOutcome::Passed)
}

async fn order_and_batches(sink: Arc<dyn EventSink>, read_back: Option<Arc<dyn ReadBack>>) -> CaseResult {
    let fixture = new_fixture()?;
    let scope = fixture.new_scope()?;
    let mut wanted = Vec::new();
    for count in [1, 2, 1, 50, 500] {
        let batch = new_events(&fixture, &scope, count)?;
        wanted.extend(event_ids(&batch));
        write_with_retry(&*sink, &scope, &batch).await?;
        if let Some(read_back) = &read_back {
            ensure_equal("events after a batch was taken", &read_back.event_ids(&scope).await?, &wanted)?;
        }
    }
    Ok(read_back.map_or_else(skip_without_read_back, |_| CaseOutcome::Passed))
}

async fn same_batch_again(sink: Arc<dyn EventSink>, read_back: Option<Arc<dyn ReadBack>>) -> CaseResult {
    let fixture = new_fixture()?;
    let scope = fixture.new_scope()?;
    let (first, second) = (new_events(&fixture, &scope, 5)?, new_events(&fixture, &scope, 5)?);
    for batch in [&first, &first, &second, &second] {
        write_with_retry(&*sink, &scope, batch).await?;
    }
    let Some(read_back) = read_back else { return Ok(skip_without_read_back()) };
    let mut seen = std::collections::HashSet::new();
    let distinct: Vec<_> =
        read_back.event_ids(&scope).await?.into_iter().filter(|id| seen.insert(id.clone())).collect();
    ensure_equal("events, each at its first place", &distinct, &[event_ids(&first), event_ids(&second)].concat())?;
    Ok(CaseOutcome::Passed)
}

async fn scopes_apart(sink: Arc<dyn EventSink>, read_back: Option<Arc<dyn ReadBack>>) -> CaseResult {
    let fixture = new_fixture()?;
    let scopes = [fixture.new_scope()?, fixture.new_scope()?, fixture.new_scope()?];
    let batches = scopes.iter().map(|scope| new_events(&fixture, scope, 7)).collect::<Result<Vec<_>, _>>()?;
    let writes = scopes.iter().zip(&batches).map(|(scope, batch)| write_with_retry(&*sink, scope, batch));
    futures_util::future::try_join_all(writes).await?;
    let Some(read_back) = read_back else { return Ok(skip_without_read_back()) };
    for (scope, batch) in scopes.iter().zip(&batches) {
        ensure_equal(&format!("events of {scope}"), &read_back.event_ids(scope).await?, &event_ids(batch))?;
    }
    Ok(CaseOutcome::Passed)
}

async fn empty_batch(sink: Arc<dyn EventSink>) -> CaseResult {
    let fixture = new_fixture()?;
    write_with_retry(&*sink, &fixture.new_scope()?, &[]).await?;
    Ok(CaseOutcome::Passed)
}
