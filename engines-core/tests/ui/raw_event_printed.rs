//! A raw event does not serialise, so it cannot slip into a log line or a response.
use engines_core::DatasetEvent;

fn main() {
    let _ = serde_json::to_string(&DatasetEvent::default());
}
