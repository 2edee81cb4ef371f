//! Groups of addresses that share a budget.

use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address that identify a network. Providers assign at least a /64 to each customer (RFC 6177).
const NETWORK_BITS: u32 = 64;
/// Bits of an IPv6 address that identify a site. Providers assign at most a /48 to a customer (RFC 6177).
const SITE_BITS: u32 = 48;
/// The share of an IPv6 site, as a multiple of the share of one address. A provider may have several customers in one
/// /48.
const ADDRESSES_PER_SITE: usize = 2;

/// Addresses that share a budget: one IPv4 address, one IPv6 /64, or the IPv6 /48 around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AddressGroup {
    first: IpAddr,
    bits: u32,
}

impl AddressGroup {
    /// Returns the site of an IPv6 network, whose usage is counted beside the network's.
    pub(super) fn site(self) -> Option<Self> {
        match self.first {
            IpAddr::V6(v6) if self.bits == NETWORK_BITS => Some(Self::of_ipv6(v6, SITE_BITS)),
            _ => None,
        }
    }

    /// Returns the limit of a site for a budget of which one address may use `per_address`.
    pub(super) fn site_limit(per_address: usize, total: usize) -> usize {
        per_address.saturating_mul(ADDRESSES_PER_SITE).min(total / 4 * 3).max(per_address)
    }

    fn of_ipv6(address: Ipv6Addr, bits: u32) -> Self {
        Self { first: Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - bits))).into(), bits }
    }
}

impl From<IpAddr> for AddressGroup {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Self::of_ipv6(v6, NETWORK_BITS),
            v4 => Self { first: v4, bits: 32 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(text: &str) -> AddressGroup {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn an_ipv4_address_stands_alone_and_an_ipv6_network_is_one() {
        assert_ne!(group("192.0.2.1"), group("192.0.2.2"));
        assert_eq!(group("192.0.2.1"), group("::ffff:192.0.2.1"));
        assert_eq!(group("2001:db8:1:2::1"), group("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(group("2001:db8:1:2::1"), group("2001:db8:1:3::1"));
    }

    #[test]
    fn an_ipv6_network_belongs_to_a_site_that_is_counted_by_itself() {
        assert_eq!(group("2001:db8:1:2::1").site(), group("2001:db8:1:3::1").site());
        assert_ne!(group("2001:db8:1::1").site(), group("2001:db8:2::1").site());
        assert_ne!(group("2001:db8:1::1").site(), Some(group("2001:db8:1::1")));
        assert_eq!(group("192.0.2.1").site(), None);
        assert_eq!(AddressGroup::site_limit(256, 512), 384);
        assert_eq!(AddressGroup::site_limit(16, usize::MAX), 32);
        assert_eq!(AddressGroup::site_limit(500, 512), 500);
    }
}
