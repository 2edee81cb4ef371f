//! An in-memory store that implements the whole contract and writes nothing to disk.
//!
//! It is meant for tests, examples and small tools. A batch takes effect on the first poll of its commit, under a
//! read-write lock that is never held across an `await`. [`MemoryLimits`] bounds its memory.
//!
//! ```
//! use engines_core::{
//!     clock::{Clock, IdGenerator, SystemClock}, nexus::{Batch, DocumentKind, Expect, NewDocument},
//!     DocId, Env, Scope, Store, TenantId,
//! };
//! use engines_storage::MemoryStore;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const NOTE: DocumentKind = DocumentKind::from_static("note");
//! let store = MemoryStore::new(&IdGenerator::from_os()?);
//! let scope = Scope::new(TenantId::new("t_acme")?, Env::Dev);
//! let note = NewDocument::new(NOTE, DocId::new("n1")?, &"hello")?;
//! store.commit(&scope, Batch::new(SystemClock.now()).put(note, Expect::Absent)).await?;
//! assert!(store.get(&scope, &NOTE, &DocId::new("n1")?).await?.is_some());
//! # Ok(()) }
//! ```

mod archive;
mod backup;
mod documents;
mod events;
mod limits;
mod page_token;
mod receipts;
mod removal;
mod scope_data;
mod sizes;
mod state;
mod store;
mod store_archive;

pub use self::{limits::MemoryLimits, store::MemoryStore};
