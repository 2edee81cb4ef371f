//! The metrics of mails.

use std::fmt::Error;

use engines::auth::mail::MailCounts;
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

/// Writes the metrics of mails.
pub(super) fn encode(counts: &MailCounts, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let help = "Mails about accounts: queued; of these sent, failed (given up) or needless (no recipient, or too many); dropped.";
    let mut family = encoder.encode_descriptor("mails", help, None, MetricType::Counter)?;
    for (what, count) in [
        ("queued", counts.queued),
        ("sent", counts.sent),
        ("failed", counts.failed),
        ("needless", counts.needless),
        ("dropped", counts.dropped),
    ] {
        ConstCounter::new(count).encode(family.encode_family(&[("what", what)])?)?;
    }
    let help = "Mails that are queued.";
    let metric = encoder.encode_descriptor("mails_waiting", help, None, MetricType::Gauge)?;
    ConstGauge::new(i64::try_from(counts.waiting).unwrap_or(i64::MAX)).encode(metric)
}
