//! Lists: documents, dataset events, audit records, the outbox's feed.

mod archive;
mod audit;
mod documents;
mod events;
mod page;

pub(super) use self::{
    archive::{feed_position, scopes, section},
    audit::audit,
    documents::query,
    events::{events, feed, scopes_after, to_remove},
};
