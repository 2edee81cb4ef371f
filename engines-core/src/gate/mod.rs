//! Gates: what every service asks before it acts, besides the role.
//!
//! A [`Gate`] sees the action, its class and who asks, and answers allow or deny. A deployment may
//! chain its own (kill switches, budgets, licences); the default allows. If a gate cannot answer, the action does not happen.

mod decision;
mod guard;
mod rate;

pub use self::{
    decision::{AllowAll, Decision, Gate, GateRequest},
    guard::{Guard, Permit},
    rate::{RateLimit, RateStatus, RateSubject},
};
