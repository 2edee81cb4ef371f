//! The settings of trusted proxies.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// The header in which a trusted proxy names the client. Only one header is read, because a proxy that writes one may
/// pass the other on as the client sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, which most proxies write.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Deserializes networks or single addresses.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: &String| {
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        network.ok_or_else(|| D::Error::custom(format!("{text:?} is no address and no network such as 10.0.0.0/8")))
    };
    texts.iter().map(read).collect()
}

/// Returns whether an address belongs to one of the networks.
pub(super) fn is_listed(address: &IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(address))
}
