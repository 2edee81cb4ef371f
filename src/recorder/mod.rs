//! Recorders: pass a program's dataset events to an engine.
//!
//! The [`Recorder`] never makes its caller wait: events go into a bounded queue, a task records them, and events that
//! could not be recorded are counted. The [`StrictRecorder`] returns when an event is durable, or returns the error.

mod best_effort;
mod counters;
mod lines;
mod settings;
mod strict;
mod worker;

pub(crate) use self::lines::record_lines;
pub use self::{best_effort::Recorder, counters::RecorderCounts, settings::RecorderSettings, strict::StrictRecorder};
