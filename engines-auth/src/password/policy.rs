//! The password policy: NIST SP 800-63B section 3.1.1.2, with a minimum length of ten.

use std::fmt;

use engines_core::{Error, Result};
use serde::{Deserialize, Deserializer};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::common_passwords;

/// A password as it was typed, in Unicode's form NFKC, so that it matches on every keyboard (SP 800-63B recommends NFKC
/// or NFKD). It is not trimmed, case-folded or truncated. Its `Debug` output does not contain it, and it is overwritten
/// in memory when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// The least number of characters (code points).
    pub const MIN_CHARS: usize = 10;

    /// The largest number of bytes.
    pub const MAX_BYTES: usize = 1024;

    /// Takes the typed text. A text longer than [`Password::MAX_BYTES`] becomes a password that matches no account.
    #[must_use]
    pub fn new(typed: &str) -> Self {
        if typed.len() > Self::MAX_BYTES {
            return Self(Zeroizing::new(String::new()));
        }
        if typed.is_ascii() {
            return Self(Zeroizing::new(typed.to_owned()));
        }
        // The capacity is that of the longest result, because growing would leave a copy in memory: NFKC makes at most
        // 11 times as many bytes in UTF-8 (UAX #15, table of maximum expansion).
        let mut text = Zeroizing::new(String::with_capacity(typed.len() * 11));
        text.extend(typed.nfkc());
        Self(text)
    }

    /// Checks a new password. `words` are known about the user (an e-mail address, a name) and are refused. There are
    /// no rules on kinds of characters (SP 800-63B forbids them), only a minimum length and a list of common passwords.
    ///
    /// # Errors
    /// `BODY_INVALID` for `field`, with the reason.
    pub fn check(&self, field: &str, words: &[&str]) -> Result<()> {
        let refuse = |detail: &'static str| Err(Error::invalid_body("auth.password", field, detail));
        if self.0.is_empty() {
            return refuse("a password has at least 10 characters, and at most 1024 bytes");
        }
        if self.0.chars().count() < Self::MIN_CHARS {
            return refuse("a password has at least 10 characters");
        }
        if common_passwords::is_common(&self.0, words) {
            return refuse("this password is too common; choose another");
        }
        Ok(())
    }

    /// Returns whether two typed passwords are the same. Not for comparisons with a stored secret, because the time
    /// reveals the common prefix.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    pub(super) fn normalised(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(&Zeroizing::new(String::deserialize(deserializer)?)))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}
