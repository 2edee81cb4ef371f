//! A follower that uses only the server-sent events it receives.

use engines::core::command::{CommandLimits, JsonReducer, SizedDocument, apply_batch, parse_ops_value};
use serde_json::{Value, json};

use crate::Result;

/// Rebuilds a canvas from its commits.
pub(crate) struct Follower {
    buffer: Vec<u8>,
    state: SizedDocument,
    rev: u64,
}

impl Default for Follower {
    fn default() -> Self {
        let state =
            SizedDocument::new(json!({})).unwrap_or_else(|error| unreachable!("an empty object is a state: {error}"));
        Self { buffer: Vec::new(), state, rev: 0 }
    }
}

impl Follower {
    /// The revision of the rebuilt text.
    pub(crate) fn rev(&self) -> u64 {
        self.rev
    }

    /// The rebuilt text.
    pub(crate) fn text(&self) -> String {
        text_of(self.state.value())
    }

    /// Takes received bytes; applies every event that is complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
            for line in std::str::from_utf8(&event)?.lines() {
                if let Some(data) = line.strip_prefix("data: ") {
                    self.apply(&serde_json::from_str(data)?)?;
                }
            }
        }
        Ok(())
    }

    fn apply(&mut self, envelope: &Value) -> Result<()> {
        if envelope["type"] != "canvas_commit" {
            return Err(format!("an unexpected event: {}", envelope["type"]).into());
        }
        if envelope["seq"] != self.rev + 1 {
            return Err(format!("after revision {} came {}", self.rev, envelope["seq"]).into());
        }
        let ops = parse_ops_value(&envelope["data"]["ops"])?;
        apply_batch(&JsonReducer, &mut self.state, &ops, &CommandLimits::for_replay())?;
        self.rev += 1;
        Ok(())
    }
}

/// The text of a canvas's state.
pub(crate) fn text_of(state: &Value) -> String {
    state["text"].as_str().unwrap_or_default().to_owned()
}
