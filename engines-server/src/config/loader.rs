//! Reads the settings in layers: defaults, the TOML file, environment variables, flags.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use config::{Config, ConfigBuilder, Environment, File, FileFormat, builder::DefaultState};
use serde_json::Value;

use super::Settings;

/// The prefix of environment variables that are settings.
const PREFIX: &str = "ENGINES_";
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
    layers.push(("environment".into(), Config::builder().add_source(environment(variables, &lists))));
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

fn environment(variables: &BTreeMap<String, String>, lists: &[String]) -> Environment {
    let ours = variables.iter().filter(|(name, _)| name.starts_with(PREFIX) && *name != CONFIG_VARIABLE);
    let environment = Environment::with_prefix(PREFIX.trim_end_matches('_'))
        .prefix_separator("_")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .source(Some(ours.map(|(name, value)| (name.clone(), value.clone())).collect()));
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
