//! A wrapper that makes calls of a backend fail on request, for tests of code that uses a backend. Requires the
//! feature `testing`.
//!
//! ```
//! use std::sync::Arc;
//! use engines_core::{IdGenerator, Store};
//! use engines_storage::{MemoryStore, Operation, fault_injection::{Fault, Faulty}};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Faulty::new(Arc::new(MemoryStore::new(&IdGenerator::from_os()?)));
//! store.faults().inject(Operation::Ping, 2, Fault::BeforeEffect);
//! assert!(store.ping().await.is_ok());
//! assert!(store.ping().await.is_err());
//! assert!(store.ping().await.is_ok());
//! # Ok(()) }
//! ```

mod faults;
mod store;

pub use self::{
    faults::{Fault, Faults},
    store::Faulty,
};
