//! Role, then gate: the one way a service lets a call in.

use std::{fmt, sync::Arc};

use super::{AllowAll, Decision, Gate, GateRequest};
use crate::{
    access::Action,
    audit::{AuditEntry, Outcome},
    clock::{Clock, IdGenerator, SystemClock},
    context::RequestContext,
    error::{Error, Result},
};

/// What a service holds to let calls in: the gate, the clock and the id generator. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    gate: Arc<dyn Gate>,
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
        Self { gate, clock, ids }
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

    /// Lets the call in, or says why not. `resource` is what it is about (`canvas/c1`), or empty.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT`, the gate's own refusal (both with a `decision_id`), or the gate's failure: then nothing happens.
    pub async fn admit(&self, context: &RequestContext, action: Action, resource: &str) -> Result<Permit> {
        self.require(context, action)?;
        match self.gate.decide(GateRequest { context, action, resource }).await? {
            Decision::Allow => Ok(Permit { action }),
            Decision::Deny { code, detail } => Err(self.decided(Error::new(code, action.spec().name, detail))),
        }
    }

    /// Only the role: for whoever wants to refuse early, before a request is decoded. The service asks again, and asks the gate.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT`, with a `decision_id`.
    pub fn require(&self, context: &RequestContext, action: Action) -> Result<()> {
        action.require(context).map_err(|error| self.decided(error))
    }

    /// A fresh id for a refusal by a rule.
    #[must_use]
    pub fn decision_id(&self) -> String {
        self.ids.ulid(self.clock.now()).to_string()
    }

    fn decided(&self, error: Error) -> Error {
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
    pub fn audit(&self, guard: &Guard, context: &RequestContext, resource: impl Into<String>) -> Option<AuditEntry> {
        self.action.spec().audited.then(|| {
            let now = guard.clock.now();
            AuditEntry::new(guard.ids.ulid(now), now, context, self.action.spec().name, resource, Outcome::Done)
        })
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("gate", &self.gate).finish_non_exhaustive()
    }
}
