//! Gates: rules of the deployment that every service checks before it acts, in addition to the role.
//!
//! A [`Gate`] gets the action, its class and the caller, and allows or denies it. A deployment may chain its own gates
//! (kill switches, budgets, licences); the default gate allows everything. If a gate cannot decide, the action is
//! rejected.

mod decision;
mod guard;
mod rate;

pub use self::{
    decision::{AllowAll, Decision, Gate, GateRequest},
    guard::{Guard, Permit},
    rate::{RateLimit, RateStatus, RateSubject},
};
