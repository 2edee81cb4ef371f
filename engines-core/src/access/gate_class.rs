//! What gates are asked about an action: its class, and the damage it can do.

use serde::Serialize;

/// The class of an action for gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GateClass {
    /// Reads; changes nothing.
    Read,
    /// Follows a stream.
    Follow,
    /// Changes a tenant's content.
    Write,
    /// Manages a tenant.
    Manage,
    /// Exports content in bulk.
    Export,
}

/// How much harm a mistaken call can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Danger {
    /// None: the action changes nothing.
    None,
    /// The effect can be undone.
    Low,
    /// The effect is hard to undo.
    High,
}
