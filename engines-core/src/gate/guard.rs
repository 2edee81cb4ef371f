//! The check that every service call passes: role, rate limit, gate.

use std::{fmt, sync::Arc};

use super::{AllowAll, Decision, Gate, GateRequest, RateLimit, RateStatus, RateSubject};
use crate::{
    access::{Action, RateClass},
    audit::{AuditEntry, AuditOutcome},
    clock::{Clock, IdGenerator, SystemClock},
    context::RequestContext,
    error::{Error, Result},
};

/// The parts a service needs to check calls: the gate, the rate limiter, the clock and the id generator. Cheap to
/// clone.
#[derive(Clone)]
pub struct Guard {
    gate: Arc<dyn Gate>,
    rate_limit: Option<Arc<dyn RateLimit>>,
    clock: Arc<dyn Clock>,
    ids: IdGenerator,
}

/// Proof that a call was admitted. It makes the audit record that is stored in the same batch as the call's effect.
#[derive(Debug, Clone, Copy)]
#[must_use = "a permit that nobody asks for an audit record hides what was done"]
pub struct Permit {
    action: Action,
}

impl Guard {
    /// Makes a guard with a custom gate.
    #[must_use]
    pub fn new(gate: Arc<dyn Gate>, clock: Arc<dyn Clock>, ids: IdGenerator) -> Self {
        Self { gate, rate_limit: None, clock, ids }
    }

    /// Makes a guard with the default gate and the system clock.
    ///
    /// # Errors
    /// `INTERNAL` when the operating system provides no randomness.
    pub fn allow_all() -> Result<Self> {
        Ok(Self::new(Arc::new(AllowAll), Arc::new(SystemClock), IdGenerator::from_os()?))
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The id generator.
    #[must_use]
    pub fn ids(&self) -> &IdGenerator {
        &self.ids
    }

    /// Adds a rate limiter, which is asked after the role check and before the gate.
    #[must_use]
    pub fn with_rate_limit(self, rates: Arc<dyn RateLimit>) -> Self {
        Self { rate_limit: Some(rates), ..self }
    }

    /// Admits the call, or returns why it is rejected. `resource` is the object of the action (`canvas/c1`), or empty.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT`, `RATE_LIMITED` or the gate's denial (each with a `decision_id`), or the error of a gate
    /// that cannot decide. The caller must then do nothing.
    pub async fn admit(&self, context: &RequestContext, action: Action, resource: &str) -> Result<Permit> {
        self.require_role(context, action)?;
        self.count_request(context, action.spec().rate)?;
        match self.gate.decide(GateRequest { context, action, resource }).await? {
            Decision::Allow => Ok(Permit { action }),
            Decision::Deny { code, detail } => Err(self.with_decision_id(Error::new(code, action.spec().name, detail))),
        }
    }

    /// Admits a call that ends something: a revocation, a cancellation, the withdrawal of an invite. The gate is not
    /// asked, and the call counts in the class [`RateClass::Release`], whose limit no other traffic uses up.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT`, `RATE_LIMITED`, both with a `decision_id`.
    pub fn admit_release(&self, context: &RequestContext, action: Action) -> Result<Permit> {
        self.require_role(context, action)?;
        self.count_request(context, RateClass::Release)?;
        Ok(Permit { action })
    }

    /// Counts a request of a subject outside of any tenant, such as one about the caller's own account, which no
    /// service counts.
    ///
    /// # Errors
    /// `RATE_LIMITED`, with a `decision_id`.
    pub fn count_subject(&self, subject: &RateSubject<'_>, class: RateClass) -> Result<()> {
        match &self.rate_limit {
            Some(rates) => rates.check(subject, class).map_err(|error| self.with_decision_id(error)),
            None => Ok(()),
        }
    }

    /// The remaining requests of a subject; `None` without a limit.
    #[must_use]
    pub fn rate_status(&self, subject: &RateSubject<'_>, class: RateClass) -> Option<RateStatus> {
        self.rate_limit.as_ref()?.status(subject, class)
    }

    fn count_request(&self, context: &RequestContext, class: RateClass) -> Result<()> {
        match RateSubject::of_context(context) {
            Some(subject) => self.count_subject(&subject, class),
            None => Ok(()),
        }
    }

    /// Checks only the role, so that a request can be rejected before it is decoded. The service checks it again, and
    /// asks the gate.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT`, with a `decision_id`.
    pub fn require_role(&self, context: &RequestContext, action: Action) -> Result<()> {
        action.require_role(context.role()).map_err(|error| self.with_decision_id(error))
    }

    /// A new id for a rejection by a rule.
    #[must_use]
    pub fn decision_id(&self) -> String {
        self.ids.ulid(self.clock.now()).to_string()
    }

    fn with_decision_id(&self, error: Error) -> Error {
        error.with_member("decision_id", self.decision_id())
    }
}

impl Permit {
    /// The admitted action.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// The audit record of this call, if its action is audited. `resource` is the object that was acted on.
    #[must_use]
    pub fn audit_entry(
        &self,
        guard: &Guard,
        context: &RequestContext,
        resource: impl Into<String>,
    ) -> Option<AuditEntry> {
        self.action.spec().audited.then(|| {
            let now = guard.clock.now();
            AuditEntry::new(guard.ids.ulid(now), now, context, self.action.spec().name, resource, AuditOutcome::Done)
        })
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("gate", &self.gate).finish_non_exhaustive()
    }
}
