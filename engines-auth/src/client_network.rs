//! Networks of clients, by which limits are counted.

use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address that name a network: one customer has at least that (RFC 6177).
const NETWORK_BITS: u32 = 64;
/// Bits of an IPv6 address that name a site: one customer has at most that (RFC 6177), which is 65,536 networks.
const SITE_BITS: u32 = 48;

/// The limit of an IPv6 site, in multiples of the limit of a network. A provider may have several customers in one /48.
pub(crate) const NETWORKS_PER_SITE: u32 = 2;

/// The network of a client.
///
/// Each network belongs to a site. An IPv4 address is both a network and a site. The network of an IPv6 address is its
/// /64, and the site its /48. Limits count both, because a customer who has a /48 could otherwise use a new /64 for
/// each try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ClientNetwork(Option<IpAddr>);

impl ClientNetwork {
    /// The network of a client whose address is not known. Limits per network do not apply to it.
    pub const UNKNOWN: Self = Self(None);

    /// The network of an address, which is written without a port.
    #[must_use]
    pub fn of(address: Option<&str>) -> Self {
        Self(address.and_then(|address| address.parse().ok()).map(|address| masked(address, NETWORK_BITS)))
    }

    /// The site, which is the network itself for IPv4.
    pub(crate) fn site(self) -> Self {
        Self(self.0.map(|network| masked(network, SITE_BITS)))
    }

    pub(crate) fn ipv6(self) -> Option<Ipv6Addr> {
        match self.0 {
            Some(IpAddr::V6(address)) => Some(address),
            _ => None,
        }
    }

    pub(crate) fn is_known(self) -> bool {
        self.0.is_some()
    }
}

fn masked(address: IpAddr, bits: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - bits))).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_a_64_within_a_site_of_48_and_an_ipv4_address_stands_alone() {
        let of = |address| ClientNetwork::of(Some(address));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("2001:db8:1:2::1").site(), of("2001:db8:1:3::1").site());
        assert_ne!(of("2001:db8:1::1").site(), of("2001:db8:2::1").site());
        assert_ne!(of("192.0.2.1").site(), of("192.0.2.2").site());
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert!(!ClientNetwork::of(None).is_known() && !of("a proxy").is_known());
    }
}
