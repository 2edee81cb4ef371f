//! An engine embedded in a program: a thread, a canvas and a subscriber of both. No HTTP.
//!
//!     cargo run --example quickstart
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use engines::{
    Engine, Env, ResourceId, Scope, StreamKey, TenantId,
    stream::{
        canvas::{CanvasCommand, NewCanvas},
        chat::{NewMessage, NewThread},
        follow::Channels,
        hub::StartPosition,
    },
};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // One SQLite file holds everything; every write is on disk before it is acknowledged.
    let folder = tempfile::tempdir()?;
    let engine = Engine::builder().sqlite(folder.path().join("engines.db")).build().await?;

    // Every call has a scope: a tenant and an environment. Requests from outside get their context from admission (with
    // a verified token); this is trusted work in process, and its reason is audited.
    let acme = Scope::new(TenantId::new("t_acme")?, Env::Dev);
    let context = engine.system(acme, "quickstart")?;

    // A thread, and a reader that follows it from the start.
    let thread = engine.chat().create_thread(&context, NewThread::default()).await?.thread_id;
    let key = StreamKey::chat(&thread);
    let mut reader = engine.follow().open(&context, &key, Channels::default(), StartPosition::Beginning).await?;
    engine.chat().post(&context, &thread, NewMessage::text("Shall we plan the launch?")).await?;
    let event: Value = serde_json::from_slice(&reader.next().await.ok_or("the stream ended")??.json())?;
    println!("seq {}: {}", event["seq"], event["data"]["text"]);

    // A canvas is a JSON document that is edited by commands. Each names the revision it was written against …
    let id = ResourceId::new("launch-plan")?;
    engine.canvas().create(&context, NewCanvas { canvas_id: Some(id.clone()), ..NewCanvas::default() }).await?;
    let ops = json!([{"op": "add", "path": "/title", "value": "Launch"}, {"op": "add", "path": "/steps", "value": []}]);
    let answer = engine.canvas().command(&context, &id, CanvasCommand::new(0, &ops)?).await?;
    println!("revision {}", answer.rev);

    // … so a second writer with an older revision is rejected, and gets all it needs to retry.
    let late = json!([{"op": "insert_text", "path": "/title", "pos": 6, "text": " plan"}]);
    let refused = engine.canvas().command(&context, &id, CanvasCommand::new(0, &late)?).await;
    println!("{}", refused.err().ok_or("a stale command was applied")?);
    engine.canvas().command(&context, &id, CanvasCommand::new(1, &late)?).await?;

    let snapshot = engine.canvas().snapshot(&context, &id, None).await?;
    println!("revision {}: {} ({})", snapshot.rev, snapshot.state, snapshot.state_hash);
    engine.shutdown().await;
    Ok(())
}
