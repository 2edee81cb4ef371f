//! Limits on work in progress: a budget for each resource, in total and for each client address.
//!
//! Work of clients that have not authenticated has its own, smaller budgets, so that it cannot use up what
//! authenticated clients need. If unfinished work fills a budget (a connection without a complete request, a body that
//! has not arrived), the oldest work is evicted and the new work takes its place. A client that sends its request
//! without a pause needs its place for milliseconds, and is never the oldest.

mod address_group;
mod budgets;
mod eviction_queue;
mod refusal_log;
mod request_budget;

pub(crate) use self::{
    address_group::AddressGroup,
    budgets::{AddressUsage, BudgetShare, Budgets, EvictionClass, Resource, is_budget_refusal},
    eviction_queue::{EvictionSignal, WorkGuard},
    refusal_log::RefusalLog,
    request_budget::{ClientClass, RequestBudget},
};
