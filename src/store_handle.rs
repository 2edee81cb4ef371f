//! How the builder opens a store, and how the engine closes it.

use std::{future::Future, pin::Pin, sync::Arc};

use engines_core::{IdGenerator, Result, nexus::Backend};

/// An opened store, and the function that closes it.
pub(crate) type StoreHandle = (Arc<dyn Backend>, Option<CloseFn>);

/// Closes a store that the builder opened.
pub(crate) type CloseFn = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Opens a store.
pub(crate) type OpenStore = Box<dyn FnOnce(IdGenerator) -> OpenFuture + Send>;

type OpenFuture = Pin<Box<dyn Future<Output = Result<StoreHandle>> + Send>>;
