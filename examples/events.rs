//! Records dataset events of an agent for training: scrubbed, subject to training preferences, and exported.
//!
//!     cargo run --example events
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use engines::{
    Engine, Env, Scope, TenantId,
    core::event::{EventFilter, EventLogEntry},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let engine = Engine::builder().sqlite(folder.path().join("engines.db")).build().await?;
    let context = engine.system(Scope::new(TenantId::new("t_acme")?, Env::Dev), "example")?;

    // An event that must not be lost: durable when the call returns, and recorded once however often it is sent.
    let strict = engine.strict_recorder(context.clone());
    let entry = EventLogEntry::new("checkout", "pricing-agent")
        .input("question", "What does the large one cost? Write to ada@example.com.")
        .output("answer", "Twelve euros.")
        .metadata("model", "small-1")
        .event_type("answer")
        .idempotency_key("run-7/step-3");
    let recorded = strict.record(entry.clone()).await?;
    println!("found in it: {}", serde_json::to_string(&recorded.pii_flags)?);
    assert!(strict.record(entry).await?.replayed);

    // Many events that no caller waits for. Events without room in the queue are dropped and counted.
    for number in 0..1000 {
        engine.recorder().record(&context, EventLogEntry::new("search", "ranking-agent").input("number", number));
    }
    engine.recorder().flush().await;
    println!("{:?}", engine.recorder().counts());

    // Exports the events that may be used for training, as JSON lines.
    let filter = EventFilter { surface: Some("checkout".into()), ..EventFilter::default() };
    let mut export = engine.events().export(&context, filter.clone()).await?;
    while let Some(lines) = export.next_chunk().await? {
        print!("{}", String::from_utf8_lossy(&lines));
    }

    // The tenant opts out: events that were recorded before are no longer exported either.
    engine.train_prefs().set_tenant(&context, true).await?;
    assert!(engine.events().export(&context, filter).await?.next_chunk().await?.is_none());
    engine.shutdown().await;
    Ok(())
}
