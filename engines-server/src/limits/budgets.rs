//! The budgets of one app.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use engines::{Code, Error};

use super::{AddressGroup, EvictionSignal, RefusalLog, WorkGuard, eviction_queue::EvictionQueue};
use crate::settings::HttpSettings;

/// The operation in errors of budgets. The budgets log their refusals in sum.
const OPERATION: &str = "http.budget";

/// A resource with a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Connections,
    Http2Streams,
    InFlight,
    AnonymousInFlight,
    PasswordInFlight,
    RefreshInFlight,
    BodyBytes,
    AnonymousBodyBytes,
    Batches,
}

/// A kind of unfinished work. If there is too much of one kind, its oldest work is evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EvictionClass {
    AnonymousConnection,
    Body,
    AnonymousBody,
}

const RESOURCES: usize = 9;
const EVICTION_CLASSES: usize = 3;

/// The budgets of an app. It is cheap to clone, and clones share the budgets.
#[derive(Debug, Clone)]
pub(crate) struct Budgets(Arc<BudgetState>);

#[derive(Debug)]
struct BudgetState {
    limits: [BudgetLimit; RESOURCES],
    used: [AtomicUsize; RESOURCES],
    units: [Arc<EvictionQueue>; EVICTION_CLASSES],
    addresses: Mutex<HashMap<AddressGroup, Weak<AddressUsage>>>,
    refused: [RefusalLog; RESOURCES],
    evicted: [RefusalLog; EVICTION_CLASSES],
}

#[derive(Debug, Clone, Copy)]
struct BudgetLimit {
    total: usize,
    per_address: usize,
}

/// The usage of one address. It is kept while work for the address is in progress.
pub(crate) struct AddressUsage {
    group: AddressGroup,
    /// The usage of the IPv6 site to which the address belongs.
    site: Option<Arc<AddressUsage>>,
    used: [AtomicUsize; RESOURCES],
    budgets: Weak<BudgetState>,
}

/// A share of a budget, which is released when it is dropped.
#[derive(Debug)]
pub(crate) struct BudgetShare {
    budgets: Budgets,
    usage: Option<Arc<AddressUsage>>,
    resource: Resource,
    amount: usize,
}

/// The error that a budget is used up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BudgetExceeded {
    resource: Resource,
    limit: usize,
    per_address: bool,
}

impl Budgets {
    pub(crate) fn new(settings: &HttpSettings) -> Self {
        let budgets = &settings.budgets;
        let limit =
            |total: usize, per_address: usize| BudgetLimit { total: total.max(1), per_address: per_address.max(1) };
        let limits = [
            limit(settings.max_connections(), budgets.connections_per_address),
            limit(usize::MAX, budgets.http2_streams_per_address),
            limit(settings.max_in_flight, budgets.in_flight_per_address),
            limit(budgets.anonymous_in_flight, budgets.anonymous_in_flight_per_address),
            limit(budgets.password_in_flight, budgets.password_in_flight_per_address),
            limit(budgets.refresh_in_flight, budgets.refresh_in_flight_per_address),
            limit(budgets.body_bytes, budgets.body_bytes_per_address),
            limit(budgets.anonymous_body_bytes, budgets.anonymous_body_bytes_per_address),
            limit(budgets.batches, budgets.batches_per_address),
        ];
        let units = [
            (settings.anonymous_connections(), budgets.anonymous_connections_per_address),
            (budgets.bodies, budgets.bodies_per_address),
            (budgets.anonymous_bodies, budgets.anonymous_bodies_per_address),
        ];
        Self(Arc::new(BudgetState {
            limits,
            used: Default::default(),
            units: units.map(|(total, per_address)| Arc::new(EvictionQueue::new(total, per_address))),
            addresses: Mutex::default(),
            refused: Default::default(),
            evicted: Default::default(),
        }))
    }

    /// Returns the usage of `address`.
    pub(crate) fn usage(&self, address: IpAddr) -> Arc<AddressUsage> {
        let group = AddressGroup::from(address);
        let mut addresses = self.0.addresses();
        if let Some(known) = addresses.get(&group).and_then(Weak::upgrade) {
            return known;
        }
        let mut usage_of = |group, site| {
            if let Some(known) = addresses.get(&group).and_then(Weak::upgrade) {
                return known;
            }
            let budgets = Arc::downgrade(&self.0);
            let usage = Arc::new(AddressUsage { group, site, used: Default::default(), budgets });
            addresses.insert(group, Arc::downgrade(&usage));
            usage
        };
        let site = group.site().map(|site| usage_of(site, None));
        usage_of(group, site)
    }

    /// Takes `amount` of a resource. Without an address only the total is counted.
    pub(crate) fn acquire(
        &self,
        resource: Resource,
        usage: Option<&Arc<AddressUsage>>,
        amount: usize,
    ) -> Result<BudgetShare, BudgetExceeded> {
        let mut share = BudgetShare { budgets: self.clone(), usage: usage.cloned(), resource, amount: 0 };
        share.grow(amount)?;
        Ok(share)
    }

    /// Starts work that may be evicted by newer work of its kind.
    pub(crate) fn start_work(
        &self,
        unit: EvictionClass,
        usage: Option<&Arc<AddressUsage>>,
    ) -> (WorkGuard, EvictionSignal) {
        let index = unit as usize;
        let (unfinished, evicted, ended) = self.0.units[index].start_work(usage.map(|usage| usage.group));
        if ended && let Some(count) = self.0.evicted[index].count() {
            tracing::warn!(count, what = unit.name(), "too much unfinished work; the oldest was ended");
        }
        (unfinished, evicted)
    }
}

impl BudgetState {
    fn addresses(&self) -> MutexGuard<'_, HashMap<AddressGroup, Weak<AddressUsage>>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BudgetShare {
    /// Takes more of the same resource.
    pub(crate) fn grow(&mut self, amount: usize) -> Result<(), BudgetExceeded> {
        let (index, inner) = (self.resource as usize, &self.budgets.0);
        let limit = inner.limits[index];
        let refuse = |limit, of_address| {
            let refused = BudgetExceeded { resource: self.resource, limit, per_address: of_address };
            if let Some(count) = inner.refused[index].count() {
                tracing::warn!(
                    count,
                    what = self.resource.name(),
                    limit,
                    of_address,
                    "requests were refused because a budget is used up"
                );
            }
            refused
        };
        if !try_add(&inner.used[index], amount, limit.total) {
            return Err(refuse(limit.total, false));
        }
        if let Some(usage) = &self.usage
            && !try_add(&usage.used[index], amount, limit.per_address)
        {
            inner.used[index].fetch_sub(amount, Ordering::Relaxed);
            return Err(refuse(limit.per_address, true));
        }
        if let Some(usage) = &self.usage
            && let Some(site) = &usage.site
        {
            let per_site = AddressGroup::site_limit(limit.per_address, limit.total);
            if !try_add(&site.used[index], amount, per_site) {
                usage.used[index].fetch_sub(amount, Ordering::Relaxed);
                inner.used[index].fetch_sub(amount, Ordering::Relaxed);
                return Err(refuse(per_site, true));
            }
        }
        self.amount += amount;
        Ok(())
    }
}

/// Adds `amount` if the sum stays within `limit`.
fn try_add(used: &AtomicUsize, amount: usize, limit: usize) -> bool {
    let before = used.fetch_add(amount, Ordering::Relaxed);
    if before.saturating_add(amount) <= limit {
        return true;
    }
    used.fetch_sub(amount, Ordering::Relaxed);
    false
}

impl Drop for BudgetShare {
    fn drop(&mut self) {
        let index = self.resource as usize;
        self.budgets.0.used[index].fetch_sub(self.amount, Ordering::Relaxed);
        if let Some(usage) = &self.usage {
            usage.used[index].fetch_sub(self.amount, Ordering::Relaxed);
            if let Some(site) = &usage.site {
                site.used[index].fetch_sub(self.amount, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for AddressUsage {
    fn drop(&mut self) {
        let Some(budgets) = self.budgets.upgrade() else { return };
        let mut addresses = budgets.addresses();
        // A new usage of the same address may have replaced this one.
        if addresses.get(&self.group).is_some_and(|known| known.strong_count() == 0) {
            addresses.remove(&self.group);
        }
    }
}

impl fmt::Debug for AddressUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressUsage").field("group", &self.group).finish_non_exhaustive()
    }
}

impl Resource {
    fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Http2Streams => "HTTP/2 streams",
            Self::InFlight => "requests in flight",
            Self::AnonymousInFlight => "requests in flight without a credential",
            Self::PasswordInFlight => "requests in flight that hash a password",
            Self::RefreshInFlight => "refreshes in flight",
            Self::BodyBytes => "bytes of request bodies",
            Self::AnonymousBodyBytes => "bytes of request bodies without a credential",
            Self::Batches => "batches",
        }
    }
}

impl EvictionClass {
    fn name(self) -> &'static str {
        match self {
            Self::AnonymousConnection => "connections without an authenticated request",
            Self::Body => "request bodies being received",
            Self::AnonymousBody => "request bodies being received without a credential",
        }
    }

    /// Returns the error for a client whose work was evicted.
    pub(crate) fn eviction_error(self) -> Error {
        let detail = "too many unfinished requests, and this one was the oldest; send the body without pauses";
        Error::new(Code::BackendUnavailable, OPERATION, detail)
    }
}

impl From<BudgetExceeded> for Error {
    fn from(refused: BudgetExceeded) -> Self {
        let whose = if refused.per_address { "your network has" } else { "the server has" };
        let detail = format!("{whose} too many {} at once; retry later", refused.resource.name());
        Error::new(Code::BackendUnavailable, OPERATION, detail).with_member("limit", refused.limit)
    }
}

/// Returns whether an error is a refusal without a fault of a backend: by a budget, which has logged it, or because the
/// server is stopping.
pub(crate) fn is_budget_refusal(error: &Error) -> bool {
    error.operation() == OPERATION || error.code() == Code::ShuttingDown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets() -> Budgets {
        let mut settings = HttpSettings { max_in_flight: 3, ..HttpSettings::default() };
        settings.budgets.in_flight_per_address = 2;
        Budgets::new(&settings)
    }

    #[test]
    fn an_address_has_a_part_of_the_total_and_gives_it_back() {
        let budgets = budgets();
        let one = budgets.usage([192, 0, 2, 1].into());
        let take = |usage: &Arc<AddressUsage>| budgets.acquire(Resource::InFlight, Some(usage), 1);
        let (first, second) = (take(&one).unwrap(), take(&one).unwrap());
        assert!(take(&one).unwrap_err().per_address);
        let other = budgets.usage([192, 0, 2, 2].into());
        let third = take(&other).unwrap();
        let refused = take(&other).unwrap_err();
        assert!(!refused.per_address);
        assert_eq!(Error::from(refused).code(), Code::BackendUnavailable);
        drop(first);
        let again = take(&one).unwrap();
        drop((second, third, again));
        assert_eq!(budgets.0.used[Resource::InFlight as usize].load(Ordering::Relaxed), 0);
        // The usage of an address is removed when nothing uses it.
        drop((one, other));
        assert!(budgets.0.addresses().is_empty());
    }

    #[test]
    fn the_addresses_of_an_ipv6_site_have_twice_the_part_of_one() {
        let mut settings = HttpSettings::default();
        settings.budgets.in_flight_per_address = 2;
        let budgets = Budgets::new(&settings);
        let take = |address: &str| {
            let usage = budgets.usage(address.parse().unwrap());
            budgets.acquire(Resource::InFlight, Some(&usage), 1)
        };
        let held: Vec<_> = (0..4).map(|number| take(&format!("2001:db8:1:{number}::1")).unwrap()).collect();
        let refused = take("2001:db8:1:9::1").unwrap_err();
        assert!(refused.per_address && refused.limit == 4, "{refused:?}");
        let other = take("2001:db8:2::1").unwrap();
        drop(held);
        let again = take("2001:db8:1:9::1").unwrap();
        drop((other, again));
        assert!(budgets.0.addresses().is_empty());
    }
}
