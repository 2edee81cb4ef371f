//! Key slots: a tenant's third-party secrets (a model provider's key, say), sealed at rest and never returned.
//!
//! An admin puts a secret into a slot of a tenant and environment and sees from then on only that it is there. What works for the tenant
//! in process gets it with [`KeySlots::open`]. What is stored is sealed with AES-256-GCM under one of the [`SealKeys`], and bound to
//! tenant, environment, slot and key: moved anywhere else, it does not open.

mod seal;
mod secret;
mod service;

pub use self::{
    seal::SealKeys,
    secret::SlotSecret,
    service::{KEY_SLOT, KeySlots, SlotInfo},
};
