//! The core of engines: scopes, actions, events, streams, commands, and the contracts that backends implement. It has
//! no I/O, no async runtime and no HTTP.

pub mod access;
pub mod audit;
pub mod clock;
mod code;
pub mod command;
pub mod context;
mod error;
pub mod event;
pub mod gate;
pub mod hex;
mod id;
pub mod json;
mod limits;
pub mod nexus;
mod scope;
mod secret_strength;
pub mod stream;
#[cfg(feature = "testing")]
pub mod testing;
mod trace;

/// Finding and removing personal data and secrets: the package `engines-pii`.
pub use engines_pii as pii;
#[cfg(feature = "logs")]
pub use engines_pii::logs;

pub use self::{
    access::{Action, Role},
    clock::{Clock, IdGenerator, SystemClock, Timestamp},
    code::{Code, ErrorKind},
    context::{Actor, ActorType, Principal, RequestContext, ScopeRestriction},
    error::{Error, Result},
    event::{CleanEvent, DatasetEvent},
    gate::Guard,
    id::{DocId, ResourceId, TenantId, UserId},
    limits::Limits,
    nexus::{Batch, Store, StoreExt},
    scope::{Env, Scope},
    secret_strength::{MIN_SECRET_BYTES, check_secret_strength},
    stream::{Cursor, Envelope, StreamEvent, StreamKey},
    trace::{SpanId, Trace, TraceId},
};
