//! Builds the engine of a server from its settings and secrets.

use std::collections::BTreeMap;

use engines::{
    Engine, IdGenerator,
    auth::{
        RootKey, SigningSecret,
        oidc::{HttpFetch, cognito},
    },
    core::pii::Scrubber,
};

use super::{data_dir::DataDir, error::CliError};
use crate::config::{self, Settings};

/// Builds the engine of a server. Without a data folder its data are in memory.
pub(super) async fn build_engine(
    settings: &Settings,
    secret: SigningSecret,
    data: Option<&DataDir>,
    variables: &BTreeMap<String, String>,
) -> Result<Engine, CliError> {
    let ids = IdGenerator::from_os()?;
    let root = match (config::root_key(settings, variables)?, data) {
        (Some(root), _) => root,
        (None, Some(data)) => data.root_key(&ids)?,
        // The data that it protects end with the process, too.
        (None, None) => RootKey::random(&ids),
    };
    let builder = Engine::builder()
        .signing_keys(config::signing_keys(settings, secret)?)
        .jwt(settings.auth.jwt())
        .root_key(root)
        .identity(settings.identity.clone())
        .rejections(settings.rejections.clone())
        .retention(settings.retention.clone())
        .limits(settings.limits.clone())
        .backups(settings.backup.clone())
        .rates(settings.rates.clone())
        .ids(ids);
    let builder = match config::backup_passphrase(settings, variables)? {
        Some(passphrase) => builder.backup_passphrase(passphrase),
        None => builder,
    };
    let builder = match config::system_key(settings, variables)? {
        Some(key) => builder.system_key(key),
        None => builder,
    };
    let builder = match config::seal_keys(settings, variables)? {
        Some(keys) => builder.seal_keys(keys),
        None => builder,
    };
    let builder = match config::vault_key(settings, variables)? {
        Some(key) => builder.scrubber(Scrubber::builder().vault_key(key).build()?),
        None => builder,
    };
    let password = config::mail_password(settings, variables)?;
    let builder = settings.mail.apply(builder, &settings.data, password.as_ref())?;
    let builder = match data {
        Some(data) => builder.sqlite_with(data.database(), settings.sqlite.options()).backup_work_folder(data.path()),
        None => builder.memory(),
    };
    let builder = match cognito::from_vars(|name| variables.get(name).cloned())? {
        Some(pool) => {
            tracing::info!(issuer = %pool.issuer, keys = pool.jwks.as_str(), "users of another issuer are accepted");
            builder.oidc(vec![pool], HttpFetch::new())
        }
        None => builder,
    };
    Ok(builder.build().await?)
}
