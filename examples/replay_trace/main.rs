//! Replays a recorded editing history as canvas commands, while a follower rebuilds the text from server-sent events.
//!
//!     cargo run --release --example replay_trace -- sveltecomponent.json.gz          # in process, on SQLite
//!     cargo run --release --example replay_trace -- --url http://127.0.0.1:8080 --token $TOKEN sveltecomponent.json.gz
//!     cargo run --release --example replay_trace                                     # types and revises our own README
//!
//! The format is that of <https://github.com/josephg/editing-traces> (`sequential_traces`). It ends with an error unless the
//! canvas and the follower both hold exactly the text that the trace ends with.
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

mod follower;
mod http;
mod trace;

use std::{error::Error, path::PathBuf, sync::Arc, time::Instant};

use clap::Parser;
use engines::{
    Engine, Env, RequestContext, ResourceId, Scope, TenantId,
    core::StreamKey,
    stream::{
        canvas::{CanvasCommand, NewCanvas},
        follow::Channels,
        hub::StartPosition,
        sse::EventStream,
    },
};
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::{follower::Follower, trace::Trace};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Parser)]
struct Args {
    /// The trace, `.json` or `.json.gz`; without one the README is typed and revised.
    trace: Option<PathBuf>,
    /// A server to use instead of an engine in this process.
    #[arg(long)]
    url: Option<String>,
    /// A token for that server.
    #[arg(long, env = "TOKEN", default_value = "")]
    token: String,
    /// The tenant on that server.
    #[arg(long, default_value = "t_acme")]
    tenant: String,
    /// Commands in flight (in process; over HTTP each command waits for the previous one).
    #[arg(long, default_value_t = 256)]
    in_flight: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let trace = match &args.trace {
        Some(path) => Trace::read(path)?,
        None => Trace::of_our_readme(),
    };
    let name =
        args.trace.as_ref().and_then(|path| path.file_name()).map_or("README.md".into(), |name| name.to_string_lossy());
    println!("{name}: {} commands, {} characters at the end", trace.commands.len(), trace.end.chars().count());
    let bar = ProgressBar::new(trace.commands.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {elapsed}")?);
    let start = Instant::now();
    let (text, followed) = match &args.url {
        Some(url) => over_http(url, &args, &trace, &bar).await?,
        None => in_process(&args, &trace, &bar).await?,
    };
    bar.finish();
    let rate = trace.commands.len() as f64 / start.elapsed().as_secs_f64();
    if text != trace.end || followed != trace.end {
        return Err(
            format!("the text differs: canvas {}, follower {}", text == trace.end, followed == trace.end).into()
        );
    }
    println!("{rate:.0} commands per second, each durable; canvas and follower end with the trace's text");
    Ok(())
}

/// Runs on an engine in this process, in a temporary folder.
async fn in_process(args: &Args, trace: &Trace, bar: &ProgressBar) -> Result<(String, String)> {
    let folder = tempfile::tempdir()?;
    let engine = Engine::builder().sqlite(folder.path().join("engines.db")).build().await?;
    let scope = Scope::new(TenantId::new(&args.tenant)?, Env::Dev);
    let context = engine.system(scope, "replay of an editing history")?;
    let id = engine.canvas().create(&context, NewCanvas::default()).await?.canvas_id;

    let key = StreamKey::canvas(&id);
    let subscription = engine.follow().open(&context, &key, Channels::default(), StartPosition::Beginning).await?;
    let clock = Arc::clone(engine.guard().clock());
    let mut events = EventStream::new(subscription, &context, clock, engine.limits(), None);
    let last = trace.commands.len() as u64;
    let follower = tokio::spawn(async move {
        let mut follower = Follower::default();
        while follower.rev() < last {
            let Some(piece) = events.next().await else { return Err("the stream ended early".into()) };
            follower.feed(&piece)?;
        }
        Result::Ok(follower.text())
    });

    let send = |(rev, ops): (usize, &Value)| send(&engine, &context, &id, rev as u64, ops.clone(), bar);
    let mut sent = stream::iter(trace.commands.iter().enumerate().map(send)).buffered(args.in_flight.max(1));
    while let Some(answer) = sent.next().await {
        answer?;
    }
    let snapshot = engine.canvas().snapshot(&context, &id, None).await?;
    let followed = follower.await??;
    engine.shutdown().await;
    Ok((follower::text_of(&snapshot.state), followed))
}

async fn send(
    engine: &Engine,
    context: &RequestContext,
    id: &ResourceId,
    base_rev: u64,
    ops: Value,
    bar: &ProgressBar,
) -> Result<()> {
    engine.canvas().command(context, id, CanvasCommand::new(base_rev, &ops)?).await?;
    bar.inc(1);
    Ok(())
}

/// Runs on a server: one connection for the commands, one for the events.
async fn over_http(url: &str, args: &Args, trace: &Trace, bar: &ProgressBar) -> Result<(String, String)> {
    let mut commands = http::Client::connect(url, &args.token, &args.tenant).await?;
    let mut events = http::Client::connect(url, &args.token, &args.tenant).await?;
    let canvas = commands.call("POST", "/canvas", Some(&json!({}))).await?;
    let id = canvas["canvas_id"].as_str().ok_or("the server's answer names no canvas")?.to_owned();

    let mut body = events.stream(&format!("/sse/canvas/{id}?from=start")).await?;
    let last = trace.commands.len() as u64;
    let follower = tokio::spawn(async move {
        let mut follower = Follower::default();
        while follower.rev() < last {
            follower.feed(&http::piece(&mut body).await?)?;
        }
        Result::Ok(follower.text())
    });
    for (base_rev, ops) in trace.commands.iter().enumerate() {
        let command = json!({"v": 1, "base_rev": base_rev, "ops": ops});
        commands.call("POST", &format!("/canvas/{id}/commands"), Some(&command)).await?;
        bar.inc(1);
    }
    let snapshot = commands.call("GET", &format!("/canvas/{id}/snapshot"), None).await?;
    Ok((follower::text_of(&snapshot["state"]), follower.await??))
}
