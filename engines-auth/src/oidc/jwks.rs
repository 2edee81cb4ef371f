//! An issuer's keys, kept as long as they may be.

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

/// How long keys are kept, how often they are asked for, and how large they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JwksSettings {
    /// After this long they are asked for again; a key that was removed works no longer than this. The issuer's `max-age` may shorten it,
    /// down to `cooldown`. Default 5 minutes.
    pub fresh: Duration,
    /// When the issuer does not answer, they serve for this long since they were got. Default 1 hour.
    pub stale: Duration,
    /// A token that names a key we do not have makes us ask at once; after one that named a key nobody has, not again for this long.
    /// Default 10 seconds.
    pub cooldown: Duration,
    /// After a failure, the issuer is left alone for this long. Default 2 seconds.
    pub retry: Duration,
    /// How long one fetch may take. Default 5 seconds.
    pub timeout: Duration,
    /// How many bytes a key set may have. Default 64 KiB.
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

/// The keys of one issuer. One fetch at a time, whoever waits for it; it goes on for the others when one of them leaves.
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
    /// Since when a key we do not have is taken for one that nobody has.
    last_refetch: Option<Timestamp>,
    /// The last fetch failed, and when.
    failure: Option<(Arc<Error>, Timestamp)>,
}

#[derive(Clone)]
struct CachedKeys {
    keys: Arc<KeySet>,
    /// When its fetch began, so that a slow one makes nothing younger.
    since: Timestamp,
    fresh: Duration,
}

impl CachedKeys {
    /// Whether they are that young at `now`.
    fn is_younger(&self, than: Duration, now: Timestamp) -> bool {
        is_within(self.since, than, now)
    }
}

/// Whether `now` is in the `span` that begins at `since`. A clock that was set back is in no span that began later.
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

    /// The payload of `token`, if one of the issuer's keys signed it.
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

    /// What can be said at once.
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

    /// After a fetch: whoever comes first writes down what it brought.
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

    /// The keys from before, while the issuer does not answer: for those we have and not too long.
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

/// How long an answer may be kept (RFC 9111 section 5.2.2).
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
    invalid_token("the issuer has no key of this name")
}

fn keys_unavailable(source: Arc<Error>) -> Error {
    Error::new(Code::BackendUnavailable, "oidc.jwks", "the issuer's keys cannot be had at the moment; retry later")
        .with_source(source)
}

impl fmt::Debug for JwksCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksCache").field("url", &self.url).field("settings", &self.settings).finish_non_exhaustive()
    }
}
