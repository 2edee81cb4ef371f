//! Limits on tries by the network address of the caller.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv6Addr},
};

use engines_core::Result;

use super::{state::IdentityState, wire::Caller};
use crate::{
    client_network::{ClientNetwork, NETWORKS_PER_SITE},
    rate_limiter::Rate,
};

impl IdentityState {
    /// Counts a try from the caller's address.
    pub(crate) fn charge_address(&self, caller: &Caller<'_>) -> Result<()> {
        let Some(address) = caller.address else { return Ok(()) };
        let (now, rate) = (self.now(), self.settings.per_address);
        let taken = self.throttle.take("address", &rate_limit_key(address), rate, now).and_then(|()| {
            let Some(site) = site_key(address) else { return Ok(()) };
            let taken = self.throttle.take("site", &site, site_rate(rate), now);
            taken.inspect_err(|_| self.throttle.refund("address", &rate_limit_key(address), rate))
        });
        taken.map_err(|error| self.with_decision_id(error))
    }

    /// Returns a try of the caller's address, because it was legitimate.
    pub(crate) fn refund_address(&self, caller: &Caller<'_>) {
        if let Some(address) = caller.address {
            let rate = self.settings.per_address;
            self.throttle.refund("address", &rate_limit_key(address), rate);
            if let Some(site) = site_key(address) {
                self.throttle.refund("site", &site, site_rate(rate));
            }
        }
    }
}

/// Returns the key by which tries from an address are counted. For IPv6 it is the /64, because one customer has at
/// least that (RFC 6177).
pub(super) fn rate_limit_key(address: &str) -> Cow<'_, str> {
    match address.parse().map(|address: IpAddr| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).to_string().into(),
        Ok(IpAddr::V4(address)) => address.to_string().into(),
        Err(_) => address.into(),
    }
}

/// Returns the /48 of an IPv6 address. Tries are counted for it too, because one customer may have all of its networks.
fn site_key(address: &str) -> Option<String> {
    let site = ClientNetwork::of(Some(address)).site();
    site.ipv6().map(|site| site.to_string())
}

/// Returns the rate of an IPv6 site, given that of one network.
fn site_rate(of_network: Rate) -> Rate {
    Rate {
        burst: of_network.burst.saturating_mul(NETWORKS_PER_SITE),
        every_ms: (of_network.every_ms / u64::from(NETWORKS_PER_SITE)).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_of_ipv6_is_one_network_and_an_ipv4_address_stands_alone() {
        assert_eq!(rate_limit_key("2001:db8:1:2::1"), rate_limit_key("2001:db8:1:2:ffff::9"));
        assert_ne!(rate_limit_key("2001:db8:1:2::1"), rate_limit_key("2001:db8:1:3::1"));
        assert_ne!(rate_limit_key("192.0.2.1"), rate_limit_key("192.0.2.2"));
        // The form in which a dual-stack socket reports IPv4 addresses.
        assert_eq!(rate_limit_key("::ffff:192.0.2.1"), rate_limit_key("192.0.2.1"));
        assert_ne!(rate_limit_key("::ffff:192.0.2.1"), rate_limit_key("::ffff:192.0.2.2"));
    }
}
