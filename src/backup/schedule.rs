//! Schedules of backups.

use std::time::Duration;

use engines_core::{Error, Result, Timestamp};

const DAY_MS: i64 = 24 * 3600 * 1000;

/// When backups are made: a fixed time after the last one, daily at a time, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    interval: Option<Duration>,
    /// Milliseconds after midnight, UTC.
    daily_at_ms: Option<i64>,
}

impl Schedule {
    /// Makes a schedule from seconds between two backups (0 for none) and a time `HH:MM` in UTC (empty for none);
    /// `None` when there is neither.
    ///
    /// # Errors
    /// `BODY_INVALID` when the time is malformed.
    pub fn new(every_s: u64, at: &str) -> Result<Option<Self>> {
        let every = (every_s > 0).then(|| Duration::from_secs(every_s));
        let daily_at_ms = match at.is_empty() {
            true => None,
            false => Some(parse_daily(at).ok_or_else(|| {
                Error::invalid_body(
                    "backup.schedule",
                    "at",
                    "the time of the daily backup (backup.at) is HH:MM in UTC, such as 03:30",
                )
            })?),
        };
        Ok((every.is_some() || daily_at_ms.is_some()).then_some(Self { interval: every, daily_at_ms }))
    }

    /// The time at which the next backup is due, given the start of the last good one. A missed backup, and the first
    /// one, is due at once.
    ///
    /// A last backup with a time after `now` is ignored: the clock was wrong when it was made, and waiting for that
    /// time could take years.
    #[must_use]
    pub fn next_due(&self, last: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let Some(last) = last.filter(|last| *last <= now) else { return now };
        let every = self.interval.map(|every| last.plus(every));
        let daily = self.daily_at_ms.map(|at| {
            // The first time of day after the last backup.
            let days = (last.as_millis() - at).div_euclid(DAY_MS) + 1;
            Timestamp::from_millis(days.saturating_mul(DAY_MS).saturating_add(at))
        });
        every.into_iter().chain(daily).min().unwrap_or(now)
    }
}

/// Parses `HH:MM` into milliseconds after midnight.
fn parse_daily(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, limit: i64| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|number| digits && *number < limit)
    };
    Some((number(hours, 24)? * 60 + number(minutes, 60)?) * 60_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn due(every_s: u64, daily: &str, last: Option<&str>, now: &str) -> String {
        let schedule = Schedule::new(every_s, daily).unwrap().unwrap();
        schedule.next_due(last.map(at), at(now)).to_string()
    }

    #[test]
    fn an_interval_counts_from_the_last_backup() {
        assert_eq!(due(3600, "", Some("2026-01-01T10:00:00Z"), "2026-01-01T10:10:00Z"), "2026-01-01T11:00:00.000Z");
        assert_eq!(due(3600, "", Some("2026-01-01T10:00:00Z"), "2026-01-02T10:10:00Z"), "2026-01-01T11:00:00.000Z");
        assert_eq!(due(3600, "", None, "2026-01-02T10:10:00Z"), "2026-01-02T10:10:00.000Z");
    }

    #[test]
    fn a_daily_backup_is_due_at_its_time_and_once_a_day() {
        assert_eq!(due(0, "03:30", Some("2026-01-01T03:30:01Z"), "2026-01-01T12:00:00Z"), "2026-01-02T03:30:00.000Z");
        assert_eq!(due(0, "03:30", Some("2026-01-01T03:29:59Z"), "2026-01-01T03:29:59Z"), "2026-01-01T03:30:00.000Z");
        assert_eq!(due(0, "03:30", Some("2026-01-01T03:30:00Z"), "2026-01-01T03:30:00Z"), "2026-01-02T03:30:00.000Z");
        // It was missed while no process ran, and is due since then.
        assert_eq!(due(0, "03:30", Some("2026-01-01T03:30:01Z"), "2026-01-09T12:00:00Z"), "2026-01-02T03:30:00.000Z");
    }

    #[test]
    fn the_earlier_of_interval_and_daily_time_is_due() {
        assert_eq!(
            due(7200, "03:30", Some("2026-01-01T02:00:00Z"), "2026-01-01T02:00:00Z"),
            "2026-01-01T03:30:00.000Z"
        );
        assert_eq!(
            due(7200, "03:30", Some("2026-01-01T04:00:00Z"), "2026-01-01T04:00:00Z"),
            "2026-01-01T06:00:00.000Z"
        );
    }

    #[test]
    fn a_backup_dated_in_the_future_is_ignored() {
        assert_eq!(
            due(3600, "03:30", Some("2031-01-01T00:00:00Z"), "2026-01-01T12:00:00Z"),
            "2026-01-01T12:00:00.000Z"
        );
    }

    #[test]
    fn an_invalid_time_is_rejected_and_no_rule_gives_no_schedule() {
        for bad in ["3:30", "24:00", "12:60", "noon", "12:00:00", "+1:30", "12-00"] {
            assert!(Schedule::new(0, bad).is_err(), "{bad}");
        }
        assert_eq!(Schedule::new(0, "").unwrap(), None);
    }
}
