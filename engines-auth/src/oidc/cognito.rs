//! Settings of AWS Cognito from its usual environment variables.

use engines_core::Result;

use super::{IssuerSettings, JwksUrl, TokenKind, settings::invalid_settings};
use crate::jwt::JwtSettings;

/// Reads the settings of a user pool from these variables. Returns `None` when none of them names a pool.
///
/// | variable | meaning |
/// | --- | --- |
/// | `COGNITO_ISSUER` | `iss`; default: built from the next two |
/// | `COGNITO_REGION`, `COGNITO_USER_POOL_ID` | such as `eu-central-1` and `eu-central-1_AbC123` |
/// | `COGNITO_APP_CLIENT_ID` | accepted app clients, separated by commas; default: all of the pool |
/// | `COGNITO_TOKEN_USE` | `access` (the default) or `id` |
/// | `COGNITO_JWKS_URL` | the address of the keys; default: `<issuer>/.well-known/jwks.json` |
/// | `COGNITO_ROLE_RULES` | a JSON array of [`RoleRule`](super::RoleRule)s |
///
/// An empty variable counts as absent.
///
/// ```
/// let vars = |name: &str| match name {
///     "COGNITO_REGION" => Some("eu-central-1".to_owned()),
///     "COGNITO_USER_POOL_ID" => Some("eu-central-1_AbC123".to_owned()),
///     _ => None,
/// };
/// let pool = engines_auth::oidc::cognito::from_vars(vars)?.expect("a pool is named");
/// assert_eq!(&*pool.issuer, "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC123");
/// # Ok::<(), engines_core::Error>(())
/// ```
///
/// # Errors
/// When a pool is named in part, when issuer and pool, or region and pool, contradict each other, and for an invalid
/// value.
pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Result<Option<IssuerSettings>> {
    let get = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let pool = match (get("COGNITO_REGION"), get("COGNITO_USER_POOL_ID")) {
        (Some(region), Some(pool)) => Some(issuer(&region, &pool)?),
        (None, None) => None,
        // A region alone is often set for other programs.
        (Some(_), None) if get("COGNITO_ISSUER").is_some() => None,
        _ => return Err(invalid_settings("set COGNITO_REGION and COGNITO_USER_POOL_ID together, or COGNITO_ISSUER")),
    };
    let issuer = match (get("COGNITO_ISSUER"), pool) {
        (Some(issuer), Some(pool)) if issuer != pool => {
            return Err(invalid_settings("COGNITO_ISSUER is not the issuer of COGNITO_USER_POOL_ID; set one of them"));
        }
        (Some(issuer), _) | (None, Some(issuer)) => issuer,
        (None, None) => {
            // These variables without a pool are a mistake: none of the pool's users could be admitted.
            let parts = ["COGNITO_APP_CLIENT_ID", "COGNITO_TOKEN_USE", "COGNITO_JWKS_URL", "COGNITO_ROLE_RULES"];
            return match parts.into_iter().any(|part| get(part).is_some()) {
                true => {
                    Err(invalid_settings("COGNITO_* are set without a pool; set COGNITO_ISSUER, or region and pool id"))
                }
                false => Ok(None),
            };
        }
    };
    let jwks = get("COGNITO_JWKS_URL")
        .unwrap_or_else(|| format!("{}/.well-known/jwks.json", issuer.strip_suffix('/').unwrap_or(&issuer)));
    let kind = match get("COGNITO_TOKEN_USE").as_deref() {
        None | Some("access") => TokenKind::CognitoAccess,
        Some("id") => TokenKind::CognitoId,
        Some(_) => return Err(invalid_settings("COGNITO_TOKEN_USE must be `access` or `id`")),
    };
    let clients = get("COGNITO_APP_CLIENT_ID").unwrap_or_default();
    let rules = get("COGNITO_ROLE_RULES").map_or(Ok(Vec::new()), |rules| {
        serde_json::from_str(&rules).map_err(|_| {
            invalid_settings("COGNITO_ROLE_RULES must be a JSON array of {\"claim\",\"value\",\"tenant_id\",\"role\"}")
        })
    })?;
    let settings = IssuerSettings {
        issuer: issuer.into(),
        jwks: JwksUrl::new(&jwks)?,
        audience: clients.split(',').map(str::trim).filter(|client| !client.is_empty()).map(Into::into).collect(),
        kind,
        rules,
        leeway: JwtSettings::MAX_LEEWAY,
    };
    settings.validated().map(Some)
}

/// Returns the issuer of a user pool (AWS, "Verifying JSON web tokens").
fn issuer(region: &str, pool: &str) -> Result<String> {
    let plain = |text: &str, more: &[u8]| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte));
    if !plain(region, b"-") || !plain(pool, b"-_") {
        return Err(invalid_settings(
            "COGNITO_REGION and COGNITO_USER_POOL_ID must look like eu-central-1 and eu-central-1_AbC123",
        ));
    }
    if region_of(pool).is_some_and(|other| other != region) {
        return Err(invalid_settings("COGNITO_USER_POOL_ID is a pool of another region than COGNITO_REGION"));
    }
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    Ok(format!("https://cognito-idp.{region}.{domain}/{pool}"))
}

/// Returns the region that the id of a pool begins with, such as `eu-central-1_AbC123`. Ids of test servers may have
/// another form.
fn region_of(pool: &str) -> Option<&str> {
    let (region, _) = pool.split_once('_')?;
    let (place, number) = region.rsplit_once('-')?;
    let words = place.split('-').count() >= 2 && place.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    (words && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(region)
}
