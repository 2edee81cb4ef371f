//! Canvases: JSON documents that people and agents edit by commands, with their complete history.
//!
//! A commit is the append of one [`CANVAS_COMMIT`] event to `canvas/{canvas_id}`, whose `seq` is the revision it makes.
//! There is no other record of it: states, commits, replays and conflicts are all derived from that log. Snapshots only
//! make reading faster.
//!
//! ```
//! use std::sync::Arc;
//! use engines_core::{Guard, IdGenerator, Limits, Role, testing};
//! use engines_storage::MemoryStore;
//! use engines_stream::canvas::{CanvasCommand, CanvasService, NewCanvas};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(MemoryStore::new(&IdGenerator::from_os()?));
//! let canvases = CanvasService::new(store, Guard::allow_all()?, Arc::new(Limits::default()));
//! let ada = testing::context("t_acme", "ada", Role::Member)?;
//! let canvas = canvases.create(&ada, NewCanvas::default()).await?;
//! let add = CanvasCommand::new(0, &json!([{"op": "add", "path": "/title", "value": "Plan"}]))?;
//! let answer = canvases.command(&ada, &canvas.canvas_id, add).await?;
//! assert_eq!(answer.rev, 1);
//! let snapshot = canvases.snapshot(&ada, &canvas.canvas_id, None).await?;
//! assert_eq!(snapshot.state, json!({"title": "Plan"}));
//! # Ok(()) }
//! ```
//!
//! # Concurrent commands
//!
//! Each canvas that is being edited has one writer: a task that holds the state at the newest revision that was sent to
//! the store. It checks commands against this state and sends their commits without waiting for earlier ones, so that
//! hundreds of commands share one flush to disk. A command is answered only when its own commit is durable. When a
//! commit fails, the commits built on it fail their own compare-and-swap; the writer then reads the log again and
//! decides these commands again. Several nodes may have a writer for one canvas: the compare-and-swap on the log's head
//! decides between them.

mod command;
mod command_queue;
mod commit_event;
mod conflict;
mod deletion;
mod fair_queue;
mod history;
mod in_flight;
mod model;
mod pending_command;
mod queries;
mod rebase;
mod recent_commits;
mod replay;
mod replay_check;
mod service;
mod settings;
mod snapshotter;
mod verification;
mod writer;
mod writer_context;
mod writer_pool;

pub use self::{
    command::{CanvasCommand, Intent, IntentOrigin, OnConflict},
    commit_event::{CANVAS_COMMIT, CanvasCommit},
    model::{
        Canvas, CanvasReplay, CanvasSnapshot, CommandAnswer, CommandStatus, CommitEntry, Keyframe, NewCanvas,
        NewGesture,
    },
    replay_check::CanvasCheck,
    service::{CANVAS, CanvasBuilder, CanvasService, GESTURE},
    settings::CanvasSettings,
    verification::{CanvasVerification, verify_canvas},
};
