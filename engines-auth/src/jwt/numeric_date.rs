//! `NumericDate`: seconds since 1970, with an optional fraction (RFC 7519 section 2).

use std::fmt;

use engines_core::Timestamp;
use serde::{Deserialize, Deserializer, de};

/// A time in a token: a number between 1970 and [`Timestamp::MAX`]. Text, null, negative and larger numbers are
/// refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NumericDate(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(DateVisitor)
    }
}

struct DateVisitor;

impl de::Visitor<'_> for DateVisitor {
    type Value = NumericDate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds since 1970 as a number")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<NumericDate, E> {
        match i64::try_from(seconds) {
            Ok(seconds) if seconds <= Timestamp::MAX.as_secs() => Ok(NumericDate(Timestamp::from_secs(seconds))),
            _ => Err(E::custom("a date too far away")),
        }
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<NumericDate, E> {
        u64::try_from(seconds).map_err(|_| E::custom("a date before 1970")).and_then(|seconds| self.visit_u64(seconds))
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the range is checked first")]
    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<NumericDate, E> {
        // `contains` is false for NaN.
        if (0.0..=Timestamp::MAX.as_secs() as f64).contains(&seconds) {
            Ok(NumericDate(Timestamp::from_millis((seconds * 1000.0) as i64)))
        } else {
            Err(E::custom("a date out of range"))
        }
    }
}
