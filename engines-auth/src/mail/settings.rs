//! Settings of mails.

use std::time::Duration;

use engines_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use crate::rate_limiter::Rate;

/// The placeholder for the token in a link.
const TOKEN_PLACEHOLDER: &str = "{token}";

/// The longest product name, in characters.
const MAX_PRODUCT: usize = 60;

/// Settings of mails about accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct MailSettings {
    /// The name of the product in mails: one line of at most 60 characters. Default: `engines`.
    pub product: String,
    /// The page that verifies an address, with `{token}` in place of the token, such as
    /// `https://app.example.com/verify#{token}`. Without a page the mail has only the token. The same applies to the
    /// other links.
    pub verify_url: Option<String>,
    /// The page that resets a password.
    pub reset_url: Option<String>,
    /// The page that accepts an invite.
    pub invite_url: Option<String>,
    /// Seconds until a mailed token expires, at most a day. Invites have their own setting. Default: one hour.
    pub token_ttl_s: u64,
    /// Mails that may wait to be sent. When the queue is full, further mails are dropped, counted and reported in the
    /// log. Default: 1,000.
    pub queue: usize,
    /// Mails that are sent at the same time. Default: 4.
    pub concurrency: usize,
    /// Attempts to send a mail before it is dropped. Default: 5.
    pub attempts: u32,
    /// Milliseconds from the first attempt to the second. Each further wait is four times as long, at most ten minutes.
    /// Default: 2,000.
    pub retry_ms: u64,
    /// Burst of mails of one purpose to one address: mails at once after a pause. Default: 5.
    pub per_address_burst: u32,
    /// Seconds until one more such mail is allowed. Default: 10 minutes.
    pub per_address_every_s: u64,
    /// Burst of mails that one account may request: mails at once after a pause. Default: 5.
    pub per_account_burst: u32,
    /// Seconds until one more such mail is allowed. Default: 5 minutes.
    pub per_account_every_s: u64,
}

impl Default for MailSettings {
    fn default() -> Self {
        Self {
            product: "engines".into(),
            verify_url: None,
            reset_url: None,
            invite_url: None,
            token_ttl_s: 3600,
            queue: 1000,
            concurrency: 4,
            attempts: 5,
            retry_ms: 2000,
            per_address_burst: 5,
            per_address_every_s: 600,
            per_account_burst: 5,
            per_account_every_s: 300,
        }
    }
}

impl MailSettings {
    /// The longest lifetime of a mailed token, in seconds.
    pub const MAX_TOKEN_TTL_S: u64 = 24 * 3600;

    pub(crate) fn validated(self) -> Result<Self> {
        let refuse = |detail: String| Err(Error::new(Code::Internal, "mail.settings", detail));
        let product = self.product.chars();
        if !(1..=MAX_PRODUCT).contains(&product.clone().count()) || product.clone().any(char::is_control) {
            return refuse(format!("product must be one line of 1 to {MAX_PRODUCT} characters"));
        }
        if self.token_ttl_s == 0 || self.token_ttl_s > Self::MAX_TOKEN_TTL_S {
            return refuse(format!("token_ttl_s must be between 1 and {}", Self::MAX_TOKEN_TTL_S));
        }
        if self.queue == 0 || self.concurrency == 0 || self.attempts == 0 {
            return refuse("queue, concurrency and attempts must be at least 1".into());
        }
        for (name, url) in
            [("verify_url", &self.verify_url), ("reset_url", &self.reset_url), ("invite_url", &self.invite_url)]
        {
            let fits = |url: &String| {
                let web = url.starts_with("https://") || url.starts_with("http://");
                web && url.matches(TOKEN_PLACEHOLDER).count() == 1
                    && !url.chars().any(|c| c.is_control() || c.is_whitespace())
            };
            if !url.as_ref().is_none_or(fits) {
                return refuse(format!("{name} must be an http(s) URL that has {TOKEN_PLACEHOLDER} once"));
            }
        }
        Ok(self)
    }

    /// Returns the link with the token, or the token if there is no link. Tokens are letters, digits, `_` and `-`, so
    /// nothing needs escaping.
    pub(super) fn link(url: Option<&str>, token: &str) -> String {
        url.map_or_else(|| token.to_owned(), |url| url.replace(TOKEN_PLACEHOLDER, token))
    }

    pub(crate) fn per_address(&self) -> Rate {
        Rate { burst: self.per_address_burst, every_ms: self.per_address_every_s.saturating_mul(1000) }
    }

    pub(crate) fn per_account(&self) -> Rate {
        Rate { burst: self.per_account_burst, every_ms: self.per_account_every_s.saturating_mul(1000) }
    }

    pub(crate) fn token_ttl(&self) -> Duration {
        Duration::from_secs(self.token_ttl_s)
    }

    /// Returns the wait after the attempt with this number, counted from 1.
    pub(crate) fn wait_after(&self, attempt: u32) -> Duration {
        const MAX_RETRY_WAIT: Duration = Duration::from_secs(600);
        let factor = 4_u64.saturating_pow(attempt.saturating_sub(1));
        Duration::from_millis(self.retry_ms.saturating_mul(factor)).min(MAX_RETRY_WAIT)
    }
}
