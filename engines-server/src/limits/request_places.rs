//! What one request holds of the budgets.

use std::sync::{Arc, Mutex, PoisonError};

use engines::Result;

use super::{
    AddressUsage, Evicted, Resource, Unfinished, Unit,
    budgets::{Budgets, Share},
};
use crate::{
    App,
    address::Client,
    metrics::Held,
    routes::{BodyKind, Endpoint, Route},
};

/// The places a request holds until its answer begins.
pub(crate) struct RequestPlaces<'a> {
    pub(crate) app: &'a App,
    pub(crate) client: Option<Client>,
    usage: Option<Arc<AddressUsage>>,
    class: Class,
    held: Mutex<Places>,
    _gauge: Held,
}

#[derive(Default)]
struct Places {
    in_flight: Option<Share>,
    bytes: Option<Share>,
}

/// Whose budgets a request is charged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Nobody's: it tells how the server is, which must be possible while it is busy.
    Exempt,
    /// Routes that need no credential.
    Anonymous,
    /// Routes that need one.
    Authenticated,
}

impl Class {
    fn of(route: &Route) -> Self {
        match (&route.endpoint, route.body) {
            (Endpoint::Public(_), BodyKind::None) => Self::Exempt,
            (Endpoint::Public(_) | Endpoint::Guest(_), _) => Self::Anonymous,
            _ => Self::Authenticated,
        }
    }
}

impl<'a> RequestPlaces<'a> {
    /// The places of a request to `route`, with one in flight.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when there is none.
    pub(crate) fn open(app: &'a App, client: Option<Client>, route: &Route) -> Result<Self> {
        let class = Class::of(route);
        let usage = match (&client, class) {
            (None, _) | (_, Class::Exempt) => None,
            (Some(client), _) => Some(client.usage(app.budgets())),
        };
        let gauge = Held::new(&app.metrics().in_flight);
        let places = Self { app, client, usage, class, held: Mutex::default(), _gauge: gauge };
        places.resume()?;
        Ok(places)
    }

    /// Whether the request may be answered while the server is stopping.
    pub(crate) fn is_exempt(&self) -> bool {
        self.class == Class::Exempt
    }

    /// Gives up the place in flight while the body arrives, which takes one in the budget of bodies instead.
    pub(crate) fn receive_body(&self) -> Result<Arriving> {
        self.held().in_flight = None;
        let (unit, resource) = match self.class {
            Class::Authenticated => (Unit::Body, Resource::BodyBytes),
            Class::Exempt | Class::Anonymous => (Unit::AnonymousBody, Resource::AnonymousBodyBytes),
        };
        let bytes = self.budgets().take(resource, self.usage.as_ref(), 0)?;
        let (unfinished, evicted) = self.budgets().begin(unit, self.usage.as_ref());
        Ok(Arriving { unit, bytes, evicted, _unfinished: unfinished })
    }

    /// The body has arrived: takes a place in flight again. Its bytes stay counted until the answer.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when there is none.
    pub(crate) fn received_body(&self, arriving: Arriving) -> Result<()> {
        self.held().bytes = Some(arriving.bytes);
        self.resume()
    }

    /// Exchanges the place in flight for one among the batches, whose bodies arrive while they are handled.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when there is none.
    pub(crate) fn become_batch(&self) -> Result<()> {
        self.held().in_flight = Some(self.budgets().take(Resource::Batches, self.usage.as_ref(), 1)?);
        Ok(())
    }

    fn resume(&self) -> Result<()> {
        let resource = match self.class {
            Class::Exempt => return Ok(()),
            Class::Anonymous => Resource::AnonymousInFlight,
            Class::Authenticated => Resource::InFlight,
        };
        self.held().in_flight = Some(self.budgets().take(resource, self.usage.as_ref(), 1)?);
        Ok(())
    }

    fn budgets(&self) -> &Budgets {
        self.app.budgets()
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Places> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that is being received.
#[derive(Debug)]
pub(crate) struct Arriving {
    pub(crate) unit: Unit,
    pub(crate) bytes: Share,
    pub(crate) evicted: Evicted,
    _unfinished: Unfinished,
}
