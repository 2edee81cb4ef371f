//! The caller of a route that has no context.

use engines_core::Trace;

use crate::client_network::ClientNetwork;

/// The caller of a route that has no context. Limits and records use it.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The network address without the port. Without an address, limits by address do not apply.
    pub address: Option<&'a str>,
    /// The `User-Agent`, which users see in the list of their sessions. Its first 256 characters are kept.
    pub user_agent: Option<&'a str>,
    /// The ids of the request.
    pub trace: &'a Trace,
}

impl Caller<'_> {
    /// Returns the network by which limits count the caller.
    #[must_use]
    pub fn network(&self) -> ClientNetwork {
        ClientNetwork::of(self.address)
    }
}
