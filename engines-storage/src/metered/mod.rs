//! A wrapper that counts the calls of a backend: for each operation their number, outcome and duration, in atomics.
//!
//! ```
//! use std::sync::Arc;
//! use engines_core::{IdGenerator, Store};
//! use engines_storage::{MemoryStore, Metered, Operation};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Metered::new(Arc::new(MemoryStore::new(&IdGenerator::from_os()?)));
//! store.ping().await?;
//! assert_eq!(store.metrics().read(Operation::Ping).calls, 1);
//! # Ok(()) }
//! ```

mod metrics;
mod store;

use self::metrics::CallOutcome;
pub use self::{
    metrics::{LATENCY_BOUNDS, OperationMetrics, StoreMetrics},
    store::Metered,
};
