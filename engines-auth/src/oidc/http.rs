//! A fetcher of keys on the `ureq` HTTP client. Each fetch runs on a thread.

use std::{fmt, sync::Arc, thread};

use async_trait::async_trait;
use engines_core::{Error, Result};
use tokio::sync::oneshot;
use ureq::{
    Agent, Proxy,
    tls::{RootCerts, TlsConfig},
};

use super::{FetchLimits, JwksFetch, JwksUrl, KeySetResponse};

/// An HTTP/1.1 client for key sets: TLS 1.2 and 1.3 with the trust store of the operating system, no redirects, no kept
/// connections. `HTTPS_PROXY` and the related variables are used, except for loopback addresses.
///
/// Each fetch runs on a new thread and needs no async runtime, because there is one fetch every few minutes.
#[derive(Clone)]
pub struct HttpFetch(Agent);

impl HttpFetch {
    /// Creates a client.
    #[must_use]
    pub fn new() -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .max_response_header_size(16 << 10)
            .user_agent("engines")
            .build();
        Self(config.new_agent())
    }
}

impl Default for HttpFetch {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HttpFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpFetch")
    }
}

#[async_trait]
impl JwksFetch for HttpFetch {
    async fn fetch(&self, url: &JwksUrl, limits: FetchLimits) -> Result<KeySetResponse> {
        let (send, receive) = oneshot::channel();
        let (agent, url) = (self.0.clone(), url.clone());
        thread::Builder::new()
            .name("jwks".into())
            // The receiver may be gone.
            .spawn(move || drop(send.send(get(&agent, &url, limits))))
            .map_err(|error| Error::unavailable("oidc.fetch", error))?;
        receive.await.map_err(|error| Error::unavailable("oidc.fetch", error))?
    }
}

fn get(agent: &Agent, url: &JwksUrl, limits: FetchLimits) -> Result<KeySetResponse> {
    let failed = |error: ureq::Error| Error::unavailable("oidc.fetch", error);
    let proxy = if url.is_loopback() { None } else { Proxy::try_from_env() };
    let mut answer = agent
        .get(url.as_str())
        .header("accept", "application/jwk-set+json, application/json")
        .config()
        .timeout_global(Some(limits.timeout))
        .https_only(!url.is_loopback())
        .proxy(proxy)
        .build()
        .call()
        .map_err(failed)?;
    if answer.status() != 200 {
        return Err(Error::unavailable("oidc.fetch", format!("the issuer answered with status {}", answer.status())));
    }
    let control = answer.headers().get("cache-control").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let limit = u64::try_from(limits.max_bytes).unwrap_or(u64::MAX);
    let body = answer.body_mut().with_config().limit(limit).read_to_vec().map_err(failed)?;
    Ok(KeySetResponse { body, cache_control: control })
}
