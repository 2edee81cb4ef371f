//! The runs of the engine and of `serde_json` for `benches/peers/pii.sh`, which measures the time.
//!
//! `peers DOCUMENTS.jsonl` reads lines `{"text": …}`. For each line on stdin (`text`, `json` or `serde`) it processes
//! all documents once and then prints the number of input bytes.

use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead as _, Write as _};

use engines_pii::Scrubber;
use serde_json::Value;

#[derive(serde::Deserialize)]
struct Document {
    text: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: pii_peers DOCUMENTS.jsonl")?;
    let read = |line: &str| serde_json::from_str(line).map(|Document { text }| text);
    let texts = std::fs::read_to_string(path)?.lines().map(read).collect::<Result<Vec<_>, _>>()?;
    let wrap =
        |text: &String| serde_json::json!({"surface": "chat", "agent_id": "a1", "input": {"text": text}}).to_string();
    let events: Vec<_> = texts.iter().map(wrap).collect();

    let scrubber = Scrubber::default();
    let (mut redacted, mut findings) = (String::new(), Vec::new());
    let mut answers = std::io::stdout().lock();
    for pass in std::io::stdin().lock().lines() {
        let documents = match pass?.as_str() {
            "text" => {
                for text in &texts {
                    scrubber.scrub_into(black_box(text), &mut redacted, &mut findings)?;
                    black_box((&redacted, &findings));
                }
                &texts
            }
            "json" => {
                for event in &events {
                    black_box(scrubber.scrub_json_str(black_box(event))?);
                }
                &events
            }
            "serde" => {
                for event in &events {
                    let value: Value = serde_json::from_str(black_box(event))?;
                    black_box(serde_json::to_string(&value)?);
                }
                &events
            }
            other => return Err(format!("`{other}` is none of text, json, serde").into()),
        };
        writeln!(answers, "{}", documents.iter().map(String::len).sum::<usize>())?;
        answers.flush()?;
    }
    Ok(())
}
