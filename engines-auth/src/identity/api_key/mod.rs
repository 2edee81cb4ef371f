//! API keys `ek_…`: credentials for programs and agents of one tenant, verified against the store.

mod authenticator;
mod key_descent;
mod service;
mod token;
mod wire;

pub use self::{
    service::ApiKeys,
    wire::{ApiKeyCreated, ApiKeyRequest, ApiKeyView, RotateRequest},
};
pub use super::actor::ISSUER;
