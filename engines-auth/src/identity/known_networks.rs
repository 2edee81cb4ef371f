//! The networks that a user has logged in from.

use std::time::Duration;

use engines_core::{Batch, DocId, Result, Timestamp, UserId, nexus::Expect};
use serde::{Deserialize, Serialize};

use super::{
    network::rate_limit_key,
    records::{self, KNOWN_NETWORKS},
    state::IdentityState,
    wire::Caller,
};

/// Networks remembered for one user. The one seen longest ago is removed first.
const MAX_NETWORKS: usize = 10;
/// The time for which a network is remembered after a login from it.
const NETWORK_MEMORY: Duration = Duration::from_secs(90 * 24 * 3600);
/// The age at which the record of a network is renewed by a login.
const NETWORK_RENEWAL: Duration = Duration::from_secs(24 * 3600);

/// Networks that a user has logged in from, as keyed hashes, and when each was recorded.
#[derive(Debug, Default, Serialize, Deserialize)]
struct KnownNetworks {
    networks: Vec<(String, Timestamp)>,
}

impl IdentityState {
    pub(super) async fn is_known_network(&self, user: Option<&UserId>, network: Option<&str>) -> Result<bool> {
        let Some(network) = network else { return Ok(false) };
        let (now, name) = (self.now(), self.network_name(network)?);
        let body = self.known_networks(user.unwrap_or(&UserId::new("nobody")?)).await?;
        Ok(body.networks.iter().any(|(known, at)| {
            // A network recorded while the clock was ahead counts as recorded now.
            *known == name && now.since(at.if_not_future(now).unwrap_or(now)) < NETWORK_MEMORY
        }))
    }

    /// Records in `batch` the network that a user has just logged in from.
    pub(super) async fn record_network(&self, batch: Batch, user: &UserId, caller: &Caller<'_>) -> Result<Batch> {
        let Some(network) = caller.address.map(rate_limit_key) else { return Ok(batch) };
        let (now, name) = (batch.at(), self.network_name(&network)?);
        let mut body = self.known_networks(user).await?;
        let age = |at: &Timestamp| now.since(at.if_not_future(now).unwrap_or(now));
        if body.networks.iter().any(|(known, at)| *known == name && *at <= now && age(at) < NETWORK_RENEWAL) {
            return Ok(batch);
        }
        body.networks.retain(|(known, at)| *known != name && age(at) < NETWORK_MEMORY);
        body.networks.sort_by_key(|(_, at)| *at);
        let over = (body.networks.len() + 1).saturating_sub(MAX_NETWORKS);
        body.networks.drain(..over);
        body.networks.push((name, now));
        // Of two concurrent logins one record may be lost. The next login from that network writes it again.
        records::put(batch, KNOWN_NETWORKS, records::user_id(user)?, &[], &body, Expect::Any)
    }

    async fn known_networks(&self, user: &UserId) -> Result<KnownNetworks> {
        let id: DocId = records::user_id(user)?;
        let found = self.records.get::<KnownNetworks>(&KNOWN_NETWORKS, &id).await?;
        Ok(found.map(|found| found.body).unwrap_or_default())
    }

    fn network_name(&self, network: &str) -> Result<String> {
        Ok(self.accounts()?.index.hash("network", network))
    }
}
