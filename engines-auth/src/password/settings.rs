//! The cost of password hashes.

use serde::{Deserialize, Serialize};

/// The cost of one hash, and how many are computed at the same time. The defaults are the first choice of OWASP for
/// argon2id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct HashSettings {
    /// Memory in KiB. Default: 19,456.
    pub memory_kib: u32,
    /// Passes over the memory. Default: 2.
    pub iterations: u32,
    /// Lanes. They are computed one after the other, so more of them make no hash faster. Default: 1.
    pub lanes: u32,
    /// Hashes computed at the same time, each on its own thread. 0 means half of the machine's cores, at least one.
    /// Default: 0.
    pub threads: usize,
    /// Hashes that may wait for a thread. When the queue is full, the network with the most waiting hashes gives way to
    /// one with fewer. Hashes without a place are refused with `RATE_LIMITED`. Default: 512.
    pub queue: usize,
    /// Hashes of one network that may wait for a thread. More are refused with `RATE_LIMITED` at once. A network is one
    /// IPv4 address or one IPv6 /64. The networks of an IPv6 /48 together may have twice as many. Default: 128.
    pub queue_per_network: usize,
    /// Milliseconds that a hash waits for a thread before it is refused with `RATE_LIMITED`. Default: 10,000.
    pub wait_ms: u64,
}

impl Default for HashSettings {
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            iterations: 2,
            lanes: 1,
            threads: 0,
            queue: 512,
            queue_per_network: 128,
            wait_ms: 10_000,
        }
    }
}

impl HashSettings {
    pub(super) fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1)),
            threads => threads,
        }
    }
}
