//! [`Fault`] and the plan that decides which calls fail.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::Operation;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call fails with `BACKEND_UNAVAILABLE` and has no effect.
    BeforeEffect,
    /// The call takes effect and then fails, as if its answer were lost. A commit fails with `OUTCOME_UNKNOWN`, every
    /// other call with `BACKEND_UNAVAILABLE`. A call that would have failed anyway returns its own error.
    AfterEffect,
    /// The call takes effect after this delay.
    Delayed(Duration),
}

/// The plan of faults of a [`super::Faulty`]. An empty plan injects none. Clones are cheap and share one plan.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<FaultPlan>>);

#[derive(Debug, Default)]
struct FaultPlan {
    down: bool,
    calls: HashMap<Operation, u64>,
    by_call: HashMap<(Operation, u64), Fault>,
    every_call: HashMap<Operation, Fault>,
    lost_changes: usize,
}

impl Faults {
    /// Injects a fault into the `nth` call of this operation from now on; 1 is the next call.
    pub fn inject(&self, operation: Operation, nth: u64, fault: Fault) {
        let mut plan = self.plan();
        let call = plan.calls.get(&operation).copied().unwrap_or_default() + nth;
        plan.by_call.insert((operation, call), fault);
    }

    /// Injects a fault into every call of this operation from now on; `None` stops that. A fault from
    /// [`Faults::inject`] takes precedence.
    pub fn set_for_all(&self, operation: Operation, fault: Option<Fault>) {
        let mut plan = self.plan();
        match fault {
            Some(fault) => plan.every_call.insert(operation, fault),
            None => plan.every_call.remove(&operation),
        };
    }

    /// Makes every call fail (`true`), or ends that (`false`).
    pub fn set_down(&self, down: bool) {
        self.plan().down = down;
    }

    /// Drops the next `count` change notifications; the readers receive
    /// [`Lagged`](engines_core::nexus::StoreChange::Lagged) instead.
    pub fn lose_changes(&self, count: usize) {
        self.plan().lost_changes = count;
    }

    /// Returns how often this operation was called.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> u64 {
        self.plan().calls.get(&operation).copied().unwrap_or_default()
    }

    /// Counts a call and returns the fault to inject into it.
    pub(super) fn next_fault(&self, operation: Operation) -> Option<Fault> {
        let mut plan = self.plan();
        let call = plan.calls.entry(operation).or_default();
        *call += 1;
        let call = *call;
        let once = plan.by_call.remove(&(operation, call));
        if plan.down {
            return Some(Fault::BeforeEffect);
        }
        once.or_else(|| plan.every_call.get(&operation).copied())
    }

    /// Returns whether the next change notification is to be dropped.
    pub(super) fn take_lost_change(&self) -> bool {
        let mut plan = self.plan();
        let lost = plan.lost_changes > 0;
        plan.lost_changes = plan.lost_changes.saturating_sub(1);
        lost
    }

    fn plan(&self) -> MutexGuard<'_, FaultPlan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
