//! Reports the findings in each document of a file of JSON lines.

use std::{
    borrow::Cow,
    io::{BufRead, Read, Write},
};

use engines::core::pii::{Finding, Scrubber};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::cli::error::CliError;

/// The size limit of a line, in bytes.
const MAX_LINE_BYTES: usize = 64 << 20;
/// Bytes of one write.
const OUT_BYTES: usize = 256 << 10;

#[derive(Deserialize)]
struct ReportInput<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(Serialize)]
struct ReportLine<'a> {
    id: &'a RawValue,
    findings: Vec<Finding>,
}

/// Reads lines `{"id", "text"}` from `from`. For each, writes a line `{"id", "findings": [{"entity", "start", "end",
/// "score"}]}`. Offsets are bytes of the text in UTF-8. Blank lines are skipped.
pub(super) fn report(scrubber: &Scrubber, mut from: impl BufRead, mut to: impl Write) -> Result<(), CliError> {
    let mut line = Vec::new();
    let mut out = Vec::with_capacity(2 * OUT_BYTES);
    for number in 1_u64.. {
        line.clear();
        let most = (MAX_LINE_BYTES + 1) as u64;
        if from.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() > MAX_LINE_BYTES {
            return Err(format!("line {number} is longer than {MAX_LINE_BYTES} bytes").into());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        // The parser's message may quote the line, so it is not shown.
        let wrong = || format!("line {number} is not a JSON object with an `id` and a string `text`, in UTF-8");
        let text = std::str::from_utf8(&line).map_err(|_| wrong())?;
        let document: ReportInput<'_> = serde_json::from_str(text).map_err(|_| wrong())?;
        let findings = scrubber.findings(&document.text).map_err(|error| format!("line {number}: {error}"))?;
        serde_json::to_writer(&mut out, &ReportLine { id: document.id, findings })?;
        out.push(b'\n');
        if out.len() >= OUT_BYTES {
            to.write_all(&out)?;
            out.clear();
        }
    }
    to.write_all(&out)?;
    to.flush()?;
    Ok(())
}
