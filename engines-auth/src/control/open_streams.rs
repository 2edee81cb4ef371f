//! Counters of open streams by user, API key and tenant.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use engines_core::{Code, Error, Guard, RequestContext, Result, TenantId, UserId, gate::RateSubject};

use super::settings::RateSettings;
use crate::api_key;

/// The `Retry-After` of a refusal for too many streams.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Counts the streams that are open in this process, by user, API key and tenant. Cheap to clone; clones share their
/// counters.
///
/// Call [`OpenStreams::acquire`] before a stream opens, and keep the [`StreamPermit`] as long as the connection lives.
#[derive(Clone)]
pub struct OpenStreams {
    settings: Arc<RateSettings>,
    counts: Arc<Mutex<StreamCounts>>,
}

#[derive(Default)]
struct StreamCounts {
    actors: HashMap<UserId, usize>,
    tenants: HashMap<TenantId, usize>,
}

/// Counts one stream as open. Dropping it ends the count.
#[must_use = "the stream counts as open for as long as this lives"]
pub struct StreamPermit {
    counts: Arc<Mutex<StreamCounts>>,
    /// `None` when streams are not counted.
    owner: Option<(UserId, TenantId)>,
}

impl OpenStreams {
    /// Creates counters with these settings.
    #[must_use]
    pub fn new(settings: RateSettings) -> Self {
        Self { settings: Arc::new(settings), counts: Arc::default() }
    }

    /// Counts a stream that is about to open. Trusted work in process is not counted.
    ///
    /// # Errors
    /// `RATE_LIMITED` with the members `limit` and `limited` and a `decision_id`, when the user, the key or the tenant
    /// has as many streams open as it may.
    pub fn acquire(&self, context: &RequestContext, guard: &Guard) -> Result<StreamPermit> {
        let counts = Arc::clone(&self.counts);
        let Some(subject) = RateSubject::of_context(context).filter(|_| self.settings.enabled) else {
            return Ok(StreamPermit { counts, owner: None });
        };
        let (most, actor_kind) = match subject.issuer == api_key::ISSUER {
            true => (self.settings.streams_per_key, "key"),
            false => (self.settings.streams_per_user, "user"),
        };
        let (actor, tenant) = (&context.actor().id, context.scope().tenant());
        let full = |limit: usize, owner: &'static str| {
            let detail = format!("this {owner} has the largest number of open streams allowed; close some");
            let error = Error::new(Code::RateLimited, "streams.open", detail).with_retry_after(RETRY_AFTER);
            let error = error.with_member("limit", limit).with_member("limited", owner);
            error.with_member("decision_id", guard.decision_id())
        };
        let mut locked = lock(&self.counts);
        if locked.actors.get(actor).is_some_and(|open| *open >= most) {
            return Err(full(most, actor_kind));
        }
        if locked.tenants.get(tenant).is_some_and(|open| *open >= self.settings.streams_per_tenant) {
            return Err(full(self.settings.streams_per_tenant, "tenant"));
        }
        *locked.actors.entry(actor.clone()).or_default() += 1;
        *locked.tenants.entry(tenant.clone()).or_default() += 1;
        drop(locked);
        Ok(StreamPermit { counts, owner: Some((actor.clone(), tenant.clone())) })
    }

    /// Returns the number of streams that an actor has open.
    #[must_use]
    pub fn actor_count(&self, actor: &UserId) -> usize {
        lock(&self.counts).actors.get(actor).copied().unwrap_or_default()
    }

    /// Returns the number of streams that are open in a tenant.
    #[must_use]
    pub fn tenant_count(&self, tenant: &TenantId) -> usize {
        lock(&self.counts).tenants.get(tenant).copied().unwrap_or_default()
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let Some((actor, tenant)) = self.owner.take() else { return };
        let mut counts = lock(&self.counts);
        decrement(&mut counts.actors, &actor);
        decrement(&mut counts.tenants, &tenant);
    }
}

/// Decrements a counter. A counter of zero is removed, so that the table is no larger than the number of open streams.
fn decrement<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(open) = counts.get_mut(key) {
        *open = open.saturating_sub(1);
        if *open == 0 {
            counts.remove(key);
        }
    }
}

fn lock(counts: &Mutex<StreamCounts>) -> MutexGuard<'_, StreamCounts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for OpenStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenStreams")
    }
}

impl fmt::Debug for StreamPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamPermit")
    }
}
