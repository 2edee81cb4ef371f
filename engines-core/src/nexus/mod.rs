//! The storage contracts: atomic batches of writes, reads within a scope, event sinks and the message relay.
//!
//! Implement [`Store`] for a backend, [`EventSink`] for a destination of events, [`Relay`] for a message broker. Each
//! trait has few required methods; [`StoreExt`] adds conveniences for callers. [`archive`] is the contract for
//! exporting and restoring whole scopes.

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
mod stream_head;

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
    store::{Backend, StorageUsage, Store, StoreChange, StoreChanges, StoreExt},
    stream_head::StreamHead,
};
