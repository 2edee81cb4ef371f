//! The backend kernel for products in which people and AI agents work together, many tenants on one deployment.
//!
//! An [`Engine`] is put together once and shared; every call takes a [`RequestContext`], which comes from the door
//! ([`Engine::door`]) or, for trusted work in process, from [`Engine::system`].
//!
//! ```
//! use engines::{Engine, Env, Scope, TenantId, stream::chat::{NewMessage, NewThread}};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> engines::Result<()> {
//! let engine = Engine::builder().memory().build().await?;
//! let acme = engine.system(Scope::new(TenantId::new("t_acme")?, Env::Dev), "example")?;
//!
//! let thread = engine.chat().create_thread(&acme, NewThread::default()).await?;
//! let posted = engine.chat().post(&acme, &thread.thread_id, NewMessage::text("Hello")).await?;
//! assert_eq!(posted.event.seq.0, 1);
//! engine.shutdown().await;
//! # Ok(()) }
//! ```

mod builder;
mod engine;
mod running;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tenants;

pub use engines_auth as auth;
pub use engines_core as core;
pub use engines_core::{
    Action, Actor, ActorType, Clock, Code, Cursor, DatasetEvent, Env, Error, ErrorKind, Guard, IdGenerator, Limits,
    Principal, RequestContext, ResourceId, Result, Role, Scope, StreamKey, SystemClock, TenantId, Timestamp, Trace,
    UserId,
};
pub use engines_storage as storage;
pub use engines_stream as stream;

pub use self::{builder::Builder, engine::Engine, tenants::Tenant};

/// What most programs name: `use engines::prelude::*`.
pub mod prelude {
    pub use engines_core::{
        Action, Code, DatasetEvent, Env, Error, RequestContext, ResourceId, Result, Role, Scope, Store, StoreExt,
        StreamKey, TenantId, UserId, nexus::Page,
    };
    pub use engines_stream::chat::{NewMessage, NewThread};

    pub use crate::Engine;
}
