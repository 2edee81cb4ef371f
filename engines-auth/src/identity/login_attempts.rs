//! Limits on logins: by account and network together, and by account alone. Some callers wait for a try instead of
//! being refused.
//!
//! With a limit by account alone, anyone could lock the owner out with wrong passwords. So the pair of account and
//! network has a tighter limit, and a network from which the owner has logged in before is not held to the limit of the
//! account. A right password returns its try. So many concurrent logins with the right password wait for each other and
//! do not use the limit up.

use std::time::Duration;

use engines_core::{Error, Result, UserId};
use tokio::time::Instant;

#[cfg(doc)]
use super::settings::IdentitySettings;
use super::{login_limits::WaitingPlace, network::rate_limit_key, state::IdentityState, wire::Caller};
use crate::{client_network::ClientNetwork, network_queue::QueueFull};

/// The limit of tries at one account from one network.
const ACCOUNT_AND_NETWORK: &str = "account_and_network";
/// The limit of tries at one account from networks that it has not logged in from before.
const ACCOUNT: &str = "account";

/// The interval at which a waiting login asks again for a try.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A try to log in. It counts unless [`LoginAttempt::mark_succeeded`] is called.
pub(super) struct LoginAttempt<'a> {
    state: &'a IdentityState,
    account: String,
    pair: Option<String>,
    /// Whether the limit of the account was charged.
    account_charged: bool,
}

impl LoginAttempt<'_> {
    /// Returns the try, because the password was right.
    pub(super) fn mark_succeeded(self) {
        let (throttle, settings) = (&self.state.throttle, &self.state.settings);
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
        self.state.login_limits.remove_pending(&self.account);
        if let Some(pair) = &self.pair {
            self.state.login_limits.remove_pending(pair);
        }
    }
}

/// The reason why no try is available.
struct AttemptRefused {
    error: Error,
    /// Whether tries are being checked that may be returned.
    may_return: bool,
}

impl IdentityState {
    /// Takes a try to log in to the account with this key (the hash of its address, whether the account exists or not).
    /// Waits for one if a try may be returned.
    ///
    /// # Errors
    /// `RATE_LIMITED` when no try is available within [`IdentitySettings::login_wait_ms`], when too many callers wait,
    /// or when a network with fewer waiting callers displaced this one.
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
            state: self,
            account: account.to_owned(),
            pair: pair.map(Into::into),
            account_charged: in_account,
        })
    }
}
