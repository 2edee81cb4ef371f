//! The suite for event sinks.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use engines_core::{
    CleanEvent, Result, Scope,
    nexus::{EventSink, SinkError},
};

use futures_util::future::BoxFuture;

use super::{
    Bench, Failed, Failure, Failures, Outcome, Report, Settings, Verdict,
    verdict::{ensure, same},
};
use crate::MemoryStore;

/// How the suite sees what a sink wrote.
#[async_trait]
pub trait ReadBack: Send + Sync + Debug {
    /// The ids of the events of this scope (as text) in the order in which they are there, duplicates too.
    ///
    /// # Errors
    /// When the destination cannot be read.
    async fn event_ids(&self, scope: &Scope) -> Result<Vec<String>>;
}

/// Tries a sink: order, batches of one and of many, scopes apart, the same batch twice (as after a crash), many at once.
///
/// `read_back` shows what arrived; without it (a sink that keeps nothing) only what the sink answers is looked at, and the report
/// says that the rest was left out. A sink may keep a repeated event twice or recognise its `event_id`; it must not lose one.
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
/// [`Failures`]: every case that failed.
pub async fn sink(sink: Arc<dyn EventSink>, read_back: Option<Arc<dyn ReadBack>>) -> Result<Report, Failures> {
    let mut report = Report::default();
    let mut failed = Vec::new();
    let patience = Settings::default().patience;
    let reader = read_back.as_deref();
    let cases: [(_, BoxFuture<'_, Verdict>); 5] = [
        ("sink::name", Box::pin(name(&*sink))),
        ("sink::order_and_batches", Box::pin(order_and_batches(&*sink, reader))),
        ("sink::same_batch_again", Box::pin(same_batch_again(&*sink, reader))),
        ("sink::scopes_apart", Box::pin(scopes_apart(&*sink, reader))),
        ("sink::empty_batch", Box::pin(empty_batch(&*sink))),
    ];
    for (case, run) in cases {
        let verdict = tokio::time::timeout(patience, run).await;
        match verdict.unwrap_or_else(|_| Err(Failure::new("it hangs"))) {
            Ok(Outcome::Passed) => report.passed.push(case),
            Ok(Outcome::LeftOut(reason)) => report.left_out.push(super::LeftOut { case, reason }),
            Err(failure) => failed.push(Failed { case, failure }),
        }
    }
    if failed.is_empty() { Ok(report) } else { Err(Failures { failed, report }) }
}

fn bench() -> Result<Bench, Failure> {
    let ids = engines_core::IdGenerator::from_os()?;
    Ok(Bench::new(Arc::new(MemoryStore::new(&ids)), Settings::default())?)
}

fn events(bench: &Bench, scope: &Scope, count: usize) -> Result<Vec<CleanEvent>, Failure> {
    (0..count).map(|_| Ok(bench.dataset(scope, "sink")?)).collect()
}

fn ids(events: &[CleanEvent]) -> Vec<String> {
    events.iter().map(|event| event.event_id().to_string()).collect()
}

/// Writes as the outbox does: again, a few times, while the sink says that it is not ready.
async fn write(sink: &dyn EventSink, scope: &Scope, batch: &[CleanEvent]) -> Result<(), Failure> {
    const TRIES: usize = 10;
    for _ in 1..TRIES {
        match sink.write(scope, batch).await {
            Err(SinkError::Retry(_)) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            answer => return answer.map_err(|error| Failure::new(format!("the sink does not write: {error}"))),
        }
    }
    let last = sink.write(scope, batch).await;
    last.map_err(|error| Failure::new(format!("the sink is not ready after {TRIES} tries: {error}")))
}

fn unseen() -> Outcome {
    Outcome::LeftOut("no way to read back what was written was given".into())
}

async fn name(sink: &dyn EventSink) -> Verdict {
    let name = sink.name().to_owned();
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    ensure((1..=48).contains(&name.len()) && name.bytes().all(fine), || {
        format!("the name {name:?} is not 1 to 48 lower-case letters, digits and _")
    })?;
    same("the name when asked again", &sink.name(), &name.as_str())?;
    Ok(Outcome::Passed)
}

async fn order_and_batches(sink: &dyn EventSink, read_back: Option<&dyn ReadBack>) -> Verdict {
    let bench = bench()?;
    let scope = bench.scope()?;
    let mut wanted = Vec::new();
    for count in [1, 2, 1, 50, 500] {
        let batch = events(&bench, &scope, count)?;
        wanted.extend(ids(&batch));
        write(sink, &scope, &batch).await?;
        if let Some(read_back) = read_back {
            same("events after a batch was taken", &read_back.event_ids(&scope).await?, &wanted)?;
        }
    }
    Ok(read_back.map_or_else(unseen, |_| Outcome::Passed))
}

async fn same_batch_again(sink: &dyn EventSink, read_back: Option<&dyn ReadBack>) -> Verdict {
    let bench = bench()?;
    let scope = bench.scope()?;
    let (first, second) = (events(&bench, &scope, 5)?, events(&bench, &scope, 5)?);
    for batch in [&first, &first, &second, &second] {
        write(sink, &scope, batch).await?;
    }
    let Some(read_back) = read_back else { return Ok(unseen()) };
    let mut seen = std::collections::HashSet::new();
    let distinct: Vec<_> =
        read_back.event_ids(&scope).await?.into_iter().filter(|id| seen.insert(id.clone())).collect();
    same("events, each at its first place", &distinct, &[ids(&first), ids(&second)].concat())?;
    Ok(Outcome::Passed)
}

async fn scopes_apart(sink: &dyn EventSink, read_back: Option<&dyn ReadBack>) -> Verdict {
    let bench = bench()?;
    let scopes = [bench.scope()?, bench.scope()?, bench.scope()?];
    let batches = scopes.iter().map(|scope| events(&bench, scope, 7)).collect::<Result<Vec<_>, _>>()?;
    let writes = scopes.iter().zip(&batches).map(|(scope, batch)| write(sink, scope, batch));
    futures_util::future::try_join_all(writes).await?;
    let Some(read_back) = read_back else { return Ok(unseen()) };
    for (scope, batch) in scopes.iter().zip(&batches) {
        same(&format!("events of {scope}"), &read_back.event_ids(scope).await?, &ids(batch))?;
    }
    Ok(Outcome::Passed)
}

async fn empty_batch(sink: &dyn EventSink) -> Verdict {
    let bench = bench()?;
    write(sink, &bench.scope()?, &[]).await?;
    Ok(Outcome::Passed)
}
