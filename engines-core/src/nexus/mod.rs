//! The store contracts: one atomic write, scoped reads, and where events go besides the store.
//!
//! Implement [`Store`] for a backend, [`EventSink`] for a destination, [`Relay`] for a message broker. Each has a small
//! required trait; what callers like to have on top is in [`StoreExt`]. [`archive`] is the side for taking whole scopes out and putting them back.

pub mod archive;
mod backup;
mod batch;
mod capabilities;
mod commit;
mod document;
mod event_feed;
mod page;
mod relay;
mod removal;
mod store;

pub use self::{
    backup::{BackupContent, BackupFiles, BackupPosition, BackupSource, CopyLimits, RestoreTarget, ScopePosition},
    batch::{Batch, Expect, ExpectedHead, Idempotency, Partition, Write},
    capabilities::Capabilities,
    commit::{AppendReceipt, CommitError, CommitReceipt, EventOutcome, FailedPrecondition},
    document::{Document, DocumentKind, DocumentQuery, NewDocument, QueryOrder, Tag},
    event_feed::{EventFeed, EventSink, FeedItem, SinkError},
    page::{Page, PageRequest, PageToken},
    relay::{Relay, RelayMessage, RelayStream},
    removal::{Removal, RemovalProgress},
    store::{Backend, StorageUsage, Store, StoreChange, StoreChanges, StoreExt, StreamHead},
};
