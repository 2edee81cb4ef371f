//! Editing histories as commands.

use std::{fs::File, io::Read, path::Path};

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Result;

/// A history: the ops of each command, and the resulting text, which is at `/text`.
pub(crate) struct Trace {
    pub(crate) commands: Vec<Value>,
    pub(crate) end: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recorded {
    start_content: String,
    end_content: String,
    txns: Vec<Transaction>,
}

#[derive(Deserialize)]
struct Transaction {
    /// Position (in Unicode scalar values), characters deleted there, text inserted there.
    patches: Vec<(u64, u64, String)>,
}

impl Trace {
    /// Reads a recorded trace.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut text = String::new();
        let mut file = File::open(path)?;
        match path.extension().is_some_and(|ending| ending == "gz") {
            true => GzDecoder::new(file).read_to_string(&mut text)?,
            false => file.read_to_string(&mut text)?,
        };
        let recorded: Recorded = serde_json::from_str(&text)?;
        let first = json!([{"op": "add", "path": "/text", "value": recorded.start_content}]);
        let edits = recorded.txns.iter().map(|txn| txn.patches.iter().map(op).collect());
        Ok(Self { commands: std::iter::once(first).chain(edits).collect(), end: recorded.end_content })
    }

    /// Types the README character by character, with corrections: every seventh character is first typed wrong.
    pub(crate) fn of_our_readme() -> Self {
        let readme = include_str!("../../README.md");
        let mut commands = vec![json!([{"op": "add", "path": "/text", "value": ""}])];
        for (at, letter) in readme.chars().enumerate() {
            let at = at as u64;
            if at % 7 == 6 {
                commands.push(Value::Array(vec![op(&(at, 0, "✗".into()))]));
                commands.push(Value::Array(vec![op(&(at, 1, letter.into()))]));
            } else {
                commands.push(Value::Array(vec![op(&(at, 0, letter.into()))]));
            }
        }
        Self { commands, end: readme.into() }
    }
}

fn op((pos, deleted, inserted): &(u64, u64, String)) -> Value {
    match (deleted, inserted.is_empty()) {
        (0, _) => json!({"op": "insert_text", "path": "/text", "pos": pos, "text": inserted}),
        (len, true) => json!({"op": "delete_range", "path": "/text", "pos": pos, "len": len}),
        (len, false) => json!({"op": "replace_text_range", "path": "/text", "pos": pos, "len": len, "text": inserted}),
    }
}
