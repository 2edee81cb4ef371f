//! The table of all actions. Services enforce it and routes refer to it; the OpenAPI document, the isolation tests and
//! the docs are generated from it.

mod action;
mod gate_class;
mod rate_class;
mod role;

pub use self::{
    action::{Action, ActionSpec},
    gate_class::{Danger, GateClass},
    rate_class::RateClass,
    role::Role,
};
