//! The runner of the conformance suite: a backend that hangs does not keep it busy for long.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use async_trait::async_trait;
use engines_core::{
    CleanEvent, IdGenerator, Result, Scope,
    nexus::{Backend, EventSink, SinkError},
};
use engines_storage::{
    MemoryStore, Operation,
    conformance::{self, SuiteFailure, SuiteSettings},
    fault_injection::{Fault, Faulty},
};

fn settings(only: &[&'static str]) -> SuiteSettings {
    SuiteSettings { patience: Duration::from_secs(1), only: only.to_vec(), ..SuiteSettings::default() }
}

fn failed(failure: &SuiteFailure) -> Vec<&'static str> {
    failure.failed.iter().map(|failed| failed.case).collect()
}

/// Opens a store whose calls of `operation` do not return.
async fn open_hanging(operation: Operation) -> Result<Arc<dyn Backend>> {
    let store = Faulty::new(Arc::new(MemoryStore::new(&IdGenerator::from_os()?)));
    store.faults().set_for_all(operation, Some(Fault::Delayed(Duration::from_secs(1 << 30))));
    Ok(Arc::new(store))
}

/// The time is that of tokio's paused clock.
#[tokio::test(start_paused = true)]
async fn a_hanging_case_ends_its_group_only() {
    let begun = tokio::time::Instant::now();
    let run = conformance::run_with(
        |_| open_hanging(Operation::Commit),
        settings(&["documents", "compare_and_swap", "health::healthy_while_working"]),
    );
    let failure = run.await.unwrap_err();
    assert_eq!(
        failed(&failure),
        ["documents::written_is_read", "compare_and_swap::documents_race", "health::healthy_while_working"]
    );
    assert!(begun.elapsed() <= Duration::from_secs(3), "{:?}", begun.elapsed());
    let skipped = failure.report.skipped.iter().find(|skipped| skipped.case == "compare_and_swap::heads_race");
    assert!(skipped.unwrap().reason.contains("compare_and_swap::documents_race hangs"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_does_not_open_ends_its_group() {
    let run = conformance::run_with(|_| std::future::pending::<Result<Arc<dyn Backend>>>(), settings(&["documents"]));
    let failure = run.await.unwrap_err();
    assert_eq!(failed(&failure), ["documents::written_is_read"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_blocks_its_thread_does_not_stop_the_runner() {
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let open = move |_| {
        let blocked = Arc::clone(&blocked);
        async move {
            // Returns when the sender is dropped, which happens after the run.
            let _ = blocked.lock().map(|blocked| blocked.recv());
            Ok(Arc::new(MemoryStore::new(&IdGenerator::from_os()?)) as Arc<dyn Backend>)
        }
    };
    let failure = conformance::run_with(open, settings(&["documents"])).await.unwrap_err();
    drop(release);
    assert_eq!(failed(&failure), ["documents::written_is_read"]);
}

#[derive(Debug)]
struct HangingSink;

#[async_trait]
impl EventSink for HangingSink {
    fn name(&self) -> &str {
        "hanging"
    }

    async fn write(&self, _: &Scope, _: &[CleanEvent]) -> Result<(), SinkError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_sink_fails_in_the_time_of_one_case() {
    let begun = tokio::time::Instant::now();
    let failure = conformance::sink(Arc::new(HangingSink), None).await.unwrap_err();
    assert_eq!(failed(&failure), ["sink::order_and_batches"]);
    assert!(begun.elapsed() <= SuiteSettings::default().patience, "{:?}", begun.elapsed());
}
