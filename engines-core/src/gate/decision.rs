//! The interface of gates: request and decision.

use async_trait::async_trait;

use crate::{access::Action, code::Code, context::RequestContext, error::Result};

/// An action that a gate decides about.
#[derive(Debug, Clone, Copy)]
pub struct GateRequest<'a> {
    /// The caller and its scope.
    pub context: &'a RequestContext,
    /// The requested action.
    pub action: Action,
    /// The object of the action, such as `canvas/c1`; empty when the action has no single object.
    pub resource: &'a str,
}

/// The decision of a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The action may proceed.
    Allow,
    /// The action is rejected with a code of the 403 or 429 group.
    Deny {
        /// The stable code of the error.
        code: Code,
        /// A sentence for the caller that says what to do.
        detail: String,
    },
}

/// Decides whether an action may proceed. It is called before anything is read or written, for every call, and must be
/// fast.
///
/// ```
/// # use engines_core::{access::GateClass, gate::{Decision, Gate, GateRequest}, Code, Result};
/// /// Lets agents read and nothing else.
/// #[derive(Debug)]
/// struct AgentsOnlyRead;
///
/// #[async_trait::async_trait]
/// impl Gate for AgentsOnlyRead {
///     async fn decide(&self, request: GateRequest<'_>) -> Result<Decision> {
///         let agent = request.context.actor().kind == engines_core::ActorType::Agent;
///         Ok(if agent && request.action.spec().gate == GateClass::Write {
///             Decision::Deny { code: Code::KillSwitchBlocked, detail: "agents are paused".into() }
///         } else {
///             Decision::Allow
///         })
///     }
/// }
/// ```
#[async_trait]
pub trait Gate: Send + Sync + std::fmt::Debug {
    /// Allows or denies the action.
    ///
    /// # Errors
    /// When no decision is possible; the action is then rejected with that error.
    async fn decide(&self, request: GateRequest<'_>) -> Result<Decision>;
}

/// The default gate: it allows every action that the role allows.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

#[async_trait]
impl Gate for AllowAll {
    async fn decide(&self, _: GateRequest<'_>) -> Result<Decision> {
        Ok(Decision::Allow)
    }
}
