//! Handlers: each decodes, calls one service method and encodes. A rule found here is in the wrong room.

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
