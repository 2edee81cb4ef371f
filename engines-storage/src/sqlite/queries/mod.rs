//! Queries that return pages: documents, dataset events, audit records, and the outbox's feed.

mod archive;
mod audit;
mod documents;
mod events;
mod page;

pub(super) use self::{
    archive::{feed_position, read_section},
    audit::audit_page,
    documents::document_page,
    events::{events, find_removable, read_feed, scopes_after},
};
