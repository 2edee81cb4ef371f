#![doc = include_str!("../README.md")]

#[cfg(feature = "archive")]
pub mod archive;
mod assembly;
mod background_tasks;
pub mod backup;
mod builder;
mod engine;
mod identity_assembly;
mod outbox_task;
mod readiness;
pub mod recorder;
mod retention;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store_handle;

pub use engines_auth as auth;
pub use engines_core as core;
pub use engines_core::{
    Action, Actor, ActorType, Clock, Code, Cursor, DatasetEvent, Env, Error, ErrorKind, Guard, IdGenerator, Limits,
    Principal, RequestContext, ResourceId, Result, Role, Scope, StreamKey, SystemClock, TenantId, Timestamp, Trace,
    UserId,
};
pub use engines_storage as storage;
pub use engines_stream as stream;

pub use self::{builder::EngineBuilder, engine::Engine, readiness::ComponentStatus, retention::RetentionReport};

/// The most common names: `use engines::prelude::*`.
pub mod prelude {
    pub use engines_core::{
        Action, Code, DatasetEvent, Env, Error, RequestContext, ResourceId, Result, Role, Scope, Store, StoreExt,
        StreamKey, TenantId, UserId, nexus::PageRequest,
    };
    pub use engines_stream::chat::{NewMessage, NewThread};

    pub use crate::Engine;
}
