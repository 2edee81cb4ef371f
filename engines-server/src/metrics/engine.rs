//! The metrics of the engine's store and sinks, read when they are requested.

use std::fmt::Error;

use engines::{
    Engine,
    auth::identity::Identity,
    storage::{Operation, metered::LATENCY_BOUNDS},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

/// Reads the metrics of an engine.
#[derive(Debug)]
pub(super) struct EngineCollector(pub(super) Engine);

impl Collector for EngineCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.store(&mut encoder)?;
        self.usage(&mut encoder)?;
        self.recorder(&mut encoder)?;
        self.sinks(&mut encoder)?;
        self.passwords(&mut encoder)?;
        if let Some(counts) = self.0.identity().and_then(Identity::mail_counts) {
            super::mail::encode(&counts, &mut encoder)?;
        }
        super::backup::encode(&self.0.backup().status(), &mut encoder)
    }
}

impl EngineCollector {
    fn store(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let read = Operation::ALL.map(|operation| (operation, self.0.store_metrics().read(operation)));
        let name = |operation: Operation| [("operation", operation.as_str())];
        let help = "Duration of the store's operations.";
        let mut family =
            encoder.encode_descriptor("store_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (operation, metrics) in &read {
            let bounds = LATENCY_BOUNDS.iter().map(std::time::Duration::as_secs_f64).chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(metrics.buckets).collect();
            let answered = metrics.buckets.iter().sum();
            let labels = name(*operation);
            let mut metric = family.encode_family(&labels)?;
            metric.encode_histogram::<NoLabelSet>(metrics.total.as_secs_f64(), answered, &buckets, None)?;
        }
        let help = "Operations of the store without success, by reason: refused (rejected by the store), failed, dropped (the caller no longer waited).";
        let mut family = encoder.encode_descriptor("store_undone", help, None, MetricType::Counter)?;
        for (operation, metrics) in &read {
            for (why, count) in [("refused", metrics.refused), ("failed", metrics.failed), ("dropped", metrics.dropped)]
            {
                let labels = [("operation", operation.as_str()), ("why", why)];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn usage(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let usage = self.0.store().usage();
        let sizes = [
            ("store_data", "The size of the store's data, if the backend knows it.", usage.data_bytes),
            ("store_log", "The size of the store's write-ahead log, if the backend has one.", usage.log_bytes),
        ];
        for (name, help, bytes) in sizes {
            if let Some(bytes) = bytes {
                let gauge = encoder.encode_descriptor(name, help, Some(&Unit::Bytes), MetricType::Gauge)?;
                ConstGauge::new(i64::try_from(bytes).unwrap_or(i64::MAX)).encode(gauge)?;
            }
        }
        Ok(())
    }

    fn recorder(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let read = self.0.recorder().counts();
        let help = "Dataset events given to the background recorder: accepted; of these recorded or failed; dropped.";
        let mut family = encoder.encode_descriptor("recorder_events", help, None, MetricType::Counter)?;
        for (what, count) in [
            ("accepted", read.accepted),
            ("recorded", read.recorded),
            ("dropped", read.dropped),
            ("failed", read.failed),
        ] {
            ConstCounter::new(count).encode(family.encode_family(&[("what", what)])?)?;
        }
        Ok(())
    }

    fn passwords(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(hashes) = self.0.identity().and_then(Identity::password_hashes) else { return Ok(()) };
        let help = "Password hashes computed, which are most of the cost of a login.";
        let metric = encoder.encode_descriptor("password_hashes", help, None, MetricType::Counter)?;
        ConstCounter::new(hashes).encode(metric)
    }

    fn sinks(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let sinks = self.0.sinks();
        let help = "Dataset events for sinks, by outcome: delivered, rejected, withheld; failures count attempts.";
        let mut family = encoder.encode_descriptor("sink_events", help, None, MetricType::Counter)?;
        for sink in &sinks {
            let counts = [
                ("delivered", sink.delivered),
                ("rejected", sink.rejected),
                ("withheld", sink.withheld),
                ("failures", sink.failures),
            ];
            for (what, count) in counts {
                let labels = [("sink", sink.sink.as_str()), ("what", what)];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        let now = self.0.guard().clock().now();
        let help = "Age of the oldest event that waits for a sink.";
        let mut family = encoder.encode_descriptor("sink_lag", help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for sink in &sinks {
            let lag = sink.waiting_since.map_or(0.0, |since| now.since(since).as_secs_f64());
            ConstGauge::new(lag).encode(family.encode_family(&[("sink", sink.sink.as_str())])?)?;
        }
        Ok(())
    }
}
