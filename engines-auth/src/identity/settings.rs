//! Settings of the identity service.

use std::time::Duration;

use engines_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use crate::rate_limiter::Rate;
use crate::{jwt::TokenIssuer, password::HashSettings};

/// Who may sign up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Signup {
    /// Everyone may sign up.
    #[default]
    Open,
    /// Users sign up by accepting an invite.
    Invite,
}

/// The longest interval in which a used refresh token may be repeated, in seconds. A stolen token works for as long.
const MAX_REFRESH_REUSE_S: u64 = 60;

/// Settings of the identity service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySettings {
    /// Who may sign up. Default: everyone.
    pub signup: Signup,
    /// Whether only tenants and users in the store are accepted. Then tokens minted elsewhere are refused for others.
    /// Default: false.
    pub tenants_must_exist: bool,
    /// Seconds until an access token expires. Default: 15 minutes.
    pub access_ttl_s: u64,
    /// Seconds after which a session ends that was not refreshed. Default: 14 days.
    pub session_idle_s: u64,
    /// Seconds after which a session ends, refreshed or not. Default: 90 days.
    pub session_max_s: u64,
    /// Seconds for which a refresh token that was just used yields the same next token, so that two tabs that refresh
    /// at the same time keep their session. 0 to 60; with 0 the first repetition ends the session. Default: 10 seconds.
    pub refresh_reuse_s: u64,
    /// The largest number of sessions of one user. A new one replaces the least recently used one. Default: 50.
    pub sessions_per_user: usize,
    /// Seconds until an invite expires, unless its creator sets another time. Default: 7 days.
    pub invite_ttl_s: u64,
    /// The longest time until an invite expires, in seconds. Default: 30 days.
    pub invite_max_s: u64,
    /// The largest number of open invites of one tenant. Default: 1,000.
    pub invites_per_tenant: usize,
    /// Burst of invites: how many one user may create in a tenant, and one tenant in all, at once after a pause.
    /// Default: 200.
    pub invite_burst: u32,
    /// Milliseconds until one more invite may be created. Default: 5 seconds.
    pub invite_every_ms: u64,
    /// Accounts that may claim the same address without having verified it. One more ends the oldest claim. Default: 5.
    pub unverified_per_address: usize,
    /// The largest number of API keys of one tenant. Default: 500.
    pub api_keys_per_tenant: usize,
    /// The largest number of valid tickets of one user. Default: 200.
    pub tickets_per_user: usize,
    /// The largest number of valid tickets of one API key. Default: 1,000.
    pub tickets_per_key: usize,
    /// The largest number of tenants that a user may own to create another one. Beyond it, creation is
    /// `QUOTA_EXCEEDED`. Default: 100.
    pub tenants_per_user: usize,
    /// The longest time for which a replaced secret of an API key may stay valid, in seconds. Default: 7 days.
    pub api_key_grace_max_s: u64,
    /// Seconds between two records of the last use of an API key. Default: 10 minutes.
    pub api_key_use_every_s: u64,
    /// Milliseconds for which cached users, tenants and memberships are used, at most 5,000. A revocation on another
    /// node takes effect after this time at the latest. Default: 2,000.
    pub facts_ttl_ms: u64,
    /// Milliseconds between two checks of the principal of an open stream. Default: 1,000.
    pub watch_every_ms: u64,
    /// Cache entries of each kind. Default: 65,536.
    pub facts: usize,
    /// Revocations that may wait for one subscriber. A subscriber that falls behind is told to check everything.
    /// Default: 1,024.
    pub revocation_queue: usize,
    /// Tries to log in to one account from one network (an IPv4 address, or the /64 of an IPv6 address). A right
    /// password does not count. Default: 10, and one more every 10 seconds.
    pub login_per_account_and_network: Rate,
    /// Tries to log in to one account from all networks together. A right password does not count. The limit does not
    /// apply to a network from which the account has logged in during the last 90 days, so that attackers cannot lock
    /// the owner out of it. Default: 30, and one more every 2 seconds.
    pub login_per_account: Rate,
    /// Milliseconds that a login waits for other logins to the same account whose passwords are being checked, before
    /// it is refused. Default: 10,000.
    pub login_wait_ms: u64,
    /// Logins that may wait in this way. When the queue is full, the network with the most waiting logins gives way to
    /// one with fewer. Logins without a place are refused. Default: 256.
    pub login_waiting: usize,
    /// Logins of one network that may wait in this way. More are refused. A network is one IPv4 address or one IPv6
    /// /64. The networks of an IPv6 /48 together may have twice as many. Default: 128.
    pub login_waiting_per_network: usize,
    /// Tries to log in, sign up, refresh, accept an invite or bootstrap from one address. Successful logins and
    /// refreshes do not count. Default: 200, and two more every second.
    pub per_address: Rate,
    /// Seconds between the order to remove a tenant with all its data and the removal. In between the tenant is closed,
    /// and the order can be cancelled. At least 10. Default: 7 days.
    pub purge_grace_s: u64,
    /// The cost of a password hash.
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
    /// The longest delay of a revocation.
    pub const MAX_FACTS_TTL: Duration = Duration::from_secs(5);

    /// The largest allowed value of `unverified_per_address`. All of these accounts are read when someone signs in with
    /// the address.
    pub const MAX_UNVERIFIED: usize = 20;

    pub(crate) fn validated(self) -> Result<Self> {
        let refuse = |detail: &'static str| Err(Error::new(Code::Internal, "identity.settings", detail));
        let seen = self.facts_ttl_ms.saturating_add(self.watch_every_ms);
        if Duration::from_millis(seen) > Self::MAX_FACTS_TTL {
            return refuse(
                "facts_ttl_ms and watch_every_ms together must be at most 5,000, because revocations take effect within 5 s",
            );
        }
        if self.access_ttl_s == 0 || Duration::from_secs(self.access_ttl_s) > TokenIssuer::MAX_TTL {
            return refuse("access_ttl_s must be between one second and thirty days");
        }
        if self.watch_every_ms == 0 || self.sessions_per_user == 0 {
            return refuse("watch_every_ms and sessions_per_user must be at least 1");
        }
        if self.refresh_reuse_s > MAX_REFRESH_REUSE_S {
            return refuse("refresh_reuse_s must be at most 60");
        }
        if self.session_idle_s == 0 || self.session_max_s == 0 {
            return refuse("session_idle_s and session_max_s must be at least 1, or no token could be refreshed");
        }
        if self.invite_ttl_s == 0 || self.invite_ttl_s > self.invite_max_s {
            return refuse("invite_ttl_s must be between one second and invite_max_s");
        }
        if !(1..=Self::MAX_UNVERIFIED).contains(&self.unverified_per_address) {
            return refuse("unverified_per_address must be between 1 and 20");
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
