//! Throughput of the PII engine on one core.
//!
//! `PII_CORPUS=corpus.jsonl cargo bench -p engines-pii --bench throughput` reads lines `{"text": …}`; without the
//! variable it uses a few made-up lines.

#![expect(clippy::unwrap_used, reason = "a bench")]

use divan::{Bencher, black_box, counter::BytesCount};
use engines_pii::Scrubber;

fn main() {
    divan::main();
}

fn documents() -> Vec<String> {
    if let Ok(path) = std::env::var("PII_CORPUS") {
        let text = std::fs::read_to_string(path).unwrap();
        let parse =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
        return text.lines().map(parse).collect();
    }
    let lines = [
        "hey can you email me at ana.silva@example.org when it ships? my number is +44 20 7946 0958",
        "2026-03-04T05:06:07.123Z INFO order=12345678 sku=ABC-1234-XY amount=$12.99 took=0.12345678s trace=4bf92f3577b34da6a3ce929d0e0e4736",
        "the meeting notes are in the shared folder, please add yours before Friday",
        "bumped to v3.14.2, was 3.14.1.7 before; build 7285efc passed at 10:11:12",
        "card is 4111 1111 1111 1111 exp 09/27, ship it to 12 Oak Street, NY 10001",
        "level=warn msg=\"rate limited\" remote=203.0.113.9 req=550e8400-e29b-41d4-a716-446655440000",
    ];
    (0..600).map(|i| lines[i % lines.len()].to_owned()).collect()
}

fn json_documents() -> Vec<String> {
    let wrap =
        |text: &String| serde_json::json!({"surface": "chat", "agent_id": "a1", "input": {"text": text}}).to_string();
    documents().iter().map(wrap).collect()
}

fn clean_documents() -> Vec<String> {
    let scrubber = Scrubber::default();
    documents().into_iter().filter(|d| scrubber.findings(d).unwrap().is_empty()).collect()
}

fn size(documents: &[String]) -> BytesCount {
    BytesCount::new(documents.iter().map(String::len).sum::<usize>())
}

/// Text in, findings and redacted text out, into buffers of the caller.
#[divan::bench]
fn text_into(bencher: Bencher<'_, '_>) {
    let (scrubber, documents) = (Scrubber::default(), documents());
    let (mut out, mut findings) = (String::new(), Vec::new());
    bencher.counter(size(&documents)).bench_local(|| {
        for text in &documents {
            scrubber.scrub_into(black_box(text), &mut out, &mut findings).unwrap();
            black_box((&out, &findings));
        }
    });
}

/// Text in, `Scrubbed` out: findings, redacted text and receipt.
#[divan::bench]
fn text(bencher: Bencher<'_, '_>) {
    let (scrubber, documents) = (Scrubber::default(), documents());
    bencher.counter(size(&documents)).bench_local(|| {
        for text in &documents {
            black_box(scrubber.scrub_text(black_box(text)).unwrap());
        }
    });
}

/// Texts without a finding.
#[divan::bench]
fn clean_text(bencher: Bencher<'_, '_>) {
    let (scrubber, documents) = (Scrubber::default(), clean_documents());
    bencher.counter(size(&documents)).bench_local(|| {
        for text in &documents {
            black_box(scrubber.scrub_text(black_box(text)).unwrap());
        }
    });
}

/// JSON text in, redacted JSON text out.
#[divan::bench]
fn json_text(bencher: Bencher<'_, '_>) {
    let (scrubber, documents) = (Scrubber::default(), json_documents());
    bencher.counter(size(&documents)).bench_local(|| {
        for text in &documents {
            black_box(scrubber.scrub_json_str(black_box(text)).unwrap());
        }
    });
}

/// The time `serde_json` takes to parse and serialise the same text.
#[divan::bench]
fn serde_json_round_trip(bencher: Bencher<'_, '_>) {
    let documents = json_documents();
    bencher.counter(size(&documents)).bench_local(|| {
        for text in &documents {
            let value: serde_json::Value = serde_json::from_str(black_box(text)).unwrap();
            black_box(serde_json::to_string(&value).unwrap());
        }
    });
}

/// One event of about 90 bytes.
#[divan::bench]
fn one_event(bencher: Bencher<'_, '_>) {
    let scrubber = Scrubber::default();
    let text = "hey can you email me at ana.silva@example.org when it ships? or call +44 20 7946 0958 today";
    bencher.counter(BytesCount::of_str(text)).bench(|| scrubber.scrub_text(black_box(text)).unwrap());
}

const HOSTILE: [(&str, &str); 16] = [
    ("dots", "a.a.a.a."),
    ("ats", "a@"),
    ("digits", "1 "),
    ("pairs", "12 34 "),
    ("phones", "0123 456 789 0 "),
    ("luhn", "4111 1111 1111 1112 "),
    ("dashes", "-----BEGIN "),
    ("cues", "password "),
    ("assigned", "password="),
    ("colons", "a1:b2:c3:"),
    ("escapes", "\\u0031%31&#49;"),
    ("keys", "sk-sk-sk-"),
    ("jwts", "eyJhbGciOiJIUzI1NiJ9."),
    ("born", "born on "),
    ("street", "12 Oak Hill "),
    ("masks", "[A:aaaaaaa"),
];

/// The slowest inputs known.
#[divan::bench(args = HOSTILE.map(|(name, _)| name))]
fn hostile(bencher: Bencher<'_, '_>, name: &str) {
    let unit = HOSTILE.iter().find(|(n, _)| *n == name).unwrap().1;
    let scrubber = Scrubber::default();
    let text = unit.repeat(64 * 1024 / unit.len());
    bencher.counter(BytesCount::of_str(&text)).bench_local(|| black_box(scrubber.findings(black_box(&text)).unwrap()));
}
