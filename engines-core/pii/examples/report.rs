//! Reads JSON lines `{"id", "text"}` and writes `{"id", "findings": [{"entity", "start", "end", "score"}]}`, with
//! offsets in bytes of UTF-8.

use std::error::Error;
use std::io::{BufRead as _, BufWriter, Write as _};

use engines_pii::{Finding, Scrubber};

#[derive(serde::Deserialize)]
struct Document {
    id: serde_json::Value,
    text: String,
}

#[derive(serde::Serialize)]
struct Report {
    id: serde_json::Value,
    findings: Vec<Finding>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let scrubber = Scrubber::default();
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let Document { id, text } = serde_json::from_str(&line?)?;
        let findings = scrubber.findings(&text)?;
        serde_json::to_writer(&mut out, &Report { id, findings })?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}
