//! The rate limiter: a bucket for each user, API key and tenant in each rate class.

use std::{fmt, sync::Arc, time::Duration};

use engines_core::{
    Clock, Code, Error, Result,
    access::RateClass,
    gate::{RateLimit, RateStatus, RateSubject},
};

use super::{
    buckets::{BucketKey, BucketSize, Buckets},
    settings::RateSettings,
};
use crate::api_key;

/// Counts requests in this process. Give it to the guard of the services ([`Guard::with_rate_limit`](engines_core::Guard::with_rate_limit)).
pub struct Rates {
    settings: RateSettings,
    buckets: Buckets,
    clock: Arc<dyn Clock>,
}

/// Whose bucket it is.
#[derive(Debug, Clone, Copy)]
enum Owner {
    User,
    Key,
    Tenant,
}

/// One bucket that a request is counted in.
#[derive(Clone, Copy)]
struct Counted {
    owner: Owner,
    key: BucketKey,
    size: BucketSize,
}

impl Rates {
    /// With these settings.
    #[must_use]
    pub fn new(settings: RateSettings, clock: Arc<dyn Clock>) -> Self {
        Self { buckets: Buckets::new(settings.max_buckets), settings, clock }
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &RateSettings {
        &self.settings
    }

    /// The bucket of whoever acts.
    fn of_actor(&self, subject: &RateSubject<'_>, class: RateClass) -> Option<Counted> {
        let rates = self.settings.of(class);
        let (owner, size) = match subject.issuer == api_key::ISSUER {
            true => (Owner::Key, BucketSize::new(rates.key_per_second, rates.key_burst)),
            false => (Owner::User, BucketSize::new(rates.user_per_second, rates.user_burst)),
        };
        self.counted(owner, subject.actor.as_str(), class, size)
    }

    /// The bucket of the tenant it acts in.
    fn of_tenant(&self, subject: &RateSubject<'_>, class: RateClass) -> Option<Counted> {
        let (rates, tenant) = (self.settings.of(class), subject.tenant?);
        let size = BucketSize::new(rates.tenant_per_second, rates.tenant_burst);
        self.counted(Owner::Tenant, tenant.as_str(), class, size)
    }

    fn counted(&self, owner: Owner, id: &str, class: RateClass, size: Option<BucketSize>) -> Option<Counted> {
        let size = size?;
        let kind = (class as u8) << 2 | owner as u8;
        Some(Counted { owner, key: self.buckets.key(kind, id), size })
    }
}

impl RateLimit for Rates {
    fn check(&self, subject: &RateSubject<'_>, class: RateClass) -> Result<()> {
        if !self.settings.enabled {
            return Ok(());
        }
        let now = self.clock.now();
        let actor = self.of_actor(subject, class);
        if let Some(actor) = actor
            && let Err(wait) = self.buckets.take(actor.key, actor.size, now)
        {
            return Err(limited(actor, class, wait));
        }
        if let Some(tenant) = self.of_tenant(subject, class)
            && let Err(wait) = self.buckets.take(tenant.key, tenant.size, now)
        {
            // A request that is refused is not counted.
            if let Some(actor) = actor {
                self.buckets.put_back(actor.key, actor.size);
            }
            return Err(limited(tenant, class, wait));
        }
        Ok(())
    }

    fn status(&self, subject: &RateSubject<'_>, class: RateClass) -> Option<RateStatus> {
        if !self.settings.enabled {
            return None;
        }
        let now = self.clock.now();
        let status = |counted: Counted| {
            let level = self.buckets.level(counted.key, counted.size, now);
            RateStatus { limit: counted.size.burst, remaining: level.remaining, reset: level.reset }
        };
        let actor = self.of_actor(subject, class).map(status);
        let tenant = self.of_tenant(subject, class).map(status);
        actor.into_iter().chain(tenant).min_by_key(|status| status.remaining)
    }
}

fn limited(counted: Counted, class: RateClass, wait: Duration) -> Error {
    let (owner, whose) = match counted.owner {
        Owner::User => ("user", "of this user"),
        Owner::Key => ("key", "of this API key"),
        Owner::Tenant => ("tenant", "of this tenant"),
    };
    let detail = format!("too many requests {whose} in the rate class {}; wait as Retry-After says", class.as_str());
    Error::new(Code::RateLimited, "rates.check", detail)
        .with_member("limit", counted.size.burst)
        .with_member("limited", owner)
        .with_member("rate_class", class.as_str())
        .retry_after(wait)
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").field("settings", &self.settings).finish_non_exhaustive()
    }
}
