//! All limits. All of them are settings; the defaults are those of the wire contract.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The most that one caller, one body, one page or one queue may hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a JSON body (`BODY_TOO_LARGE` past it).
    pub body_bytes: usize,
    /// Bytes of an NDJSON batch of events; a line of it may have `body_bytes`.
    pub batch_body_bytes: usize,
    /// Lines of an NDJSON batch of events.
    pub batch_lines: usize,
    /// Events of an NDJSON batch that are written together.
    pub batch_group: usize,
    /// Bytes of one stream event's `data`.
    pub event_bytes: usize,
    /// Levels of nesting in any JSON we read.
    pub json_depth: usize,
    /// Ops in one command.
    pub command_ops: usize,
    /// Bytes of one canvas's state.
    pub canvas_bytes: usize,
    /// Items of a page if the request does not set a number.
    pub page_default: usize,
    /// Items of a page at the most.
    pub page_max: usize,
    /// Commits listed in a `REV_MISMATCH` at the most.
    pub mismatch_commits: usize,
    /// Bytes of the commits listed in a `REV_MISMATCH` at the most.
    pub mismatch_bytes: usize,
    /// Encoded events a stream keeps in memory for its live subscribers.
    pub ring_events: usize,
    /// Bytes of encoded events a stream keeps in memory.
    pub ring_bytes: usize,
    /// Ephemeral events (gestures, presence) waiting for one subscriber.
    pub ephemeral_queue: usize,
    /// Bytes of one gesture's or presence's data.
    pub ephemeral_bytes: usize,
    /// Streams one WebSocket may subscribe to.
    pub subscriptions_per_socket: usize,
    /// Commands and messages waiting for one stream.
    pub write_queue: usize,
    /// Bytes of one WebSocket frame from a client.
    pub frame_bytes: usize,
    /// Seconds between SSE comments.
    pub sse_keepalive_s: u64,
    /// Seconds between WebSocket pings.
    pub ws_ping_s: u64,
    /// Seconds of silence after which a WebSocket is closed.
    pub ws_silence_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            batch_body_bytes: 64 << 20,
            batch_lines: 250_000,
            batch_group: 256,
            event_bytes: 256 << 10,
            json_depth: 64,
            command_ops: 1000,
            canvas_bytes: 16 << 20,
            page_default: 50,
            page_max: 500,
            mismatch_commits: 200,
            mismatch_bytes: 256 << 10,
            ring_events: 1024,
            ring_bytes: 4 << 20,
            ephemeral_queue: 64,
            ephemeral_bytes: 16 << 10,
            subscriptions_per_socket: 256,
            write_queue: 4096,
            frame_bytes: 1 << 20,
            sse_keepalive_s: 15,
            ws_ping_s: 20,
            ws_silence_s: 60,
        }
    }
}

impl Limits {
    /// Time between SSE comments.
    #[must_use]
    pub fn sse_keepalive(&self) -> Duration {
        Duration::from_secs(self.sse_keepalive_s.max(1))
    }

    /// Time between WebSocket pings.
    #[must_use]
    pub fn ws_ping(&self) -> Duration {
        Duration::from_secs(self.ws_ping_s.max(1))
    }

    /// Silence after which a WebSocket is closed.
    #[must_use]
    pub fn ws_silence(&self) -> Duration {
        Duration::from_secs(self.ws_silence_s.max(1))
    }
}
