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
mod feed;
mod page;
mod relay;
mod removal;
mod store;

pub use self::{
    backup::{BackupContent, BackupFiles, BackupPosition, BackupSource, CopyLimits, RestoreTarget, ScopePosition},
    batch::{Batch, Expect, ExpectedHead, Once, Realm, Write},
    capabilities::Capabilities,
    commit::{Appended, CommitError, EventOutcome, Failed, Receipt},
    document::{Document, Kind, NewDocument, Order, Query, Tag},
    feed::{EventFeed, EventSink, FeedItem, SinkError},
    page::{Page, PageToken, Paged},
    relay::{Relay, RelayMessage, RelayStream},
    removal::{Removal, Removed},
    store::{Backend, Change, Changes, Head, Store, StoreExt, Usage},
};
