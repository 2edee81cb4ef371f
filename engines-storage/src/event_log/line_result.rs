//! The result of one line of a batch.

use engines_core::Result;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::RecordedEvent;

/// The result of one line of a batch.
///
/// Serialises to
/// `{"line":1,"status":"accepted","event_id":…,"pii_flags":…,"train_ok":…,"seq":…,"replayed":…}` or
/// `{"line":2,"status":"rejected","code":…,"detail":…,"field":…}`.
#[derive(Debug)]
pub struct LineResult {
    /// The line's number, from 1; blank lines are counted and have no result.
    pub line: u64,
    /// The durable event, or the error why it is not recorded.
    pub outcome: Result<RecordedEvent>,
}

#[derive(Serialize)]
struct AcceptedLine<'a> {
    line: u64,
    status: &'static str,
    #[serde(flatten)]
    recorded: &'a RecordedEvent,
}

impl Serialize for LineResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let error = match &self.outcome {
            Ok(recorded) => {
                return AcceptedLine { line: self.line, status: "accepted", recorded }.serialize(serializer);
            }
            Err(error) => error,
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("line", &self.line)?;
        map.serialize_entry("status", "rejected")?;
        map.serialize_entry("code", &error.code())?;
        map.serialize_entry("detail", error.detail())?;
        for (name, value) in error.members() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
