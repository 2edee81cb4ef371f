//! The trait that retrieves the keys of an issuer.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use engines_core::Result;

use super::JwksUrl;

/// The limits of a fetch.
#[derive(Debug, Clone, Copy)]
pub struct FetchLimits {
    /// The largest body in bytes. A longer one is an error.
    pub max_bytes: usize,
    /// The time from the start to the last byte.
    pub timeout: Duration,
}

/// The result of a fetch.
#[derive(Debug, Clone, Default)]
pub struct KeySetResponse {
    /// The body of the response with status 200.
    pub body: Vec<u8>,
    /// The `Cache-Control` header of the response.
    pub cache_control: Option<String>,
}

/// Retrieves a key set with the HTTP client of the deployment. `HttpFetch` (feature `oidc-http`) is one.
///
/// An implementation must keep to the limits, verify TLS certificates, follow no redirects, and accept status 200 only.
/// It is called for one address at a time, and not again before it has returned. A call may be polled by different
/// tasks.
#[async_trait]
pub trait JwksFetch: Send + Sync + fmt::Debug {
    /// Returns the body at `url`.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` for every failure.
    async fn fetch(&self, url: &JwksUrl, limits: FetchLimits) -> Result<KeySetResponse>;
}
