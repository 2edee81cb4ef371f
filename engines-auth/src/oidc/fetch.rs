//! Getting an issuer's keys from where they are.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use engines_core::Result;

use super::JwksUrl;

/// How much a fetch may take.
#[derive(Debug, Clone, Copy)]
pub struct FetchLimits {
    /// Bytes of the body; a longer one is an error.
    pub max_bytes: usize,
    /// From the beginning to the last byte.
    pub timeout: Duration,
}

/// What a fetch brought.
#[derive(Debug, Clone, Default)]
pub struct KeySetResponse {
    /// The body of a 200 answer.
    pub body: Vec<u8>,
    /// Its `Cache-Control`.
    pub cache_control: Option<String>,
}

/// Gets a key set over whatever HTTP client a deployment has; `HttpFetch` is one (feature `oidc-http`).
///
/// It must keep to the limits, verify TLS certificates, follow no redirect, and take nothing but status 200 for an answer. It is asked
/// for one address at a time, and not again before it has answered; a call may be polled by different tasks.
#[async_trait]
pub trait JwksFetch: Send + Sync + fmt::Debug {
    /// The body at `url`.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` for whatever goes wrong.
    async fn fetch(&self, url: &JwksUrl, limits: FetchLimits) -> Result<KeySetResponse>;
}
