//! What a password hash costs.

use serde::{Deserialize, Serialize};

/// What one hash costs, and how many are made at a time. The defaults are OWASP's first choice for argon2id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct HashSettings {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes. They are computed one after the other, so more of them cost as much and help nobody here.
    pub lanes: u32,
    /// Hashes computed at a time, each on a thread of its own; 0 for half of the machine's cores, at least one.
    pub threads: usize,
    /// Hashes waiting for a thread. When so many wait, the network that waits for most gives way to one that waits for
    /// fewer; what finds no place is refused with `RATE_LIMITED`. Default: 512.
    pub queue: usize,
    /// Hashes of one network waiting for a thread; more are refused with `RATE_LIMITED` at once. A network is one IPv4
    /// address or one IPv6 /64; the networks of an IPv6 /48 together have twice as many. Default: 128.
    pub queue_per_network: usize,
    /// Milliseconds a hash waits for a thread before it is refused with `RATE_LIMITED`. Default: 10,000.
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
