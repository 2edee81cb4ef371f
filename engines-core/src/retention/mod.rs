//! How long what a tenant stores is kept: policies, and the bounded steps that remove what is older.
//!
//! A policy belongs to a tenant and environment. The deployment's [`RetentionSettings`] hold for scopes without one, and set minimums
//! for audit records and receipts that no policy can go below. A worker (the engine's own, or an embedder's) applies the policies.

mod policy;
mod service;
mod settings;

pub use self::{
    policy::{NewRetentionPolicy, RetentionDocument, RetentionPolicy},
    service::{RemovalStepOptions, RetentionKind, RetentionService},
    settings::RetentionSettings,
};
