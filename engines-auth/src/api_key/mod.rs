//! API keys `ek_…`: credentials of one tenant's own programs and agents, verified against the store.

mod authenticator;
mod delegation;
mod service;
mod wire;

pub(crate) use self::authenticator::id_of;
pub use self::{
    authenticator::ISSUER,
    service::ApiKeys,
    wire::{ApiKeyCreated, ApiKeyRequest, ApiKeyView, RotateRequest},
};
