//! Reads the settings in layers: defaults, the TOML file, environment variables, flags.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use config::{Config, ConfigBuilder, Environment, File, FileFormat, builder::DefaultState};
use schemars::schema_for;
use serde_json::Value;

use super::Settings;

/// Environment variables by name.
type Variables = HashMap<String, String>;

/// The JSON schema of the settings, which tells their types.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| schema_for!(Settings).to_value());

/// The prefix of environment variables that are settings.
const PREFIX: &str = "ENGINES_";
/// Separates the names of the tables and of the setting in a variable.
const SEPARATOR: &str = "__";
/// The variable that names the TOML file. It is no setting itself.
const CONFIG_VARIABLE: &str = "ENGINES_CONFIG";

/// The settings of the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--accept-loss`
    pub accept_loss: bool,
}

/// An error in the settings.
#[derive(Debug, thiserror::Error)]
#[error("{layer}: {detail}")]
pub struct SettingsError {
    layer: String,
    detail: String,
}

impl SettingsError {
    pub(super) fn new(layer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { layer: layer.into(), detail: detail.into() }
    }
}

/// Loads the settings. `variables` is the environment.
///
/// # Errors
/// A file that cannot be read, an unknown key or a value of the wrong type. Each error names the layer in which it
/// occurs.
pub fn load(flags: &Flags, variables: &BTreeMap<String, String>) -> Result<Settings, SettingsError> {
    let named = flags.config.clone().or_else(|| variables.get(CONFIG_VARIABLE).map(PathBuf::from));
    // The defaults are the lowest layer. If one key of a table such as `identity.per_address` is set, the others keep
    // their defaults.
    let settings = Settings::default();
    let lists = list_keys(&settings)?;
    let defaults =
        Config::try_from(&settings).map_err(|error| SettingsError::new("defaults", explain_error(&error)))?;
    let mut layers: Vec<(String, ConfigBuilder<DefaultState>)> = Vec::new();
    if let Some(path) = &named {
        layers.push((path.display().to_string(), file_source(path)?));
    }
    let (texts, others) = split_texts(variables);
    let environment = Config::builder()
        .add_source(environment(others, &lists))
        .add_source(environment(texts, &[]).try_parsing(false));
    layers.push(("environment".into(), environment));
    layers.push(("flags".into(), overrides(flags)?));

    let mut all = Config::builder().add_source(defaults.clone());
    for (layer, builder) in layers {
        // Each layer is first read alone over the defaults, so that an error names its layer.
        let config = builder.build().map_err(|error| SettingsError::new(&layer, error.to_string()))?;
        Config::builder()
            .add_source(defaults.clone())
            .add_source(config.clone())
            .build()
            .and_then(Config::try_deserialize::<Settings>)
            .map_err(|error| SettingsError::new(&layer, explain_error(&error)))?;
        all = all.add_source(config);
    }
    let mut settings: Settings = all
        .build()
        .and_then(Config::try_deserialize)
        .map_err(|error| SettingsError::new("settings", explain_error(&error)))?;
    settings.sqlite.accept_loss = flags.accept_loss;
    Ok(settings)
}

fn file_source(path: &Path) -> Result<ConfigBuilder<DefaultState>, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| SettingsError::new(path.display().to_string(), format!("cannot be read: {error}")))?;
    Ok(Config::builder().add_source(File::from_str(&text, FileFormat::Toml)))
}

/// Splits the variables that are settings into those whose setting is a text and the others. Texts are not parsed: the
/// text `007` would be read as a number and become `7`.
fn split_texts(variables: &BTreeMap<String, String>) -> (Variables, Variables) {
    let ours = variables.iter().filter(|(name, _)| name.starts_with(PREFIX) && *name != CONFIG_VARIABLE);
    ours.map(|(name, value)| (name.clone(), value.clone())).partition(|(name, _)| {
        let key = name.strip_prefix(PREFIX).unwrap_or_default().to_lowercase();
        is_text(&SCHEMA, key.split(SEPARATOR))
    })
}

/// Returns whether the setting at this path can only be a text.
fn is_text<'a>(root: &Value, path: impl Iterator<Item = &'a str>) -> bool {
    let mut found = vec![root];
    for name in path {
        let Some(schema) = found.iter().find_map(|schema| member(schema, name)) else { return false };
        found.clear();
        alternatives(root, schema, &mut found);
    }
    let texts = |value: &Value| match value {
        Value::Array(values) => values.iter().all(Value::is_string),
        value => value.is_string(),
    };
    let text = |schema: &&Value| match &schema["type"] {
        Value::String(name) => name == "string",
        Value::Array(names) => names.iter().all(|name| name == "string" || name == "null"),
        _ => ["const", "enum"].iter().any(|words| texts(&schema[words])),
    };
    let given: Vec<_> = found.into_iter().filter(|schema| schema["type"] != "null").collect();
    !given.is_empty() && given.iter().all(text)
}

/// Returns the schema of the member `name` of an object with this schema.
fn member<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let named = schema["properties"].get(name);
    named.or_else(|| schema.get("additionalProperties").filter(|schema| schema.is_object()))
}

/// Adds the alternatives of a schema to `into`, with references resolved.
fn alternatives<'a>(root: &'a Value, schema: &'a Value, into: &mut Vec<&'a Value>) {
    let reference = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    if let Some(schema) = reference.and_then(|pointer| root.pointer(pointer)) {
        return alternatives(root, schema, into);
    }
    let choices = ["anyOf", "oneOf", "allOf"].iter().find_map(|name| schema[name].as_array());
    match choices {
        Some(choices) => choices.iter().for_each(|schema| alternatives(root, schema, into)),
        None => into.push(schema),
    }
}

fn environment(variables: Variables, lists: &[String]) -> Environment {
    let environment = Environment::with_prefix(PREFIX.trim_end_matches('_'))
        .prefix_separator("_")
        .separator(SEPARATOR)
        .try_parsing(true)
        .list_separator(",")
        .source(Some(variables));
    lists.iter().fold(environment, |environment, key| environment.with_list_parse_key(key))
}

/// Returns the keys whose values are lists. In a variable, commas separate the elements.
fn list_keys(defaults: &Settings) -> Result<Vec<String>, SettingsError> {
    let settings = serde_json::to_value(defaults).map_err(|error| SettingsError::new("defaults", error.to_string()))?;
    let (mut lists, mut values) = (Vec::new(), vec![(String::new(), settings)]);
    while let Some((key, value)) = values.pop() {
        match value {
            Value::Array(_) => lists.push(key),
            Value::Object(table) => values.extend(table.into_iter().map(|(name, value)| match key.as_str() {
                "" => (name, value),
                table => (format!("{table}.{name}"), value),
            })),
            _ => {}
        }
    }
    Ok(lists)
}

fn overrides(flags: &Flags) -> Result<ConfigBuilder<DefaultState>, SettingsError> {
    let data = flags.data.as_ref().map(|path| path.to_string_lossy().into_owned());
    Config::builder()
        .set_override_option("listen", flags.listen.clone())
        .and_then(|builder| builder.set_override_option("data", data))
        .map_err(|error| SettingsError::new("flags", error.to_string()))
}

fn explain_error(error: &config::ConfigError) -> String {
    error.to_string()
}
