//! Key slots: secrets that a tenant has from third parties (for example the key of a model provider), sealed at rest
//! and never returned.
//!
//! An admin stores a secret in a slot of a tenant and environment. From then on the API shows only that the slot is
//! filled. Code that works for the tenant in process gets the secret with [`KeySlots::open`]. The stored form is sealed
//! with AES-256-GCM under one of the [`SealKeys`], and bound to tenant, environment, slot and key: copied to another
//! place, it cannot be opened.

mod seal;
mod secret;
mod service;

pub use self::{
    seal::SealKeys,
    secret::SlotSecret,
    service::{KEY_SLOT, KeySlots, SlotInfo},
};
