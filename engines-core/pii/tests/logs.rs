//! Scrubbing of an app's logs.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    error::Error,
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex},
};

use engines_pii::{
    DetectedSpan, Detector, DetectorBudget, DetectorError, Entity, Scrubber,
    logs::{ScrubLayer, ScrubWriter},
};
use tracing::{
    Event, Subscriber,
    field::Field,
    field::Visit,
    info, info_span,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer, Registry, fmt as format,
    layer::{Context, SubscriberExt as _},
    registry,
};

/// Collects the written lines.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Visit for Sink {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        writeln!(self, "{field}={value:?}").unwrap();
    }
}

/// An exporter, which reads fields and formats nothing.
struct Exporter(Sink);

impl<S: Subscriber> Layer<S> for Exporter {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        attributes.record(&mut self.0.clone());
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(&mut self.0.clone());
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut self.0.clone());
    }
}

#[derive(Debug)]
struct ChainedError(&'static str, Option<Box<ChainedError>>);

impl fmt::Display for ChainedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for ChainedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "it is there to be printed")]
struct User {
    mail: &'static str,
    password: &'static str,
}

/// Logs the same values in every form that `tracing` offers.
fn speak() {
    let span = info_span!("request", user = "span@example.org", later = tracing::field::Empty, n = 1_u64);
    span.record("later", "later@example.org");
    let _inside = span.enter();
    info!(name = "plain", "message to {}", "message@example.org");
    info!(to = "str@example.org", card = 4_111_111_111_111_111_u64, wide = 4_111_111_111_111_111_u128, "numbers");
    info!(to = %"display@example.org", who = ?User { mail: "debug@example.org", password: "hunter2!x" }, "shown");
    let cause = ChainedError("the cause was cause@example.org", None);
    let error = ChainedError("no mail for error@example.org", Some(Box::new(cause)));
    info!(error = &error as &dyn Error, "failed");
    // The field's name is the context.
    info!(dob = "1980-05-17", "born");
    info!(bytes = b"bytes@example.org".as_slice(), kept = 7, yes = true, pi = 3.5, minus = -3_i64, "the rest");
    info!(parent: None, to = "root@example.org", "root");
    info!(parent: &span, to = "child@example.org", "child");
}

/// Values that must not be written.
const RAW: [&str; 4] = ["@example.org", "4111111111111111", "hunter2", "1980-05-17"];

fn assert_clean(text: &str, whole: bool) {
    for raw in RAW {
        assert!(!text.contains(raw), "{raw} in {text}");
    }
    for kept in ["kept=7", "yes=true", "pi=3.5", "minus=-3", "n=1"] {
        assert!(!whole || text.contains(kept), "{kept} not in {text}");
    }
    for masked in ["[EMAIL_ADDRESS]", "[CREDIT_CARD]", "[DATE_OF_BIRTH]", "[SECRET_PASSWORD]"] {
        assert!(text.contains(masked), "{masked} not in {text}");
    }
}

#[test]
fn the_wrapped_layer_sees_only_scrubbed_fields() {
    let sink = Sink::default();
    let layer = ScrubLayer::new(Exporter(sink.clone()), Scrubber::default());
    tracing::subscriber::with_default(registry().with(layer), speak);
    let text = sink.text();
    assert_clean(&text, true);
    assert!(text.contains("message=message to [EMAIL_ADDRESS]\n"), "{text}");
    assert!(text.contains("error=no mail for [EMAIL_ADDRESS]: the cause was [EMAIL_ADDRESS]\n"), "{text}");
    assert!(text.contains("bytes=[EMAIL_ADDRESS]\n"), "{text}");
    assert!(text.contains("later=\"[EMAIL_ADDRESS]\"\n"), "{text}");
    // Without the layer all of them are written, so the test can fail.
    let sink = Sink::default();
    tracing::subscriber::with_default(registry().with(Exporter(sink.clone())), speak);
    for raw in RAW {
        assert!(sink.text().contains(raw), "{raw} not in {}", sink.text());
    }
}

/// The output of `speak` through `layer`, which writes to the given writer.
fn said<L>(layer: impl FnOnce(Sink) -> L) -> String
where
    L: Layer<Registry> + Send + Sync,
{
    let sink = Sink::default();
    tracing::subscriber::with_default(registry().with(layer(sink.clone())), speak);
    sink.text()
}

#[test]
fn every_format_is_scrubbed_and_keeps_its_form() {
    let scrubber = Scrubber::default();
    let fields = [
        said(|to| ScrubLayer::new(format::layer().with_ansi(false).with_writer(move || to.clone()), scrubber.clone())),
        said(|to| ScrubLayer::new(format::layer().json().with_writer(move || to.clone()), scrubber.clone())),
        said(|to| ScrubLayer::new(format::layer().with_ansi(true).with_writer(move || to.clone()), scrubber.clone())),
    ];
    let line = |to: Sink| ScrubWriter::new(move || to.clone(), scrubber.clone());
    let both = [
        said(|to| ScrubLayer::new(format::layer().with_ansi(false).with_writer(line(to)), scrubber.clone())),
        said(|to| ScrubLayer::new(format::layer().json().with_writer(line(to)), scrubber.clone())),
        said(|to| ScrubLayer::new(format::layer().with_ansi(true).with_writer(line(to)), scrubber.clone())),
    ];
    for [text, json, ansi] in [fields, both] {
        assert_clean(&text, true);
        assert_clean(&json, false);
        assert_clean(&ansi, false);
        assert!(ansi.contains("\u{1b}["), "the colours are gone");
        assert_eq!(text.lines().count(), 8, "{text}");
        for line in json.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["fields"]["message"].is_string() && line["level"] == "INFO", "{line}");
        }
    }
}

#[test]
fn lines_of_any_formatter_are_scrubbed() {
    for ansi in [false, true] {
        let sink = Sink::default();
        let to = sink.clone();
        let writer = ScrubWriter::new(move || to.clone(), Scrubber::default());
        let layer = format::layer().with_ansi(ansi).with_writer(writer);
        tracing::subscriber::with_default(registry().with(layer), speak);
        let text = sink.text();
        for raw in ["@example.org", "4111111111111111", "hunter2"] {
            assert!(!text.contains(raw), "{raw} in {text}");
        }
        assert_eq!(text.lines().count(), 8, "{text}");
    }
}

#[test]
fn events_with_many_fields_or_none_are_forwarded() {
    let sink = Sink::default();
    let layer = ScrubLayer::new(Exporter(sink.clone()), Scrubber::default());
    tracing::subscriber::with_default(registry().with(layer), || {
        info!(
            f01 = 1,
            f02 = 1,
            f03 = 1,
            f04 = 1,
            f05 = 1,
            f06 = 1,
            f07 = 1,
            f08 = 1,
            f09 = 1,
            f10 = 1,
            f11 = 1,
            f12 = 1,
            f13 = 1,
            f14 = 1,
            f15 = 1,
            f16 = 1,
            f17 = 1,
            f18 = 1,
            f19 = 1,
            f20 = 1,
            f21 = 1,
            f22 = 1,
            f23 = 1,
            f24 = 1,
            f25 = 1,
            f26 = 1,
            f27 = 1,
            f28 = 1,
            f29 = 1,
            f30 = 1,
            f31 = 1,
            f32 = 1,
            f33 = 1,
            last = "ana@example.org",
        );
        let _empty = info_span!("empty").entered();
    });
    let text = sink.text();
    assert_eq!(text.lines().count(), 34, "{text}");
    assert!(text.contains("f33=1\n") && text.contains("last=\"[EMAIL_ADDRESS]\""), "{text}");
}

/// A detector that always fails.
struct Broken;

impl Detector for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn entities(&self) -> Vec<Entity> {
        Vec::new()
    }

    fn detect(&self, _: &str, _: Option<&DetectorBudget>) -> Result<Vec<DetectedSpan>, DetectorError> {
        Err(DetectorError("no model".into()))
    }
}

#[test]
fn what_cannot_be_scrubbed_is_withheld() {
    let scrubber = Scrubber::builder().detector(Broken).build().unwrap();
    let sink = Sink::default();
    let to = sink.clone();
    let writer = ScrubWriter::new(move || to.clone(), scrubber.clone());
    let exported = Sink::default();
    let subscriber = registry()
        .with(ScrubLayer::new(Exporter(exported.clone()), scrubber.clone()))
        .with(format::layer().with_writer(writer));
    tracing::subscriber::with_default(subscriber, speak);
    for text in [sink.text(), exported.text()] {
        assert!(text.contains("withheld") && !text.contains("example") && !text.contains("hunter2"), "{text}");
    }
}
