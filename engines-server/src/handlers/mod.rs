//! The handlers. Each decodes a request, calls one method of a service and encodes the result. Other rules belong into
//! the services.

pub(crate) mod accounts;
pub(crate) mod auth;
pub(crate) mod canvas;
pub(crate) mod chat;
pub(crate) mod events;
pub(crate) mod keys;
pub(crate) mod pii;
pub(crate) mod presence;
mod readiness;
pub(crate) mod retention;
pub(crate) mod service;
pub(crate) mod sse;
pub(crate) mod tenants;
pub(crate) mod train_prefs;
pub(crate) mod ws;
