//! A cache of the keys of an issuer.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use engines_core::{Clock, Code, Error, Result, Timestamp};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use super::{FetchLimits, JwksFetch, JwksUrl, KeySetResponse};
use crate::jwt::{
    invalid_token,
    jwk::{KeyChoice, KeySet},
    jws::UnverifiedToken,
};

/// Settings of the cache of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JwksSettings {
    /// The time after which keys are fetched again. A key that the issuer has removed is accepted no longer than this.
    /// The `max-age` of the issuer may shorten it, down to `cooldown`. Default: 5 minutes.
    pub fresh: Duration,
    /// The time, since the fetch, for which old keys are used while the issuer does not respond. Default: 1 hour.
    pub stale: Duration,
    /// A token with an unknown key causes a fetch at once. If the issuer does not have that key either, the next such
    /// fetch comes after this time at the earliest. Default: 10 seconds.
    pub cooldown: Duration,
    /// The time after a failed fetch before the next one. Default: 2 seconds.
    pub retry: Duration,
    /// The timeout of one fetch. Default: 5 seconds.
    pub timeout: Duration,
    /// The largest key set in bytes. Default: 64 KiB.
    pub max_bytes: usize,
}

impl Default for JwksSettings {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(300),
            stale: Duration::from_secs(3600),
            cooldown: Duration::from_secs(10),
            retry: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            max_bytes: 64 << 10,
        }
    }
}

/// The keys of one issuer. There is one fetch at a time, shared by all callers that wait for it. It continues when one
/// of them is cancelled.
pub(super) struct JwksCache {
    url: JwksUrl,
    fetch: Arc<dyn JwksFetch>,
    clock: Arc<dyn Clock>,
    settings: JwksSettings,
    state: Mutex<JwksCacheState>,
}

#[derive(Default)]
struct JwksCacheState {
    current: Option<CachedKeys>,
    pending_fetch: Option<PendingFetch>,
    /// The time of the last fetch that did not have the key of a token.
    last_refetch: Option<Timestamp>,
    /// The error and the time of the last fetch, if it failed.
    failure: Option<(Arc<Error>, Timestamp)>,
}

#[derive(Clone)]
struct CachedKeys {
    keys: Arc<KeySet>,
    /// The start of the fetch, so that a slow fetch does not extend the lifetime.
    since: Timestamp,
    fresh: Duration,
}

impl CachedKeys {
    /// Returns whether the keys are younger than `than` at `now`.
    fn is_younger(&self, than: Duration, now: Timestamp) -> bool {
        is_within(self.since, than, now)
    }
}

/// Returns whether `now` is in the `span` that begins at `since`. False if the clock was set back to before `since`.
fn is_within(since: Timestamp, span: Duration, now: Timestamp) -> bool {
    since <= now && now.since(since) < span
}

type PendingFetch = Shared<BoxFuture<'static, Result<CachedKeys, Arc<Error>>>>;

enum KeyLookup {
    Keys(Arc<KeySet>),
    Wait(PendingFetch),
}

impl JwksCache {
    pub(super) fn new(url: JwksUrl, fetch: Arc<dyn JwksFetch>, clock: Arc<dyn Clock>, settings: JwksSettings) -> Self {
        Self { url, fetch, clock, settings, state: Mutex::default() }
    }

    /// Verifies `token` with the keys of the issuer and returns its payload.
    pub(super) async fn verify(&self, token: &UnverifiedToken<'_>) -> Result<Vec<u8>> {
        let keys = match self.look_up(token)? {
            KeyLookup::Keys(keys) => keys,
            KeyLookup::Wait(flight) => {
                let outcome = flight.clone().await;
                self.finish_fetch(token, &flight, outcome)?
            }
        };
        keys.verify(token)
    }

    /// Returns cached keys, or the fetch to wait for.
    fn look_up(&self, token: &UnverifiedToken<'_>) -> Result<KeyLookup> {
        let now = self.clock.now();
        let mut state = self.lock();
        if let Some(current) = state.current.as_ref().filter(|current| current.is_younger(current.fresh, now)) {
            if !matches!(current.keys.choose_key(token), KeyChoice::Unknown) {
                return Ok(KeyLookup::Keys(Arc::clone(&current.keys)));
            }
            if state.last_refetch.is_some_and(|since| is_within(since, self.settings.cooldown, now)) {
                return Err(unknown_key());
            }
        }
        if let Some((error, _)) = state.failure.as_ref().filter(|(_, at)| is_within(*at, self.settings.retry, now)) {
            return self.stale_keys(state.current.as_ref(), error, token, now).map(KeyLookup::Keys);
        }
        Ok(KeyLookup::Wait(state.pending_fetch.get_or_insert_with(|| self.start_fetch(now)).clone()))
    }

    /// Handles the end of a fetch. The first of the waiting callers stores the result.
    fn finish_fetch(
        &self,
        token: &UnverifiedToken<'_>,
        flight: &PendingFetch,
        outcome: Result<CachedKeys, Arc<Error>>,
    ) -> Result<Arc<KeySet>> {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.pending_fetch.as_ref().is_some_and(|current| current.ptr_eq(flight)) {
            state.pending_fetch = None;
            match &outcome {
                Ok(current) => (state.current, state.failure) = (Some(current.clone()), None),
                Err(error) => state.failure = Some((Arc::clone(error), now)),
            }
        }
        match outcome {
            Ok(current) if matches!(current.keys.choose_key(token), KeyChoice::Unknown) => {
                state.last_refetch = Some(now);
                Err(unknown_key())
            }
            Ok(current) => Ok(current.keys),
            Err(error) => self.stale_keys(state.current.as_ref(), &error, token, now),
        }
    }

    /// Returns old keys while the issuer does not respond, if they are not too old and include the key of the token.
    fn stale_keys(
        &self,
        current: Option<&CachedKeys>,
        error: &Arc<Error>,
        token: &UnverifiedToken<'_>,
        now: Timestamp,
    ) -> Result<Arc<KeySet>> {
        current
            .filter(|current| current.is_younger(self.settings.stale, now))
            .filter(|current| !matches!(current.keys.choose_key(token), KeyChoice::Unknown))
            .map(|current| Arc::clone(&current.keys))
            .ok_or_else(|| {
                keys_unavailable(Arc::clone(error)).with_retry_after(self.settings.retry.max(Duration::from_secs(1)))
            })
    }

    fn start_fetch(&self, now: Timestamp) -> PendingFetch {
        let (fetch, url, settings) = (Arc::clone(&self.fetch), self.url.clone(), self.settings);
        let work = async move {
            let limits = FetchLimits { max_bytes: settings.max_bytes, timeout: settings.timeout };
            let KeySetResponse { body, cache_control } = fetch.fetch(&url, limits).await?;
            if body.len() > settings.max_bytes {
                return Err(Error::new(Code::BackendUnavailable, "oidc.jwks", "the key set is too large"));
            }
            let said = cache_control.as_deref().and_then(max_age).unwrap_or(settings.fresh);
            let fresh = said.max(settings.cooldown).min(settings.fresh);
            Ok(CachedKeys { keys: Arc::new(KeySet::public(&body)?), since: now, fresh })
        };
        let work = AssertUnwindSafe(work).catch_unwind().map(|outcome| {
            outcome
                .unwrap_or_else(|_| Err(Error::internal("oidc.jwks", "the fetch of keys panicked")))
                .map_err(Arc::new)
        });
        work.boxed().shared()
    }

    fn lock(&self) -> MutexGuard<'_, JwksCacheState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how long a response may be cached (RFC 9111 section 5.2.2).
fn max_age(cache_control: &str) -> Option<Duration> {
    let mut found = None;
    for directive in cache_control.split(',').map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        if name.eq_ignore_ascii_case("max-age") {
            found = value.trim_matches('"').parse().ok().map(Duration::from_secs);
        }
    }
    found
}

fn unknown_key() -> Error {
    invalid_token("the issuer has no key with this name")
}

fn keys_unavailable(source: Arc<Error>) -> Error {
    Error::new(Code::BackendUnavailable, "oidc.jwks", "the issuer's keys are not available at the moment; retry later")
        .with_source(source)
}

impl fmt::Debug for JwksCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksCache").field("url", &self.url).field("settings", &self.settings).finish_non_exhaustive()
    }
}
