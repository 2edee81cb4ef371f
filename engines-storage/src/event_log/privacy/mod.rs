//! Privacy policies of tenants, which the event log and `POST /pii/redact` follow, and redaction of texts on request.
//!
//! [`PrivacyPolicies`] stores the policies and returns the scrubber of a scope; [`PrivacyService`] is the interface for
//! callers.

mod policies;
mod policy_document;
mod redaction;
mod service;

pub use self::{
    policies::PrivacyPolicies,
    policy_document::{NewPolicy, PolicyDocument},
    redaction::{RedactFinding, RedactMode, RedactOutcome, RedactRequest},
    service::PrivacyService,
};
