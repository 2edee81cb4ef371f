//! A backend or sink cannot be given a raw event: `Batch::record` takes only a `CleanEvent`.
use engines_core::{Batch, DatasetEvent, Timestamp};

fn main() {
    let raw = DatasetEvent::default();
    let _ = Batch::new(Timestamp::from_millis(0)).record(raw);
}
