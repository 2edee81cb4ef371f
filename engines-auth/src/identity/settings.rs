//! What can be set about identity.

use std::time::Duration;

use engines_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use super::rate_limiter::Rate;
use crate::{jwt::TokenIssuer, password::HashSettings};

/// Who may sign up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Signup {
    /// Everybody.
    #[default]
    Open,
    /// Whoever accepts an invite.
    Invite,
}

/// The longest interval in which a used refresh token may be repeated, in seconds: what was stolen is good for as long.
const MAX_REFRESH_REUSE_S: u64 = 60;

/// Settings of the identity service, with their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySettings {
    /// Who may sign up. Default: everybody.
    pub signup: Signup,
    /// Only tenants and users of the store count; tokens minted elsewhere for others are refused. Default: no.
    pub tenants_must_exist: bool,
    /// Seconds an access token is good. Default: 15 minutes.
    pub access_ttl_s: u64,
    /// Seconds after which a session that was not refreshed ends. Default: 14 days.
    pub session_idle_s: u64,
    /// Seconds after which a session ends in any case. Default: 90 days.
    pub session_max_s: u64,
    /// Seconds for which a refresh token that was just used is answered with the same next token, so that two tabs that refresh at the same
    /// time keep their session; 0 to 60, where 0 ends the session at the first repetition. Default: 10 seconds.
    pub refresh_reuse_s: u64,
    /// Sessions of one user; the one used longest ago goes first. Default: 50.
    pub sessions_per_user: usize,
    /// Seconds an invite is good when nobody says otherwise. Default: 7 days.
    pub invite_ttl_s: u64,
    /// The longest an invite may be good, in seconds. Default: 30 days.
    pub invite_max_s: u64,
    /// Invites of one tenant that wait. Default: 1,000.
    pub invites_per_tenant: usize,
    /// Invites that one person makes in a tenant, and that a tenant makes, at once after a time of rest. Default: 200.
    pub invite_burst: u32,
    /// Milliseconds until there is one more. Default: 5 seconds.
    pub invite_every_ms: u64,
    /// Accounts that may name the same address without having proved it; one more ends the oldest one's claim. Default: 5.
    pub unverified_per_address: usize,
    /// API keys of one tenant. Default: 500.
    pub api_keys_per_tenant: usize,
    /// Tickets of one user that are good at the same time. Default: 200.
    pub tickets_per_user: usize,
    /// Tickets of one API key that are good at the same time. Default: 1,000.
    pub tickets_per_key: usize,
    /// Tenants one user may be the owner of by making them; more are `QUOTA_EXCEEDED`. Default: 100.
    pub tenants_per_user: usize,
    /// The longest a replaced API key may still be good, in seconds. Default: 7 days.
    pub api_key_grace_max_s: u64,
    /// Seconds between two notes of when an API key was last used. Default: 10 minutes.
    pub api_key_use_every_s: u64,
    /// Milliseconds for which what was read about somebody is believed, at most 5,000: how late a revocation by another node counts.
    /// Default: 2,000.
    pub facts_ttl_ms: u64,
    /// Milliseconds between two looks at whether an open stream's principal is still good. Default: 1,000.
    pub watch_every_ms: u64,
    /// Facts of each kind that are remembered. Default: 65,536.
    pub facts: usize,
    /// Revocations waiting for one subscriber; who falls behind is told so. Default: 1,024.
    pub revocation_queue: usize,
    /// Tries to log in to one account from one network (an IPv4 address, the /64 of an IPv6 address); a right password does not count. Default:
    /// 10, and one more every 10 seconds.
    pub login_per_account_and_network: Rate,
    /// Tries to log in to one account from all networks together; a right password does not count. A network that the account has logged in
    /// from in the last 90 days is not held to it, so that nobody locks an owner out of their own place. Default: 30, and one more every 2
    /// seconds.
    pub login_per_account: Rate,
    /// Milliseconds that a login waits for others of the same account whose passwords are being checked, before it is refused. Default: 10,000.
    pub login_wait_ms: u64,
    /// Logins that wait so at a time. When so many wait, the network of which most wait gives way to one of which fewer
    /// wait; a login that finds no place is refused. Default: 256.
    pub login_waiting: usize,
    /// Logins of one network that wait so at a time; more are refused. A network is one IPv4 address or one IPv6 /64; the
    /// networks of an IPv6 /48 together have twice as many. Default: 128.
    pub login_waiting_per_network: usize,
    /// Tries to log in, sign up, refresh, accept or bootstrap from one address; good logins and refreshes do not count. Default: 200, and two
    /// more every second.
    pub per_address: Rate,
    /// Seconds between an owner's order to remove a tenant with all its data and its removal; until then it is closed, and the order can be called off.
    /// At least 10. Default: 7 days.
    pub purge_grace_s: u64,
    /// What a password hash costs.
    pub password: HashSettings,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        Self {
            signup: Signup::Open,
            tenants_must_exist: false,
            access_ttl_s: 15 * 60,
            session_idle_s: 14 * DAY,
            session_max_s: 90 * DAY,
            refresh_reuse_s: 10,
            sessions_per_user: 50,
            invite_ttl_s: 7 * DAY,
            invite_max_s: 30 * DAY,
            invites_per_tenant: 1000,
            invite_burst: 200,
            invite_every_ms: 5000,
            unverified_per_address: 5,
            api_keys_per_tenant: 500,
            tickets_per_user: 200,
            tickets_per_key: 1000,
            tenants_per_user: 100,
            api_key_grace_max_s: 7 * DAY,
            api_key_use_every_s: 600,
            facts_ttl_ms: 2000,
            watch_every_ms: 1000,
            facts: 65_536,
            revocation_queue: 1024,
            login_per_account_and_network: Rate { burst: 10, every_ms: 10_000 },
            login_per_account: Rate { burst: 30, every_ms: 2000 },
            login_wait_ms: 10_000,
            login_waiting: 256,
            login_waiting_per_network: 128,
            per_address: Rate { burst: 200, every_ms: 500 },
            purge_grace_s: 7 * DAY,
            password: HashSettings::default(),
        }
    }
}

impl IdentitySettings {
    /// How late a revocation may count, at the most.
    pub const MAX_FACTS_TTL: Duration = Duration::from_secs(5);

    /// The most accounts that may name one address: all of them are read when somebody signs in with it.
    pub const MAX_UNVERIFIED: usize = 20;

    pub(crate) fn validated(self) -> Result<Self> {
        let refuse = |detail: &'static str| Err(Error::new(Code::Internal, "identity.settings", detail));
        let seen = self.facts_ttl_ms.saturating_add(self.watch_every_ms);
        if Duration::from_millis(seen) > Self::MAX_FACTS_TTL {
            return refuse("facts_ttl_ms and watch_every_ms are at most 5,000 together: revocations count within 5 s");
        }
        if self.access_ttl_s == 0 || Duration::from_secs(self.access_ttl_s) > TokenIssuer::MAX_TTL {
            return refuse("access_ttl_s is between one second and thirty days");
        }
        if self.watch_every_ms == 0 || self.sessions_per_user == 0 {
            return refuse("watch_every_ms and sessions_per_user are at least 1");
        }
        if self.refresh_reuse_s > MAX_REFRESH_REUSE_S {
            return refuse("refresh_reuse_s is at most 60");
        }
        if self.session_idle_s == 0 || self.session_max_s == 0 {
            return refuse("session_idle_s and session_max_s are at least 1: nobody could refresh a token");
        }
        if self.invite_ttl_s == 0 || self.invite_ttl_s > self.invite_max_s {
            return refuse("invite_ttl_s is between one second and invite_max_s");
        }
        if !(1..=Self::MAX_UNVERIFIED).contains(&self.unverified_per_address) {
            return refuse("unverified_per_address is between 1 and 20");
        }
        Ok(self)
    }

    pub(crate) fn invites(&self) -> Rate {
        Rate { burst: self.invite_burst, every_ms: self.invite_every_ms }
    }

    pub(crate) fn facts_ttl(&self) -> Duration {
        Duration::from_millis(self.facts_ttl_ms)
    }
}
