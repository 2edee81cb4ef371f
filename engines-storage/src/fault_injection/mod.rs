//! A backend that fails when told to: for tests of what is built on backends. Behind the feature `testing`.
//!
//! ```
//! use std::sync::Arc;
//! use engines_core::{IdGenerator, Store};
//! use engines_storage::{MemoryStore, Operation, faulty::{Fault, Faulty}};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Faulty::new(Arc::new(MemoryStore::new(&IdGenerator::from_os()?)));
//! store.faults().inject(Operation::Ping, 2, Fault::Before);
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
