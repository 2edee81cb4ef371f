//! Settings of the limits for callers.

use serde::{Deserialize, Deserializer, Serialize};

use engines_core::access::RateClass;

/// Limits on the requests of callers and on their open streams. The defaults are far above what users of a product do;
/// they stop runaway loops and abuse.
///
/// A request is counted for its user (or its API key) and for its tenant, in the rate class of its action. Each limit
/// is a burst and the number of requests per second that refills it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RateSettings {
    /// Whether requests are counted. Default: true.
    pub enabled: bool,
    /// The largest number of counters in one process. There is one for each user, key and tenant in each class that it
    /// uses. Default: 65,536, about 2 MiB.
    pub max_buckets: usize,
    /// Streams (SSE, WebSocket) that one user may have open on one process. Default: 1,024.
    pub streams_per_user: usize,
    /// Streams that one API key may have open on one process. Default: 4,096.
    pub streams_per_key: usize,
    /// Streams that one tenant may have open on one process. Default: 10,000.
    pub streams_per_tenant: usize,
    /// Limits of small reads.
    #[serde(deserialize_with = "read")]
    pub read: ClassRates,
    /// Limits of small writes.
    #[serde(deserialize_with = "write")]
    pub write: ClassRates,
    /// Limits of batches and exports.
    #[serde(deserialize_with = "bulk")]
    pub bulk: ClassRates,
    /// Limits of opening streams and of creating tickets for them.
    #[serde(deserialize_with = "stream")]
    pub stream: ClassRates,
    /// Limits of gestures and presence.
    #[serde(deserialize_with = "ephemeral")]
    pub ephemeral: ClassRates,
    /// Limits of managing members, keys and settings.
    #[serde(deserialize_with = "manage")]
    pub manage: ClassRates,
    /// Limits of revocations and logouts. There is no limit by tenant, so that no user can delay the revocation of
    /// another.
    #[serde(deserialize_with = "release")]
    pub release: ClassRates,
}

/// The limits of one rate class. A rate of 0 per second means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClassRates {
    /// Requests per second of one user.
    pub user_per_second: u32,
    /// Burst of one user: requests at once after a pause. At least 1.
    pub user_burst: u32,
    /// Requests per second of one API key.
    pub key_per_second: u32,
    /// Burst of one API key: requests at once after a pause. At least 1.
    pub key_burst: u32,
    /// Requests per second of one tenant, all users and keys together.
    pub tenant_per_second: u32,
    /// Burst of one tenant: requests at once after a pause. At least 1.
    pub tenant_burst: u32,
}

impl ClassRates {
    const fn new(user: (u32, u32), key: (u32, u32), tenant: (u32, u32)) -> Self {
        Self {
            user_per_second: user.0,
            user_burst: user.1,
            key_per_second: key.0,
            key_burst: key.1,
            tenant_per_second: tenant.0,
            tenant_burst: tenant.1,
        }
    }

    /// Returns the defaults of a class.
    #[must_use]
    pub const fn default_for(class: RateClass) -> Self {
        match class {
            RateClass::Read => Self::new((1000, 50_000), (5000, 100_000), (10_000, 200_000)),
            RateClass::Write => Self::new((500, 20_000), (2500, 50_000), (5000, 100_000)),
            RateClass::Bulk => Self::new((10, 500), (50, 1000), (100, 2000)),
            RateClass::Stream => Self::new((50, 3000), (200, 10_000), (500, 20_000)),
            RateClass::Ephemeral => Self::new((500, 20_000), (2500, 50_000), (10_000, 200_000)),
            RateClass::Manage => Self::new((50, 5000), (100, 5000), (500, 20_000)),
            RateClass::Release => Self::new((50, 1000), (50, 1000), (0, 1)),
        }
    }
}

impl Default for RateSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            max_buckets: 65_536,
            streams_per_user: 1024,
            streams_per_key: 4096,
            streams_per_tenant: 10_000,
            read: ClassRates::default_for(RateClass::Read),
            write: ClassRates::default_for(RateClass::Write),
            bulk: ClassRates::default_for(RateClass::Bulk),
            stream: ClassRates::default_for(RateClass::Stream),
            ephemeral: ClassRates::default_for(RateClass::Ephemeral),
            manage: ClassRates::default_for(RateClass::Manage),
            release: ClassRates::default_for(RateClass::Release),
        }
    }
}

impl RateSettings {
    /// Returns the limits of a class.
    #[must_use]
    pub const fn for_class(&self, class: RateClass) -> &ClassRates {
        match class {
            RateClass::Read => &self.read,
            RateClass::Write => &self.write,
            RateClass::Bulk => &self.bulk,
            RateClass::Stream => &self.stream,
            RateClass::Ephemeral => &self.ephemeral,
            RateClass::Manage => &self.manage,
            RateClass::Release => &self.release,
        }
    }
}

/// The limits of a class as written in the settings. A missing value takes the default of the class.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartialClassRates {
    user_per_second: Option<u32>,
    user_burst: Option<u32>,
    key_per_second: Option<u32>,
    key_burst: Option<u32>,
    tenant_per_second: Option<u32>,
    tenant_burst: Option<u32>,
}

fn over<'de, D: Deserializer<'de>>(class: RateClass, deserializer: D) -> Result<ClassRates, D::Error> {
    let (written, base) = (PartialClassRates::deserialize(deserializer)?, ClassRates::default_for(class));
    Ok(ClassRates {
        user_per_second: written.user_per_second.unwrap_or(base.user_per_second),
        user_burst: written.user_burst.unwrap_or(base.user_burst),
        key_per_second: written.key_per_second.unwrap_or(base.key_per_second),
        key_burst: written.key_burst.unwrap_or(base.key_burst),
        tenant_per_second: written.tenant_per_second.unwrap_or(base.tenant_per_second),
        tenant_burst: written.tenant_burst.unwrap_or(base.tenant_burst),
    })
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClassRates, D::Error> {
    over(RateClass::Read, deserializer)
}

fn write<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClassRates, D::Error> {
    over(RateClass::Write, deserializer)
}

fn bulk<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClassRates, D::Error> {
    over(RateClass::Bulk, deserializer)
}

fn stream<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClassRates, D::Error> {
    over(RateClass::Stream, deserializer)
}

fn ephemeral<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClassRates, D::Error> {
    over(RateClass::Ephemeral, deserializer)
}

fn manage<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClassRates, D::Error> {
    over(RateClass::Manage, deserializer)
}

fn release<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClassRates, D::Error> {
    over(RateClass::Release, deserializer)
}
