//! A sink that appends events to a file.

use std::{fs::OpenOptions, io::Write, path::PathBuf};

use async_trait::async_trait;
use engines::{
    Result, Scope,
    core::{
        CleanEvent, Error,
        nexus::{EventSink, SinkError},
    },
    storage::conformance,
};
use serde_json::{Value, json};

/// A sink is the simplest custom backend: it has two methods, and the events it gets are already scrubbed.
#[derive(Debug)]
pub(crate) struct JsonLinesSink {
    pub(crate) path: PathBuf,
}

#[async_trait]
impl EventSink for JsonLinesSink {
    fn name(&self) -> &str {
        "json_lines"
    }

    async fn write(&self, scope: &Scope, batch: &[CleanEvent]) -> Result<(), SinkError> {
        let mut lines = Vec::new();
        for event in batch {
            let line = json!({"scope": scope.prefix(), "event_id": event.event_id().to_string(), "body": event.body()});
            lines.extend_from_slice(line.to_string().as_bytes());
            lines.push(b'\n');
        }
        // A failure loses nothing: the outbox sends the same batch again.
        let write = || OpenOptions::new().create(true).append(true).open(&self.path)?.write_all(&lines);
        write().map_err(|error: std::io::Error| SinkError::Retry(Error::unavailable("json_lines.write", error)))
    }
}

/// Lets the suite read what the sink wrote.
#[async_trait]
impl conformance::ReadBack for JsonLinesSink {
    async fn event_ids(&self, scope: &Scope) -> Result<Vec<String>> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::unavailable("json_lines.read", error)),
        };
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let own = lines.filter(|line| line["scope"] == scope.prefix());
        Ok(own.filter_map(|line| Some(line["event_id"].as_str()?.to_owned())).collect())
    }
}
