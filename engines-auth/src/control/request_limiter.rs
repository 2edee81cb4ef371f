//! The rate limiter: a bucket for each user, API key and tenant in each rate class.

use std::{fmt, sync::Arc, time::Duration};

use engines_core::{
    Clock, Code, Error, Result,
    access::RateClass,
    gate::{RateLimit, RateStatus, RateSubject},
};

use super::settings::RateSettings;
use crate::{
    api_key,
    token_buckets::{BucketKey, BucketSize, Buckets},
};

/// Counts requests in this process. Pass it to the guard of the services
/// ([`Guard::with_rate_limit`](engines_core::Guard::with_rate_limit)).
pub struct RequestLimiter {
    settings: RateSettings,
    buckets: Buckets,
    clock: Arc<dyn Clock>,
}

/// The kind of owner of a bucket.
#[derive(Debug, Clone, Copy)]
enum BucketOwner {
    User,
    Key,
    Tenant,
}

/// A bucket that a request is counted in.
#[derive(Clone, Copy)]
struct ChargedBucket {
    owner: BucketOwner,
    key: BucketKey,
    size: BucketSize,
}

impl RequestLimiter {
    /// Creates a limiter with these settings.
    #[must_use]
    pub fn new(settings: RateSettings, clock: Arc<dyn Clock>) -> Self {
        Self { buckets: Buckets::new(settings.max_buckets), settings, clock }
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> &RateSettings {
        &self.settings
    }

    /// Returns the bucket of the actor: a user or an API key.
    fn actor_bucket(&self, subject: &RateSubject<'_>, class: RateClass) -> Option<ChargedBucket> {
        let rates = self.settings.for_class(class);
        let (owner, size) = match subject.issuer == api_key::ISSUER {
            true => (BucketOwner::Key, BucketSize::per_second(rates.key_per_second, rates.key_burst)),
            false => (BucketOwner::User, BucketSize::per_second(rates.user_per_second, rates.user_burst)),
        };
        self.bucket(owner, subject.actor.as_str(), class, size)
    }

    /// Returns the bucket of the tenant.
    fn tenant_bucket(&self, subject: &RateSubject<'_>, class: RateClass) -> Option<ChargedBucket> {
        let (rates, tenant) = (self.settings.for_class(class), subject.tenant?);
        let size = BucketSize::per_second(rates.tenant_per_second, rates.tenant_burst);
        self.bucket(BucketOwner::Tenant, tenant.as_str(), class, size)
    }

    fn bucket(
        &self,
        owner: BucketOwner,
        id: &str,
        class: RateClass,
        size: Option<BucketSize>,
    ) -> Option<ChargedBucket> {
        let size = size?;
        let kind = (class as u8) << 2 | owner as u8;
        Some(ChargedBucket { owner, key: self.buckets.key(kind, id), size })
    }
}

impl RateLimit for RequestLimiter {
    fn check(&self, subject: &RateSubject<'_>, class: RateClass) -> Result<()> {
        if !self.settings.enabled {
            return Ok(());
        }
        let now = self.clock.now();
        let actor = self.actor_bucket(subject, class);
        if let Some(actor) = actor
            && let Err(wait) = self.buckets.take(actor.key, actor.size, now)
        {
            return Err(rate_limited(actor, class, wait));
        }
        if let Some(tenant) = self.tenant_bucket(subject, class)
            && let Err(wait) = self.buckets.take(tenant.key, tenant.size, now)
        {
            // A refused request is not counted.
            if let Some(actor) = actor {
                self.buckets.put_back(actor.key, actor.size);
            }
            return Err(rate_limited(tenant, class, wait));
        }
        Ok(())
    }

    fn status(&self, subject: &RateSubject<'_>, class: RateClass) -> Option<RateStatus> {
        if !self.settings.enabled {
            return None;
        }
        let now = self.clock.now();
        let status = |counted: ChargedBucket| {
            let level = self.buckets.level(counted.key, counted.size, now);
            RateStatus { limit: counted.size.burst, remaining: level.remaining, reset: level.reset }
        };
        let actor = self.actor_bucket(subject, class).map(status);
        let tenant = self.tenant_bucket(subject, class).map(status);
        actor.into_iter().chain(tenant).min_by_key(|status| status.remaining)
    }
}

fn rate_limited(counted: ChargedBucket, class: RateClass, wait: Duration) -> Error {
    let (owner, whose) = match counted.owner {
        BucketOwner::User => ("user", "of this user"),
        BucketOwner::Key => ("key", "of this API key"),
        BucketOwner::Tenant => ("tenant", "of this tenant"),
    };
    let detail =
        format!("too many requests {whose} in the rate class {}; retry after the time in Retry-After", class.as_str());
    Error::new(Code::RateLimited, "rates.check", detail)
        .with_member("limit", counted.size.burst)
        .with_member("limited", owner)
        .with_member("rate_class", class.as_str())
        .with_retry_after(wait)
}

impl fmt::Debug for RequestLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestLimiter").field("settings", &self.settings).finish_non_exhaustive()
    }
}
