//! Custom backends: a sink that appends to a file, a store that wraps another, and a durable store in one file. All of
//! them pass the conformance suite.
//!
//!     cargo run --example custom_backend
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

mod journal_store;
mod json_lines_sink;
mod limited_store;

use std::sync::Arc;

use engines::{
    IdGenerator,
    core::nexus::{Backend, EventSink},
    storage::{
        MemoryStore,
        conformance::{self, Report},
    },
};
use tokio::sync::Semaphore;

use crate::{journal_store::JournalStore, json_lines_sink::JsonLinesSink, limited_store::LimitedStore};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let sink = Arc::new(JsonLinesSink { path: folder.path().join("events.jsonl") });
    print_report("sink", &conformance::sink(Arc::clone(&sink) as Arc<dyn EventSink>, Some(sink)).await?);

    let limited = conformance::run(|_| async {
        let inner = MemoryStore::new(&IdGenerator::from_os()?);
        Ok(Arc::new(LimitedStore { inner, permits: Semaphore::new(10_000) }) as Arc<dyn Backend>)
    });
    print_report("wrapper", &limited.await?);

    let path = folder.path().to_owned();
    let journal = conformance::run(move |name| {
        let path = path.join(format!("{name}.journal"));
        async move { Ok(Arc::new(JournalStore::open(&path, &IdGenerator::from_os()?)?) as Arc<dyn Backend>) }
    });
    print_report("journal", &journal.await?);
    Ok(())
}

fn print_report(backend: &str, report: &Report) {
    println!("{backend}: {} cases passed", report.passed.len());
    for skipped in &report.skipped {
        println!("  skipped {}: {}", skipped.case, skipped.reason);
    }
}

#[test]
fn the_backends_pass_the_suite() -> Result<(), Box<dyn std::error::Error>> {
    main()
}
