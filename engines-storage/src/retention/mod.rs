//! Retention: policies on how long a tenant's data is kept, and bounded steps that remove older data.
//!
//! A policy belongs to a tenant and environment. The deployment's [`RetentionSettings`] apply to scopes without one,
//! and set minimums for audit records and receipts that no policy can undercut. A worker (the engine's own, or an
//! embedder's) applies the policies.

mod policy;
mod service;
mod settings;

pub use self::{
    policy::{NewRetentionPolicy, RetentionDocument, RetentionPolicy},
    service::{RemovalStepOptions, RetentionKind, RetentionService},
    settings::RetentionSettings,
};
