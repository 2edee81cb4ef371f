//! Checks of registered claims that are the same for our own tokens and for those of other issuers.

use std::time::Duration;

use engines_core::{Code, Error, Result, Timestamp, UserId};

use super::{jws::invalid_token, numeric_date::NumericDate};

/// The claims about time (RFC 7519 sections 4.1.4 to 4.1.6).
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenDates {
    pub(crate) exp: Option<NumericDate>,
    pub(crate) nbf: Option<NumericDate>,
    pub(crate) iat: Option<NumericDate>,
}

/// The user and the expiry of a token that passed the checks.
#[derive(Debug)]
pub(crate) struct CheckedToken {
    pub(crate) sub: UserId,
    /// The leeway is included, because admission allows it: a context admitted within it must not expire at once.
    pub(crate) expires_at: Timestamp,
}

/// Checks that `iss` is the expected issuer.
pub(crate) fn check_issuer(iss: Option<&str>, expected: &str) -> Result<()> {
    if iss == Some(expected) {
        return Ok(());
    }
    Err(invalid_token("the token has no iss, or one that is not accepted here"))
}

/// Checks `is_for_us`, which says whether the token names one of the accepted audiences.
pub(crate) fn check_audience(is_for_us: bool) -> Result<()> {
    if is_for_us { Ok(()) } else { Err(invalid_token("the token is not for this audience")) }
}

/// Checks `sub` and the dates at `now`. The expiry is checked last, so that only an otherwise valid token is
/// `TOKEN_EXPIRED`.
pub(crate) fn check_subject_and_dates(
    sub: Option<&str>,
    dates: TokenDates,
    leeway: Duration,
    now: Timestamp,
) -> Result<CheckedToken> {
    let sub = sub.ok_or_else(|| invalid_token("the token has no sub"))?;
    let exp = dates.exp.ok_or_else(|| invalid_token("the token has no exp"))?.0;
    let latest = now.plus(leeway);
    if [dates.nbf, dates.iat].into_iter().flatten().any(|begin| begin.0 > latest) {
        return Err(invalid_token("the token is not valid yet"));
    }
    let sub =
        UserId::new(sub).map_err(|_| invalid_token("the token's sub must be 1 to 255 visible ASCII characters"))?;
    let expires_at = exp.plus(leeway);
    if now >= expires_at {
        return Err(Error::new(Code::TokenExpired, "auth.token", "the token has expired; get a new one"));
    }
    Ok(CheckedToken { sub, expires_at })
}
