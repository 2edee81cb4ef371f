//! [`BackupId`]: the id of a backup.

use std::{fmt, str::FromStr};

use engines_core::{Code, Error, IdGenerator, Result, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The id of a backup: the time at which it began and four random bytes, such as `20261201T042313Z-5f0c9a3e`. Ids
/// sort by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupId(String);

impl BackupId {
    /// Creates an id.
    #[must_use]
    pub fn new(now: Timestamp, ids: &IdGenerator) -> Self {
        // `now` is RFC 3339 text with three decimals, such as 2026-12-01T04:23:13.123Z.
        let digits: String =
            now.to_string().chars().take(19).filter(|letter| letter.is_ascii_digit() || *letter == 'T').collect();
        Self(format!("{digits}Z-{:08x}", u32::from_be_bytes(ids.bytes())))
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the time at which the backup began, with a precision of one second.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        let part = |from, to| self.0.get(from..to).unwrap_or_default();
        let text =
            format!("{}-{}-{}T{}:{}:{}Z", part(0, 4), part(4, 6), part(6, 8), part(9, 11), part(11, 13), part(13, 15));
        text.parse().unwrap_or_default()
    }
}

impl FromStr for BackupId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let shaped = text.len() == 25
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 => byte == b'T',
                15 => byte == b'Z',
                16 => byte == b'-',
                17.. => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
                _ => byte.is_ascii_digit(),
            });
        match shaped {
            true => Ok(Self(text.to_owned())),
            false => Err(Error::new(
                Code::IdInvalid,
                "backup.id",
                "a backup id looks like 20261201T042313Z-5f0c9a3e; `backup list` shows the ids",
            )),
        }
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for BackupId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for BackupId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
