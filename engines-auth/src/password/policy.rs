//! What is accepted as a password: NIST SP 800-63B section 3.1.1.2, with a least length of ten.

use std::fmt;

use engines_core::{Error, Result};
use serde::{Deserialize, Deserializer};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::common_passwords;

/// A password as somebody typed it, in Unicode's form NFKC, so that it fits whatever keyboard it was typed on (SP 800-63B asks for NFKC
/// or NFKD). Nothing else is changed: no trimming, no case folding, no cutting off. It does not print itself, and is overwritten in
/// memory when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// The least number of characters (code points).
    pub const MIN_CHARS: usize = 10;

    /// The largest number of bytes that are looked at.
    pub const MAX_BYTES: usize = 1024;

    /// Takes what was typed. What is longer than [`Password::MAX_BYTES`] becomes a password that is no account's.
    #[must_use]
    pub fn new(typed: &str) -> Self {
        if typed.len() > Self::MAX_BYTES {
            return Self(Zeroizing::new(String::new()));
        }
        if typed.is_ascii() {
            return Self(Zeroizing::new(typed.to_owned()));
        }
        // With room for the longest outcome, so that no copy is left behind by growing: NFKC makes at most 11 times as many bytes in UTF-8
        // (UAX #15, table of maximum expansion).
        let mut text = Zeroizing::new(String::with_capacity(typed.len() * 11));
        text.extend(typed.nfkc());
        Self(text)
    }

    /// Whether it is accepted as a new password for somebody who is known by `words` (an e-mail address, a name). There are no rules about
    /// kinds of characters (SP 800-63B forbids them), but a length and what everybody tries first.
    ///
    /// # Errors
    /// `BODY_INVALID`, saying what is wrong with `field`.
    pub fn check(&self, field: &str, words: &[&str]) -> Result<()> {
        let refuse = |detail: &'static str| Err(Error::invalid_body("auth.password", field, detail));
        if self.0.is_empty() {
            return refuse("a password has at least 10 characters, and at most 1024 bytes");
        }
        if self.0.chars().count() < Self::MIN_CHARS {
            return refuse("a password has at least 10 characters");
        }
        if common_passwords::is_common(&self.0, words) {
            return refuse("this password is one of those that are tried first; choose another");
        }
        Ok(())
    }

    /// Whether somebody typed the same twice; not for comparing with what is secret.
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
