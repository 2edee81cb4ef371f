//! Role, then gate: the one way a service lets a call in.

use std::{fmt, sync::Arc};

use super::{AllowAll, Decision, Gate, GateRequest, RateLimit, RateStatus, RateSubject};
use crate::{
    access::{Action, RateClass},
    audit::{AuditEntry, AuditOutcome},
    clock::{Clock, IdGenerator, SystemClock},
    context::RequestContext,
    error::{Error, Result},
};

/// What a service holds to let calls in: the gate, the clock and the id generator. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    gate: Arc<dyn Gate>,
    rate_limit: Option<Arc<dyn RateLimit>>,
    clock: Arc<dyn Clock>,
    ids: IdGenerator,
}

/// Proof that a call was let in. It makes the audit record that goes into the same batch as the call's effect.
#[derive(Debug, Clone, Copy)]
#[must_use = "a permit that nobody asks for an audit record hides what was done"]
pub struct Permit {
    action: Action,
}

impl Guard {
    /// With a gate of one's own.
    #[must_use]
    pub fn new(gate: Arc<dyn Gate>, clock: Arc<dyn Clock>, ids: IdGenerator) -> Self {
        Self { gate, rate_limit: None, clock, ids }
    }

    /// With the default gate and the machine's clock.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
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

    /// The same guard with a rate limiter, which is asked after the role and before the gate.
    #[must_use]
    pub fn with_rate_limit(self, rates: Arc<dyn RateLimit>) -> Self {
        Self { rate_limit: Some(rates), ..self }
    }

    /// Lets the call in, or says why not. `resource` is what it is about (`canvas/c1`), or empty.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT`, `RATE_LIMITED`, the gate's own refusal (each with a `decision_id`), or the gate's failure: then
    /// nothing happens.
    pub async fn admit(&self, context: &RequestContext, action: Action, resource: &str) -> Result<Permit> {
        self.require_role(context, action)?;
        self.count_request(context, action.spec().rate)?;
        match self.gate.decide(GateRequest { context, action, resource }).await? {
            Decision::Allow => Ok(Permit { action }),
            Decision::Deny { code, detail } => Err(self.with_decision_id(Error::new(code, action.spec().name, detail))),
        }
    }

    /// Lets in a call that ends something: a revocation, a cancellation, taking an invite back. The gate is not asked, and the call is
    /// counted in the class [`RateClass::Release`], whose limit no other traffic uses up.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT`, `RATE_LIMITED`, both with a `decision_id`.
    pub fn admit_release(&self, context: &RequestContext, action: Action) -> Result<Permit> {
        self.require_role(context, action)?;
        self.count_request(context, RateClass::Release)?;
        Ok(Permit { action })
    }

    /// Counts a request of a subject that is in no tenant, where no service does: one about the caller's own account.
    ///
    /// # Errors
    /// `RATE_LIMITED`, with a `decision_id`.
    pub fn count_subject(&self, subject: &RateSubject<'_>, class: RateClass) -> Result<()> {
        match &self.rate_limit {
            Some(rates) => rates.check(subject, class).map_err(|error| self.with_decision_id(error)),
            None => Ok(()),
        }
    }

    /// What is left of a subject's rate limit; none without a limit.
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

    /// Only the role: for whoever wants to refuse early, before a request is decoded. The service asks again, and asks the gate.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT`, with a `decision_id`.
    pub fn require_role(&self, context: &RequestContext, action: Action) -> Result<()> {
        action.require_role(context).map_err(|error| self.with_decision_id(error))
    }

    /// A fresh id for a refusal by a rule.
    #[must_use]
    pub fn decision_id(&self) -> String {
        self.ids.ulid(self.clock.now()).to_string()
    }

    fn with_decision_id(&self, error: Error) -> Error {
        error.with_member("decision_id", self.decision_id())
    }
}

impl Permit {
    /// The action that was let in.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// The audit record of this call, if its action is audited. `resource` is what was acted on.
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
