//! `token`: mints an access token.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc, time::Duration};

use engines::{
    ActorType, Clock, IdGenerator, SystemClock, TenantId, UserId,
    auth::{SigningSecret, TokenIssuer, TokenRequest},
};

use super::{TokenArgs, data_dir, error::CliError, terminal::print};
use crate::config::{self, Flags, Settings};

pub(super) fn run(args: &TokenArgs, variables: &BTreeMap<String, String>) -> Result<ExitCode, CliError> {
    let flags = Flags { config: args.config.clone(), data: args.data.clone(), ..Flags::default() };
    let settings = config::load(&flags, variables)?;
    let secret = match config::signing_secret(&settings, variables)? {
        Some(secret) => secret,
        None => data_dir::dev_secret(&settings)?.ok_or_else(|| {
            format!(
                "there is no signing secret: set {} or {}, or run `dev` first",
                config::SIGNING_SECRET,
                config::SIGNING_SECRET_FILE
            )
        })?,
    };
    print(&mint(&settings, &secret, args)?);
    Ok(ExitCode::SUCCESS)
}

/// Returns the token as text.
pub(super) fn mint(settings: &Settings, secret: &SigningSecret, args: &TokenArgs) -> Result<String, CliError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let issuer = TokenIssuer::new(secret, settings.auth.jwt(), clock, IdGenerator::from_os()?)?;
    let tenant = TenantId::new(&args.tenant).map_err(|error| error.detail().to_owned())?;
    let user = UserId::new(&args.user).map_err(|error| error.detail().to_owned())?;
    let mut request = TokenRequest::new(user, Duration::from_secs(args.ttl));
    request.memberships.insert(tenant.clone(), args.role.into());
    request.default_tenant = Some(tenant);
    if args.agent {
        request.actor_type = ActorType::Agent;
    }
    Ok(issuer.issue(&request).map_err(|error| error.detail().to_owned())?.expose().to_owned())
}
