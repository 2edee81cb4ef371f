//! Time and randomness. Both are injected, so that tests are deterministic and simulations are possible.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use jiff::fmt::temporal::DateTimePrinter;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

use crate::{
    code::Code,
    error::{Error, Result},
};

/// Milliseconds since 1970 in UTC; on the wire RFC 3339 with three decimals.
///
/// ```
/// # use engines_core::Timestamp;
/// let at: Timestamp = "2026-01-31T13:00:00.123+01:00".parse()?;
/// assert_eq!(at.to_string(), "2026-01-31T12:00:00.123Z");
/// # Ok::<(), engines_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The latest timestamp: near the end of the year 9999, where RFC 3339 ends.
    pub const MAX: Self = Self(253_402_207_199_999);

    /// Makes a timestamp from milliseconds since 1970, clamped to the range from 1970 to [`Timestamp::MAX`].
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        match millis {
            ..0 => Self(0),
            _ if millis > Self::MAX.0 => Self::MAX,
            _ => Self(millis),
        }
    }

    /// Makes a timestamp from whole seconds since 1970.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_millis(secs.saturating_mul(1000))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0 / 1000
    }

    /// This timestamp plus `wait`.
    #[must_use]
    pub fn plus(self, wait: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time from `earlier` to this timestamp; zero if `earlier` is not before it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// For stored times: they may have been written by a wrong clock (set ahead, before a restart, on another node).
impl Timestamp {
    /// This time of a past event; `None` when it is after `now`, because the event cannot have happened then.
    #[must_use]
    pub fn if_not_future(self, now: Self) -> Option<Self> {
        (self <= now).then_some(self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        let instant = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        PRINTER.print_timestamp(&instant, jiff::fmt::StdFmtWrite(f)).map_err(|_| fmt::Error)
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.parse::<jiff::Timestamp>().map(|instant| Self::from_millis(instant.as_millisecond())).map_err(|_| {
            Error::new(Code::BodyInvalid, "time.parse", "a time must be RFC 3339, such as 2026-01-31T12:00:00.123Z")
        })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A source of the current time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// The system clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where time comes in")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Generates ids: ULIDs that rise within one generator, and random bytes for secrets and trace ids.
///
/// Cheap to clone; clones share one state.
#[derive(Clone)]
pub struct IdGenerator(Arc<Mutex<GeneratorState>>);

struct GeneratorState {
    rng: StdRng,
    last_ulid: Ulid,
}

impl IdGenerator {
    /// Makes a cryptographically strong generator that is seeded by the operating system.
    ///
    /// # Errors
    /// `INTERNAL` when the operating system provides no randomness.
    pub fn from_os() -> Result<Self> {
        let rng = StdRng::try_from_rng(&mut rand::rngs::SysRng).map_err(|error| Error::internal("ids.seed", error))?;
        Ok(Self::from_rng(rng))
    }

    /// Makes a generator that gives the same ids every time, for tests and simulations. Never use it where ids or
    /// secrets must be unpredictable.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::from_rng(StdRng::seed_from_u64(seed))
    }

    fn from_rng(rng: StdRng) -> Self {
        Self(Arc::new(Mutex::new(GeneratorState { rng, last_ulid: Ulid::nil() })))
    }

    /// A ULID with the time `now`. It is greater than every ULID generated before, even if the clock steps back.
    #[must_use]
    pub fn ulid(&self, now: Timestamp) -> Ulid {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = u64::try_from(now.as_millis()).unwrap_or(0);
        let fresh = if at > state.last_ulid.timestamp_ms() {
            // The top random bit stays clear, so that 2^79 increments fit into one millisecond.
            Ulid::from_parts(at, state.rng.random::<u128>() >> 49)
        } else {
            state.last_ulid.increment().unwrap_or_else(|next| next)
        };
        state.last_ulid = fresh;
        fresh
    }

    /// Random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).rng.fill_bytes(&mut bytes);
        bytes
    }
}

impl fmt::Debug for IdGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdGenerator")
    }
}
