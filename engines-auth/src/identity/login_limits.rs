//! Limits on logins: by account and network together, and by account alone. Some callers wait for a try instead of
//! being refused.
//!
//! With a limit by account alone, anyone could lock the owner out with wrong passwords. So the pair of account and
//! network has a tighter limit, and a network from which the owner has logged in before is not held to the limit of the
//! account. A right password returns its try. So many concurrent logins with the right password wait for each other and
//! do not use the limit up.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use engines_core::{Batch, DocId, Error, Result, Timestamp, UserId, nexus::Expect};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use super::{
    records::{self, KNOWN_NETWORKS},
    service::{Inner, rate_limit_key},
    settings::IdentitySettings,
    wire::Caller,
};
use crate::{
    client_network::ClientNetwork,
    network_queue::{NetworkQueue, QueueEntryId, QueueFull, QueueLimits},
};

/// The limit of tries at one account from one network.
const ACCOUNT_AND_NETWORK: &str = "account_and_network";
/// The limit of tries at one account from networks that it has not logged in from before.
const ACCOUNT: &str = "account";

/// The interval at which a waiting login asks again for a try.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Networks remembered for one user. The one seen longest ago is removed first.
const MAX_NETWORKS: usize = 10;
/// The time for which a network is remembered after a login from it.
const NETWORK_MEMORY: Duration = Duration::from_secs(90 * 24 * 3600);
/// The age at which the record of a network is renewed by a login.
const NETWORK_RENEWAL: Duration = Duration::from_secs(24 * 3600);

/// Tries whose password is being checked, and callers that wait for a try.
#[derive(Debug)]
pub(super) struct LoginLimits {
    /// The number of such tries by key. At zero, no try can be returned, so a caller does not wait.
    pending: Mutex<HashMap<String, usize>>,
    /// The callers that wait. Networks from which their account has logged in before are the proven ones.
    waiting: Mutex<NetworkQueue<oneshot::Sender<Infallible>>>,
}

/// The place of a caller that waits for a try. Dropping it leaves the queue.
#[derive(Debug)]
struct WaitingPlace<'a> {
    limits: &'a LoginLimits,
    entry: QueueEntryId,
    /// Closed when another network takes the place.
    displaced: oneshot::Receiver<Infallible>,
}

impl LoginLimits {
    pub(super) fn new(settings: &IdentitySettings) -> Self {
        let limits = QueueLimits::new(settings.login_waiting, settings.login_waiting_per_network);
        Self { pending: Mutex::default(), waiting: Mutex::new(NetworkQueue::new(limits)) }
    }

    /// Takes a place to wait.
    ///
    /// # Errors
    /// [`QueueFull`] when the network has used its share of the places, or when all are taken and no network has more
    /// than this one.
    fn wait(&self, client: ClientNetwork, is_known: bool) -> Result<WaitingPlace<'_>, QueueFull> {
        let (sender, displaced) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (entry, loser) = waiting.push(client, is_known, sender)?;
        drop(waiting);
        drop(loser);
        Ok(WaitingPlace { limits: self, entry, displaced })
    }

    fn is_pending(&self, key: &str) -> bool {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }

    fn add_pending(&self, key: &str) {
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_default() += 1;
    }

    fn remove_pending(&self, key: &str) {
        let mut unjudged = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = unjudged.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                unjudged.remove(key);
            }
        }
    }
}

impl WaitingPlace<'_> {
    /// Waits for `time`.
    ///
    /// # Errors
    /// [`QueueFull`] when another network has taken the place.
    async fn wait_for(&mut self, time: Duration) -> Result<(), QueueFull> {
        // Nothing is ever sent. The receiver completes when the sender, and with it the place, is gone.
        if timeout(time, &mut self.displaced).await.is_ok() { Err(QueueFull) } else { Ok(()) }
    }
}

impl Drop for WaitingPlace<'_> {
    fn drop(&mut self) {
        let removed = self.limits.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(self.entry);
        drop(removed);
    }
}

/// A try to log in. It counts unless [`LoginAttempt::mark_succeeded`] is called.
pub(super) struct LoginAttempt<'a> {
    inner: &'a Inner,
    account: String,
    pair: Option<String>,
    /// Whether the limit of the account was charged.
    account_charged: bool,
}

impl LoginAttempt<'_> {
    /// Returns the try, because the password was right.
    pub(super) fn mark_succeeded(self) {
        let (throttle, settings) = (&self.inner.throttle, &self.inner.settings);
        if self.account_charged {
            throttle.refund(ACCOUNT, &self.account, settings.login_per_account);
        }
        if let Some(pair) = &self.pair {
            throttle.refund(ACCOUNT_AND_NETWORK, pair, settings.login_per_account_and_network);
        }
    }
}

impl Drop for LoginAttempt<'_> {
    fn drop(&mut self) {
        self.inner.login_limits.remove_pending(&self.account);
        if let Some(pair) = &self.pair {
            self.inner.login_limits.remove_pending(pair);
        }
    }
}

/// The reason why no try is available.
struct AttemptRefused {
    error: Error,
    /// Whether tries are being checked that may be returned.
    may_return: bool,
}

impl Inner {
    /// Takes a try to log in to the account with this key (the hash of its address, whether the account exists or not).
    /// Waits for one if a try may be returned.
    ///
    /// # Errors
    /// `RATE_LIMITED` when no try is available within [`IdentitySettings::login_wait_ms`], when too many callers wait, or
    /// when a network with fewer waiting callers displaced this one.
    pub(super) async fn begin_login<'a>(
        &'a self,
        account: &str,
        user: Option<&UserId>,
        caller: &Caller<'_>,
    ) -> Result<LoginAttempt<'a>> {
        let network = caller.address.map(rate_limit_key);
        let pair = network.as_ref().map(|network| format!("{account} {network}"));
        let deadline = Instant::now() + Duration::from_millis(self.settings.login_wait_ms);
        let mut known = None;
        let mut place: Option<WaitingPlace<'_>> = None;
        loop {
            let not_now = match self.take_attempt(account, pair.as_deref(), known == Some(true)) {
                Ok(attempt) => return Ok(attempt),
                Err(not_now) => not_now,
            };
            if known.is_none() {
                // The same read is made whether the account exists or not.
                known = Some(self.is_known_network(user, network.as_deref()).await?);
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !not_now.may_return {
                return Err(self.with_decision_id(not_now.error));
            }
            let (client, is_known) = (ClientNetwork::of(caller.address), known == Some(true));
            let waited = match &mut place {
                Some(place) => place.wait_for(POLL_INTERVAL.min(left)).await,
                None => self.login_limits.wait(client, is_known).map(|taken| place = Some(taken)),
            };
            waited.map_err(|QueueFull| self.with_decision_id(not_now.error))?;
        }
    }

    fn take_attempt(
        &self,
        account: &str,
        pair: Option<&str>,
        known_network: bool,
    ) -> Result<LoginAttempt<'_>, AttemptRefused> {
        let (now, limits) = (self.now(), &self.login_limits);
        if let Some(pair) = pair {
            let rate = self.settings.login_per_account_and_network;
            let taken = self.throttle.take(ACCOUNT_AND_NETWORK, pair, rate, now);
            taken.map_err(|error| AttemptRefused { error, may_return: limits.is_pending(pair) })?;
        }
        let taken = self.throttle.take(ACCOUNT, account, self.settings.login_per_account, now);
        let in_account = taken.is_ok();
        if let Err(error) = taken
            && !known_network
        {
            if let Some(pair) = pair {
                self.throttle.refund(ACCOUNT_AND_NETWORK, pair, self.settings.login_per_account_and_network);
            }
            return Err(AttemptRefused { error, may_return: limits.is_pending(account) });
        }
        limits.add_pending(account);
        if let Some(pair) = pair {
            limits.add_pending(pair);
        }
        Ok(LoginAttempt {
            inner: self,
            account: account.to_owned(),
            pair: pair.map(Into::into),
            account_charged: in_account,
        })
    }

    async fn is_known_network(&self, user: Option<&UserId>, network: Option<&str>) -> Result<bool> {
        let Some(network) = network else { return Ok(false) };
        let (now, name) = (self.now(), self.network_name(network)?);
        let body = self.known_networks(user.unwrap_or(&UserId::new("nobody")?)).await?;
        Ok(body.networks.iter().any(|(known, at)| {
            // A network recorded while the clock was ahead counts as recorded now.
            *known == name && now.since(at.if_not_future(now).unwrap_or(now)) < NETWORK_MEMORY
        }))
    }

    /// Records in `batch` the network that a user has just logged in from.
    pub(super) async fn record_network(&self, batch: Batch, user: &UserId, caller: &Caller<'_>) -> Result<Batch> {
        let Some(network) = caller.address.map(rate_limit_key) else { return Ok(batch) };
        let (now, name) = (batch.at(), self.network_name(&network)?);
        let mut body = self.known_networks(user).await?;
        let age = |at: &Timestamp| now.since(at.if_not_future(now).unwrap_or(now));
        if body.networks.iter().any(|(known, at)| *known == name && *at <= now && age(at) < NETWORK_RENEWAL) {
            return Ok(batch);
        }
        body.networks.retain(|(known, at)| *known != name && age(at) < NETWORK_MEMORY);
        body.networks.sort_by_key(|(_, at)| *at);
        let over = (body.networks.len() + 1).saturating_sub(MAX_NETWORKS);
        body.networks.drain(..over);
        body.networks.push((name, now));
        // Of two concurrent logins one record may be lost. The next login from that network writes it again.
        records::put(batch, KNOWN_NETWORKS, records::user_id(user)?, &[], &body, Expect::Any)
    }

    async fn known_networks(&self, user: &UserId) -> Result<KnownNetworks> {
        let id: DocId = records::user_id(user)?;
        let found = self.records.get::<KnownNetworks>(&KNOWN_NETWORKS, &id).await?;
        Ok(found.map(|found| found.body).unwrap_or_default())
    }

    fn network_name(&self, network: &str) -> Result<String> {
        Ok(self.accounts()?.index.hash("network", network))
    }
}

/// Networks that a user has logged in from, as keyed hashes, and when each was recorded.
#[derive(Debug, Default, Serialize, Deserialize)]
struct KnownNetworks {
    networks: Vec<(String, Timestamp)>,
}
