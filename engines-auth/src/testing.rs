//! Tokens for tests. Requires the feature `testing`, which must not be enabled in production.

use std::{collections::BTreeMap, time::Duration};

use engines_core::{Clock, IdGenerator, Result, Role, TenantId, UserId};

use crate::{AccessToken, JwtSettings, SigningSecret, TokenIssuer, TokenRequest};

/// The text of [`secret`]. It is public, so it protects nothing.
pub const SECRET: &str = "a secret for tests, at least 32 bytes long";

/// Returns a signing secret for tests.
///
/// # Errors
/// None at present: [`SECRET`] is long enough.
pub fn secret() -> Result<SigningSecret> {
    SigningSecret::new(SECRET)
}

/// Mints a token under [`SECRET`] that expires after an hour by `clock`. The first tenant is the default one.
///
/// ```
/// use std::sync::Arc;
/// use engines_auth::{JwtSettings, TokenVerifier, testing};
/// use engines_core::{Role, SystemClock};
/// let token = testing::token("ada", &[("t_acme", Role::Member)], Arc::new(SystemClock))?;
/// let verifier = TokenVerifier::new(&testing::secret()?, JwtSettings::default(), Arc::new(SystemClock))?;
/// assert_eq!(verifier.verify(token.expose())?.actor.id.as_str(), "ada");
/// # Ok::<(), engines_core::Error>(())
/// ```
///
/// # Errors
/// When the user or a tenant is malformed.
pub fn token(user: &str, memberships: &[(&str, Role)], clock: std::sync::Arc<dyn Clock>) -> Result<AccessToken> {
    let mut request = TokenRequest::new(UserId::new(user)?, Duration::from_secs(3600));
    let known = memberships.iter().map(|(tenant, role)| Ok((TenantId::new(tenant)?, *role)));
    request.memberships = known.collect::<Result<BTreeMap<_, _>>>()?;
    request.default_tenant = memberships.first().map(|(tenant, _)| TenantId::new(tenant)).transpose()?;
    TokenIssuer::new(&secret()?, JwtSettings::default(), clock, IdGenerator::from_os()?)?.issue(&request)
}
