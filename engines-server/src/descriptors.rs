//! Raises the limit of file descriptors, and derives the limit of connections from it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::HttpSettings;

/// Descriptors that are not for connections: the store's files and readers, listeners, the runtime, clients of other
/// services, and connections that are being refused.
const RESERVED_DESCRIPTORS: u64 = 512;

/// Raises the soft limit of descriptors to the hard limit, and sets the limit of connections. It is the configured
/// number, but at most the number of descriptors for connections.
pub(crate) fn apply_descriptor_limit(http: &mut HttpSettings) {
    let limit = raise_soft_limit();
    // With a very low limit, the store gets at least half of the descriptors.
    let room = limit.map(|limit| limit - RESERVED_DESCRIPTORS.min(limit / 2));
    let room = room.map_or(usize::MAX, |room| usize::try_from(room).unwrap_or(usize::MAX)).max(1);
    let wanted = http.max_connections();
    let settled = wanted.min(room);
    if settled < wanted && http.max_connections.is_some() {
        tracing::warn!(
            wanted,
            max_connections = settled,
            descriptors = limit,
            "fewer file descriptors than http.max_connections needs; raise the limit (ulimit -n, LimitNOFILE)"
        );
    }
    http.max_connections = Some(settled);
    tracing::info!(descriptors = limit, max_connections = settled, "file descriptors");
}

/// Returns the limit of descriptors after raising it, or `None` if there is none.
fn raise_soft_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of file descriptors cannot be raised");
            current
        }
    }
}
