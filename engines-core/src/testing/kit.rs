//! Test contexts, and a clock that tests control.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::{
    access::Role,
    clock::{Clock, IdGenerator, Timestamp},
    context::{Actor, ActorType, Principal, RequestContext},
    error::Result,
    id::{TenantId, UserId},
    scope::{Env, Scope},
    trace::Trace,
};

/// A clock that stands still until a test moves it. It starts at 2026-01-01T00:00:00Z.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl Default for ManualClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(1_767_225_600_000)))
    }
}

impl ManualClock {
    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets the clock.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Makes a scope, such as `scope("t_acme", Env::Dev)`.
///
/// # Errors
/// `TENANT_INVALID` when `tenant` is malformed.
pub fn scope(tenant: &str, env: Env) -> Result<Scope> {
    Ok(Scope::new(TenantId::new(tenant)?, env))
}

/// Makes a context like one that was admitted, of a person with this role in this tenant's `dev`.
///
/// ```
/// # use engines_core::{testing, access::Role};
/// let ada = testing::context("t_acme", "ada", Role::Member)?;
/// assert_eq!(ada.scope().tenant().as_str(), "t_acme");
/// # Ok::<(), engines_core::Error>(())
/// ```
///
/// # Errors
/// When `tenant` or `user` is malformed.
pub fn context(tenant: &str, user: &str, role: Role) -> Result<RequestContext> {
    context_in(tenant, Env::Dev, user, ActorType::Human, role)
}

/// As [`context`], in any environment and for any type of actor.
///
/// # Errors
/// As [`context`].
pub fn context_in(tenant: &str, env: Env, user: &str, kind: ActorType, role: Role) -> Result<RequestContext> {
    let tenant = TenantId::new(tenant)?;
    let mut principal = Principal::assume_verified(Actor { id: UserId::new(user)?, kind }, "test-kit");
    principal.memberships.insert(tenant.clone(), role);
    let trace = Trace::begin(&ManualClock::default(), &IdGenerator::from_os()?);
    RequestContext::admit_verified(&principal, Scope::new(tenant, env), trace)
}
