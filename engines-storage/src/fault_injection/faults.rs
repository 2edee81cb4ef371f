//! What goes wrong, and when.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::Operation;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails with `BACKEND_UNAVAILABLE` and does nothing.
    BeforeEffect,
    /// It is done, and then fails: the answer is lost on its way. A commit fails with `OUTCOME_UNKNOWN`, everything else with
    /// `BACKEND_UNAVAILABLE`. A call that would have failed anyway fails as it would have.
    AfterEffect,
    /// It is done after this wait.
    Delayed(Duration),
}

/// Decides which calls of a [`super::Faulty`] go wrong; cheap to clone, clones share one plan. Without a plan nothing does.
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
    /// The `nth` call of this operation from now (1 is the next) goes wrong.
    pub fn inject(&self, operation: Operation, nth: u64, fault: Fault) {
        let mut plan = self.plan();
        let call = plan.calls.get(&operation).copied().unwrap_or_default() + nth;
        plan.by_call.insert((operation, call), fault);
    }

    /// Every call of this operation goes wrong from now on; none ends that. A fault injected for one call goes first.
    pub fn set_for_all(&self, operation: Operation, fault: Option<Fault>) {
        let mut plan = self.plan();
        match fault {
            Some(fault) => plan.every_call.insert(operation, fault),
            None => plan.every_call.remove(&operation),
        };
    }

    /// The whole backend is down, or up again.
    pub fn set_down(&self, down: bool) {
        self.plan().down = down;
    }

    /// The next `count` wake-ups are lost: their readers are told that they missed something instead.
    pub fn lose_changes(&self, count: usize) {
        self.plan().lost_changes = count;
    }

    /// How often this operation was called.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> u64 {
        self.plan().calls.get(&operation).copied().unwrap_or_default()
    }

    /// Counts a call and says what is to happen to it.
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

    /// Whether a wake-up is lost.
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
