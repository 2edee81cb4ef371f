//! The budgets that one request holds.

use std::sync::{Arc, Mutex, PoisonError};

use engines::Result;

use super::{
    AddressUsage, EvictionClass, EvictionSignal, Resource, WorkGuard,
    budgets::{BudgetShare, Budgets},
};
use crate::{
    gauge_guard::GaugeGuard,
    route_info::{BodyKind, Route, RouteAccess, WorkClass},
};

/// The shares of budgets that a request holds until its response begins.
pub(crate) struct RequestBudget<'a> {
    budgets: &'a Budgets,
    usage: Option<Arc<AddressUsage>>,
    class: ClientClass,
    shares: Mutex<HeldShares>,
    _gauge: GaugeGuard,
}

#[derive(Default)]
struct HeldShares {
    in_flight: Option<BudgetShare>,
    bytes: Option<BudgetShare>,
}

/// The group of budgets that a request is charged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientClass {
    /// No budgets. The route reports the state of the server, which must work while it is busy.
    Exempt,
    /// The budgets of routes that need no credential.
    Anonymous(WorkClass),
    /// The budgets of routes that need a credential.
    Authenticated,
}

impl ClientClass {
    /// Returns the group of the requests to a route.
    pub(crate) fn of(route: &Route) -> Self {
        match (route.access, route.body) {
            (RouteAccess::Public, BodyKind::None) => Self::Exempt,
            (RouteAccess::Public | RouteAccess::Guest, _) => Self::Anonymous(route.work),
            _ => Self::Authenticated,
        }
    }
}

impl<'a> RequestBudget<'a> {
    /// Takes the shares of a request of `class`, with one in flight.
    ///
    /// # Errors
    /// Returns `BACKEND_UNAVAILABLE` when the budget is used up.
    pub(crate) fn acquire(
        budgets: &'a Budgets,
        usage: Option<Arc<AddressUsage>>,
        gauge: GaugeGuard,
        class: ClientClass,
    ) -> Result<Self> {
        let budget = Self { budgets, usage, class, shares: Mutex::default(), _gauge: gauge };
        budget.resume()?;
        Ok(budget)
    }

    /// Releases the share in flight while the body arrives, and takes one of the budget of bodies instead.
    pub(crate) fn receive_body(&self) -> Result<IncomingBody> {
        self.lock_shares().in_flight = None;
        let (unit, resource) = match self.class {
            ClientClass::Authenticated => (EvictionClass::Body, Resource::BodyBytes),
            ClientClass::Exempt | ClientClass::Anonymous(_) => {
                (EvictionClass::AnonymousBody, Resource::AnonymousBodyBytes)
            }
        };
        let bytes = self.budgets.acquire(resource, self.usage.as_ref(), 0)?;
        let (unfinished, evicted) = self.budgets.start_work(unit, self.usage.as_ref());
        Ok(IncomingBody { unit, bytes, evicted, _unfinished: unfinished })
    }

    /// Takes a share in flight again after the body has arrived. The bytes of the body stay counted until the response.
    ///
    /// # Errors
    /// Returns `BACKEND_UNAVAILABLE` when the budget is used up.
    pub(crate) fn received_body(&self, arriving: IncomingBody) -> Result<()> {
        self.lock_shares().bytes = Some(arriving.bytes);
        self.resume()
    }

    /// Exchanges the share in flight for one of the budget of batches, whose bodies arrive while they are handled.
    ///
    /// # Errors
    /// Returns `BACKEND_UNAVAILABLE` when the budget is used up.
    pub(crate) fn switch_to_batch(&self) -> Result<()> {
        self.lock_shares().in_flight = Some(self.budgets.acquire(Resource::Batches, self.usage.as_ref(), 1)?);
        Ok(())
    }

    fn resume(&self) -> Result<()> {
        let resource = match self.class {
            ClientClass::Exempt => return Ok(()),
            ClientClass::Anonymous(WorkClass::General) => Resource::AnonymousInFlight,
            ClientClass::Anonymous(WorkClass::PasswordHash) => Resource::PasswordInFlight,
            ClientClass::Anonymous(WorkClass::Refresh) => Resource::RefreshInFlight,
            ClientClass::Authenticated => Resource::InFlight,
        };
        self.lock_shares().in_flight = Some(self.budgets.acquire(resource, self.usage.as_ref(), 1)?);
        Ok(())
    }

    fn lock_shares(&self) -> std::sync::MutexGuard<'_, HeldShares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shares of a body that is being received.
#[derive(Debug)]
pub(crate) struct IncomingBody {
    pub(crate) unit: EvictionClass,
    pub(crate) bytes: BudgetShare,
    pub(crate) evicted: EvictionSignal,
    _unfinished: WorkGuard,
}
