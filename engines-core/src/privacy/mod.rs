//! What a tenant says about personal data: its policy, which the event log and `POST /pii/redact` follow, and a look at what the engine finds.
//!
//! [`Policies`] keeps the policies and hands out the scrubber of a scope; [`PrivacyService`] is what people ask.

mod document;
mod policies;
mod redaction;
mod service;

pub use self::{
    document::{NewPolicy, PolicyDocument},
    policies::PrivacyPolicies,
    redaction::{RedactFinding, RedactMode, RedactOutcome, RedactRequest},
    service::PrivacyService,
};
