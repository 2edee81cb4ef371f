//! The client address that the server trusts.

use engines::auth::identity::{IdentitySettings, Rate};
use engines_server::{ForwardedHeader, HttpSettings};
use serde_json::json;

use crate::{
    fixture::{World, world_of},
    support,
};

/// Allows one attempt for each address.
async fn behind(proxies: &[&str], header: ForwardedHeader) -> World {
    let identity = IdentitySettings { per_address: Rate { burst: 1, every_ms: 1 << 30 }, ..support::identity() };
    let settings = HttpSettings {
        trusted_proxies: serde_json::from_value::<HttpSettings>(json!({ "trusted_proxies": proxies }))
            .unwrap()
            .trusted_proxies,
        forwarded_header: header,
        ..HttpSettings::default()
    };
    world_of(support::builder().identity(identity), settings).await
}

async fn tried(world: &World, peer: &str, headers: &[(&str, &str)]) -> u16 {
    let mut ask = world.post("/auth/refresh", json!({ "refresh_token": "x" })).from(peer);
    for (name, value) in headers {
        ask = ask.header(name, *value);
    }
    ask.send().await.status.as_u16()
}

#[tokio::test]
async fn forwarded_headers_are_ignored_by_default() {
    let world = behind(&[], ForwardedHeader::XForwardedFor).await;
    assert_eq!(tried(&world, "192.0.2.1", &[("x-forwarded-for", "198.51.100.1")]).await, 401);
    assert_eq!(tried(&world, "192.0.2.1", &[("x-forwarded-for", "198.51.100.2")]).await, 429);
    assert_eq!(tried(&world, "::ffff:192.0.2.1", &[]).await, 429);
    assert_eq!(tried(&world, "192.0.2.2", &[]).await, 401);
}

#[tokio::test]
async fn the_forwarded_address_of_a_trusted_proxy_is_used() {
    let world = behind(&["10.0.0.0/8", "192.0.2.1"], ForwardedHeader::XForwardedFor).await;
    let from = async |value| tried(&world, "10.1.2.3", &[("x-forwarded-for", value)]).await;
    assert_eq!(from("198.51.100.1").await, 401);
    // The last address that is not a trusted proxy counts, whatever is before it, on any number of lines.
    for same in ["198.51.100.1", "203.0.113.7, 198.51.100.1", "1.2.3.4,198.51.100.1 , 10.9.9.9", "198.51.100.1:4711"] {
        assert_eq!(from(same).await, 429, "{same}");
    }
    let lines = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "198.51.100.1")];
    assert_eq!(tried(&world, "192.0.2.1", &lines).await, 429);
    assert_eq!(from("198.51.100.2").await, 401);
    // A client that hides its address is known by its proxy's.
    assert_eq!(from("198.51.100.77, unknown").await, 401);
    assert_eq!(from("198.51.100.78, unknown").await, 429);
    assert_eq!(from("[2001:db8::1]:443").await, 401);
    assert_eq!(from("2001:db8::1").await, 429);
    // The other header is ignored, and so is a header of a peer that is not a proxy.
    assert_eq!(tried(&world, "10.1.2.3", &[("forwarded", "for=198.51.100.3")]).await, 429);
    assert_eq!(tried(&world, "203.0.113.1", &[("x-forwarded-for", "198.51.100.4")]).await, 401);
    assert_eq!(tried(&world, "203.0.113.1", &[("x-forwarded-for", "198.51.100.5")]).await, 429);
}

#[tokio::test]
async fn the_forwarded_header_is_supported() {
    let world = behind(&["10.0.0.0/8"], ForwardedHeader::Forwarded).await;
    let from = async |value| tried(&world, "10.1.2.3", &[("forwarded", value)]).await;
    assert_eq!(from("for=198.51.100.1;proto=https;by=10.1.2.3").await, 401);
    assert_eq!(from("For=\"198.51.100.1:80\"").await, 429);
    assert_eq!(from("for=1.2.3.4, proto=http; for=198.51.100.1").await, 429);
    assert_eq!(from("for=\"[2001:db8:cafe::17]:4711\"").await, 401);
    assert_eq!(from("for=\"[2001:db8:cafe::17]\"").await, 429);
}

#[test]
fn an_invalid_proxy_network_is_rejected() {
    let read = |text: &str| serde_json::from_value::<HttpSettings>(json!({ "trusted_proxies": [text] }));
    assert!(read("10.0.0.0/8").is_ok() && read("2001:db8::/32").is_ok() && read("::1").is_ok());
    for bad in ["10.0.0.0/33", "proxy.example.org", "", "10.0.0"] {
        assert!(read(bad).unwrap_err().to_string().contains("is no address"), "{bad}");
    }
}
