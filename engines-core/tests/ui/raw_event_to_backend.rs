//! A backend or sink cannot be handed a raw event: `Batch::record` takes a `CleanEvent` alone.
use engines_core::{Batch, DatasetEvent, Timestamp};

fn main() {
    let raw = DatasetEvent::default();
    let _ = Batch::new(Timestamp::from_millis(0)).record(raw);
}
