//! Lists: documents, dataset events, audit records, the outbox's feed.

mod audit;
mod documents;
mod events;
mod page;

pub(super) use self::{
    audit::audit,
    documents::query,
    events::{events, feed, to_remove},
};
