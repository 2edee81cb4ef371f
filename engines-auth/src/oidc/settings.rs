//! Settings of issuers and of their accepted tokens.

use std::{sync::Arc, time::Duration};

use engines_core::{Code, Error, Result};

use super::{JwksUrl, RoleRule};
use crate::jwt::JwtSettings;

/// The kind of tokens that is accepted from an issuer. There is one kind for each issuer, because an id token must not
/// be used as an access token, nor the reverse (RFC 8725 section 2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Access tokens of AWS Cognito: `token_use` is `access`, and `client_id` is in the audience.
    CognitoAccess,
    /// Id tokens of AWS Cognito: `token_use` is `id`, and `aud` is one text in the audience.
    CognitoId,
    /// Access tokens by RFC 9068: `typ` is `at+jwt`, and `aud`, one text or several, names one of the audience.
    Access,
}

/// Settings of an issuer whose users are accepted.
#[derive(Debug, Clone)]
pub struct IssuerSettings {
    /// The `iss`, exactly as in its tokens.
    pub issuer: Arc<str>,
    /// The address of its keys.
    pub jwks: JwksUrl,
    /// The accepted audience: app clients for Cognito, otherwise `aud`. An empty audience accepts every app client of
    /// the pool; it is allowed for Cognito only.
    pub audience: Vec<Arc<str>>,
    /// The accepted kind of tokens.
    pub kind: TokenKind,
    /// The rules that map claims to roles.
    pub rules: Vec<RoleRule>,
    /// The tolerated clock skew, at most [`JwtSettings::MAX_LEEWAY`].
    pub leeway: Duration,
}

impl IssuerSettings {
    /// The largest number of rules of an issuer.
    pub const MAX_RULES: usize = 1000;

    /// Creates settings of an issuer of access tokens by RFC 9068 for this audience, with the default leeway and
    /// without rules.
    #[must_use]
    pub fn new(issuer: impl Into<Arc<str>>, jwks: JwksUrl, audience: impl Into<Arc<str>>) -> Self {
        Self {
            issuer: issuer.into(),
            jwks,
            audience: vec![audience.into()],
            kind: TokenKind::Access,
            rules: Vec::new(),
            leeway: JwtSettings::MAX_LEEWAY,
        }
    }

    pub(super) fn validated(self) -> Result<Self> {
        if self.issuer.is_empty() || self.audience.iter().any(|audience| audience.is_empty()) {
            return Err(invalid_settings("an issuer and its audience must not be empty text"));
        }
        if self.kind == TokenKind::Access && self.audience.is_empty() {
            return Err(invalid_settings("an issuer needs an audience, or tokens for others would get in"));
        }
        if self.leeway > JwtSettings::MAX_LEEWAY {
            return Err(invalid_settings("the leeway of tokens is at most 30 seconds"));
        }
        if self.rules.len() > Self::MAX_RULES || self.rules.iter().any(|rule| rule.claim.is_empty()) {
            return Err(invalid_settings("an issuer has at most 1,000 rules, and each names a claim"));
        }
        Ok(self)
    }
}

pub(super) fn invalid_settings(detail: &'static str) -> Error {
    Error::new(Code::Internal, "oidc.settings", detail)
}
