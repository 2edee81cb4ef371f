//! What a gate is asked, and what it answers.

use async_trait::async_trait;

use crate::{access::Action, code::Code, context::RequestContext, error::Result};

/// What a gate is asked.
#[derive(Debug, Clone, Copy)]
pub struct GateRequest<'a> {
    /// Who asks, in which scope.
    pub context: &'a RequestContext,
    /// What for.
    pub action: Action,
    /// On what, such as `canvas/c1`; empty when the action has no single object.
    pub resource: &'a str,
}

/// What a gate answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Allow,
    /// Stop, with a code of the 403 or 429 group and a sentence for the caller.
    Deny {
        /// The stable code.
        code: Code,
        /// What to do about it.
        detail: String,
    },
}

/// Decides about actions. Called before anything is done or read; must be quick.
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
    /// Allow or deny.
    ///
    /// # Errors
    /// When it cannot tell; the action is then refused with that error.
    async fn decide(&self, request: GateRequest<'_>) -> Result<Decision>;
}

/// The default: everything the role allows.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

#[async_trait]
impl Gate for AllowAll {
    async fn decide(&self, _: GateRequest<'_>) -> Result<Decision> {
        Ok(Decision::Allow)
    }
}
