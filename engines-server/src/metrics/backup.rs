//! The metrics of backups.

use std::fmt::Error;

use engines::backup::BackupStatus;
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

/// Writes the metrics of backups.
pub(super) fn encode(status: &BackupStatus, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let help = "Backups that have ended, by outcome: succeeded, failed.";
    let mut family = encoder.encode_descriptor("backups", help, None, MetricType::Counter)?;
    for (outcome, count) in [("succeeded", status.succeeded), ("failed", status.failed)] {
        ConstCounter::new(count).encode(family.encode_family(&[("outcome", outcome)])?)?;
    }
    let running = i64::from(status.running);
    let bytes = i64::try_from(status.last_bytes).unwrap_or(i64::MAX);
    // The value is 0 until there is a backup, so that an alert on its age also fires when there never was one.
    let last = status.last_success.map_or(0.0, |at| at.as_millis() as f64 / 1000.0);
    let help = "Whether a backup is in progress.";
    let metric = encoder.encode_descriptor("backup_running", help, None, MetricType::Gauge)?;
    ConstGauge::new(running).encode(metric)?;
    let help = "Start of the last successful backup, in seconds since 1970; 0 if there is none.";
    let metric =
        encoder.encode_descriptor("backup_last_success_timestamp", help, Some(&Unit::Seconds), MetricType::Gauge)?;
    ConstGauge::new(last).encode(metric)?;
    let help = "Duration of the last successful backup.";
    let metric = encoder.encode_descriptor("backup_last_duration", help, Some(&Unit::Seconds), MetricType::Gauge)?;
    ConstGauge::new(status.last_duration.as_secs_f64()).encode(metric)?;
    let help = "Size of the last successful backup.";
    let metric = encoder.encode_descriptor("backup_last_size", help, Some(&Unit::Bytes), MetricType::Gauge)?;
    ConstGauge::new(bytes).encode(metric)
}
