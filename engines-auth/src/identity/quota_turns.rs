//! Turns of those who count something and then add to it.

use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, MutexGuard};

/// Locks that owners of a quota share by the hash of their names: enough that two owners rarely wait for each other.
const SHARDS: usize = 256;

/// Lets the additions to one quota follow each other in this process, so that many at once need not be tried again.
/// Correctness does not rest on it: other nodes are noticed by the version of a document that every addition writes.
#[derive(Debug)]
pub(crate) struct QuotaTurns {
    locks: [Mutex<()>; SHARDS],
}

impl Default for QuotaTurns {
    fn default() -> Self {
        Self { locks: std::array::from_fn(|_| Mutex::new(())) }
    }
}

impl QuotaTurns {
    /// Waits until nobody else adds to a quota of `owner`, a tenant or an actor.
    pub(crate) async fn lock(&self, owner: &str) -> MutexGuard<'_, ()> {
        self.locks[usize::from(quota_shard(owner))].lock().await
    }
}

/// The shard of an owner, the same on all nodes.
pub(crate) fn quota_shard(owner: &str) -> u8 {
    let digest: [u8; 32] = Sha256::digest(owner.as_bytes()).into();
    digest[0]
}
