//! The reference of all settings, generated from the types and their doc comments.

use std::fmt::{self, Write};

use schemars::schema_for;
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::{SECRET_VARIABLES, Settings};

/// The longest line of a comment, in columns.
const MAX_COLUMNS: usize = 100;

/// A setting.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingEntry {
    /// The names of its tables, and its own name: `["http", "head_bytes"]`.
    pub path: Vec<String>,
    /// Its doc comment on one line. Empty if it has none.
    pub comment: String,
    /// Its default as TOML. `None` if it is not set by default.
    pub default: Option<String>,
    /// The allowed words with their meanings, if the setting is one of a few words.
    pub choices: Vec<(String, String)>,
}

/// A table of settings, without the tables in it.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingTable {
    /// The names of the tables around it, and its own name. Empty for the outermost table.
    pub path: Vec<String>,
    /// Its doc comment on one line.
    pub comment: String,
    /// Its settings, in the order of their fields.
    pub entries: Vec<SettingEntry>,
}

impl SettingEntry {
    /// Returns the name with its tables: `http.head_bytes`.
    #[must_use]
    pub fn key(&self) -> String {
        self.path.join(".")
    }

    /// Returns the variable that sets it: `ENGINES_HTTP__HEAD_BYTES`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("ENGINES_{}", self.path.join("__").to_uppercase())
    }
}

/// A JSON value that keeps the order of members.
enum OrderedValue {
    Table(Vec<(String, OrderedValue)>),
    Value(Value),
}

impl<'de> Deserialize<'de> for OrderedValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = OrderedValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<OrderedValue, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(OrderedValue::Table(members))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<OrderedValue, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(OrderedValue::Value(Value::Array(items)))
            }
            fn visit_unit<E>(self) -> Result<OrderedValue, E> {
                Ok(OrderedValue::Value(Value::Null))
            }
            fn visit_bool<E>(self, value: bool) -> Result<OrderedValue, E> {
                Ok(OrderedValue::Value(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<OrderedValue, E> {
                Ok(OrderedValue::Value(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<OrderedValue, E> {
                Ok(OrderedValue::Value(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<OrderedValue, E> {
                Ok(OrderedValue::Value(value.into()))
            }
            fn visit_str<E>(self, value: &str) -> Result<OrderedValue, E> {
                Ok(OrderedValue::Value(value.into()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Returns all settings by table, in the order of their fields.
///
/// # Errors
/// The default settings cannot be serialized, which a test excludes.
pub fn tables() -> serde_json::Result<Vec<SettingTable>> {
    let schema = schema_for!(Settings).to_value();
    let text = serde_json::to_string(&Settings::default())?;
    let defaults: OrderedValue = serde_json::from_str(&text)?;
    let mut tables = Vec::new();
    collect_tables(&schema, &schema, &defaults, Vec::new(), String::new(), &mut tables);
    Ok(tables)
}

/// Adds a table and the tables in it.
fn collect_tables(
    root: &Value,
    schema: &Value,
    defaults: &OrderedValue,
    path: Vec<String>,
    comment: String,
    tables: &mut Vec<SettingTable>,
) {
    let OrderedValue::Table(members) = defaults else { return };
    let (mut entries, mut inner) = (Vec::new(), Vec::new());
    for (name, default) in members {
        let property = &schema["properties"][name];
        let referred = resolve(root, property);
        let path: Vec<_> = path.iter().cloned().chain([name.clone()]).collect();
        // The comment of a field is more specific than the comment of its type.
        let comment = [property, referred].into_iter().find_map(|schema| schema["description"].as_str());
        let comment = comment.map(one_line).unwrap_or_default();
        match default {
            OrderedValue::Table(_) => inner.push((referred, default, path, comment)),
            OrderedValue::Value(value) => {
                entries.push(SettingEntry { path, comment, default: toml(value), choices: choices(root, property) });
            }
        }
    }
    tables.push(SettingTable { path, comment, entries });
    for (schema, default, path, comment) in inner {
        collect_tables(root, schema, default, path, comment, tables);
    }
}

/// Resolves a schema that refers to another one.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().or_else(|| {
        let options = schema["anyOf"].as_array()?;
        options.iter().find_map(|option| option["$ref"].as_str())
    });
    match reference.and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => root.pointer(pointer).unwrap_or(schema),
        None => schema,
    }
}

/// Returns the words that are allowed for a setting, with their meanings.
fn choices(root: &Value, schema: &Value) -> Vec<(String, String)> {
    let schema = resolve(root, schema);
    let mut found = Vec::new();
    let word = |value: &Value| value.as_str().map(str::to_owned);
    for option in schema["oneOf"].as_array().into_iter().flatten() {
        let meaning = option["description"].as_str().map(one_line).unwrap_or_default();
        found.extend(word(&option["const"]).map(|word| (word, meaning.clone())));
        found.extend(
            option["enum"].as_array().into_iter().flatten().filter_map(word).map(|word| (word, meaning.clone())),
        );
    }
    found.extend(schema["enum"].as_array().into_iter().flatten().filter_map(word).map(|word| (word, String::new())));
    found
}

/// Formats a default as TOML. For all types of settings, JSON is valid TOML.
fn toml(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        value => Some(value.to_string()),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Formats all settings as a TOML file with comments. All values are the defaults.
///
/// # Errors
/// Returns the errors of [`tables`].
pub fn to_toml() -> serde_json::Result<String> {
    let mut text = String::from(
        "# All settings of engines-server with their defaults. Keep the lines that you change. A variable sets a key too:\n\
         # ENGINES_HTTP__HEAD_BYTES is head_bytes of the table [http]. Secrets have their own variables and files.\n",
    );
    for SettingTable { path, comment, entries } in tables()? {
        if !path.is_empty() {
            text.push('\n');
            push_comment(&mut text, &comment);
            let _ = writeln!(text, "[{}]", path.join("."));
        }
        for entry in entries {
            text.push('\n');
            push_comment(&mut text, &entry.comment);
            for (word, meaning) in &entry.choices {
                push_comment(&mut text, format!("{}: {meaning}", Value::from(word.as_str())).trim_end_matches(": "));
            }
            let name = entry.path.last().map(String::as_str).unwrap_or_default();
            let _ = match &entry.default {
                Some(default) => writeln!(text, "{name} = {default}"),
                None => writeln!(text, "# Not set by default.\n# {name} ="),
            };
        }
    }
    Ok(text)
}

fn push_comment(text: &mut String, comment: &str) {
    let mut column = 0;
    for word in comment.split(' ').filter(|word| !word.is_empty()) {
        if column > 0 && column + 1 + word.len() > MAX_COLUMNS {
            text.push('\n');
            column = 0;
        }
        if column == 0 {
            text.push('#');
            column = 1;
        }
        text.push(' ');
        text.push_str(word);
        column += 1 + word.len();
    }
    if column > 0 {
        text.push('\n');
    }
}

/// Formats all settings as a page of the documentation.
///
/// # Errors
/// Returns the errors of [`tables`].
pub fn to_markdown() -> serde_json::Result<String> {
    let mut text = String::from(
        "# Configuration\n\n\
         For operators of the server. `engines-server settings --markdown` prints this page from the settings themselves.\n\n\
         Settings come from defaults, then a TOML file (`--config FILE` or `ENGINES_CONFIG`), then variables, then flags.\n\
         `engines-server settings` prints a TOML file with all of them. An unknown key is refused.\n",
    );
    for SettingTable { path, comment, entries } in tables()? {
        if entries.is_empty() {
            continue;
        }
        let heading = if path.is_empty() { "Outside of tables".to_owned() } else { format!("`[{}]`", path.join(".")) };
        let _ = writeln!(text, "\n## {heading}\n");
        if !path.is_empty() && !comment.is_empty() {
            push_lines(&mut text, "", &comment);
            text.push('\n');
        }
        for entry in entries {
            let name = entry.path.last().map(String::as_str).unwrap_or_default();
            let default = entry.default.as_ref().map_or("not set".to_owned(), |default| format!("`{default}`"));
            push_lines(&mut text, "- ", &format!("**`{name}`**, {default}, `{}`.", entry.variable()));
            push_lines(&mut text, "  ", &entry.comment);
            for (word, meaning) in &entry.choices {
                push_lines(&mut text, "  - ", format!("`{word}`: {meaning}").trim_end_matches(": "));
            }
        }
    }
    text.push_str("\n## Secrets\n\nNo flag takes a secret, because other users of the machine can see flags.\n\n");
    for (variable, meaning) in SECRET_VARIABLES {
        push_lines(&mut text, "- ", &format!("`{variable}`, or a file that `{variable}_FILE` names: {meaning}."));
    }
    Ok(text)
}

/// Adds a paragraph or list item, wrapped to a bounded length.
fn push_lines(text: &mut String, first: &str, words: &str) {
    let indent = " ".repeat(first.len());
    let mut line = first.to_owned();
    let mut empty = true;
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        if !empty && line.len() + 1 + word.len() > MAX_COLUMNS {
            text.push_str(line.trim_end());
            text.push('\n');
            line = indent.clone();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}
