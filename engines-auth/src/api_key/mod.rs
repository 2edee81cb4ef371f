//! API keys `ek_…`: credentials for programs and agents of one tenant, verified against the store.

mod authenticator;
mod delegation;
mod service;
mod wire;

pub(crate) use self::authenticator::api_key_id;
pub use self::{
    authenticator::ISSUER,
    service::ApiKeys,
    wire::{ApiKeyCreated, ApiKeyRequest, ApiKeyView, RotateRequest},
};
