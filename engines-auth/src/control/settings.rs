//! The limits of callers, with their defaults.

use serde::{Deserialize, Deserializer, Serialize};

use engines_core::access::RateClass;

/// How often callers may send requests, and how many streams they may hold open. Each value is a setting of its own. The defaults are
/// far above what a product's users do; they stop runaway loops and abuse.
///
/// A request is counted for its user (or its API key) and for its tenant, in the class of its action. Each limit is a burst and the
/// number of requests a second that refills it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RateSettings {
    /// Whether requests are counted at all. Default: true.
    pub enabled: bool,
    /// Counters that one process keeps: one for each user, key and tenant in each class it uses. Default: 65,536, about 2 MiB.
    pub max_buckets: usize,
    /// Streams (SSE, WebSocket) one user may hold open on one process. Default: 1,024.
    pub streams_per_user: usize,
    /// Streams one API key may hold open on one process. Default: 4,096.
    pub streams_per_key: usize,
    /// Streams one tenant may hold open on one process. Default: 10,000.
    pub streams_per_tenant: usize,
    /// Limits of requests that read little.
    #[serde(deserialize_with = "read")]
    pub read: ClassRates,
    /// Limits of requests that write little.
    #[serde(deserialize_with = "write")]
    pub write: ClassRates,
    /// Limits of batches and exports.
    #[serde(deserialize_with = "bulk")]
    pub bulk: ClassRates,
    /// Limits of opening streams, and of getting tickets for them.
    #[serde(deserialize_with = "stream")]
    pub stream: ClassRates,
    /// Limits of gestures and presence.
    #[serde(deserialize_with = "ephemeral")]
    pub ephemeral: ClassRates,
    /// Limits of managing members, keys and settings.
    #[serde(deserialize_with = "manage")]
    pub manage: ClassRates,
    /// Limits of ending something: revocations and logouts. The tenant has none, so that nobody can delay anybody else's.
    #[serde(deserialize_with = "release")]
    pub release: ClassRates,
}

/// The limits of one class. 0 a second is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClassRates {
    /// Requests a second of one user.
    pub user_per_second: u32,
    /// Requests of one user at once after a pause; at least 1.
    pub user_burst: u32,
    /// Requests a second of one API key.
    pub key_per_second: u32,
    /// Requests of one API key at once after a pause; at least 1.
    pub key_burst: u32,
    /// Requests a second of one tenant, all users and keys together.
    pub tenant_per_second: u32,
    /// Requests of one tenant at once after a pause; at least 1.
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

    /// The default of a class: requests a second and at once, of a user, a key and a tenant.
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
    /// The limits of a class.
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

/// The limits of a class as settings name them. A value that is left out has the class's default.
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
