//! Which issuers, and which of their tokens.

use std::{sync::Arc, time::Duration};

use engines_core::{Code, Error, Result};

use super::{JwksUrl, RoleRule};
use crate::jwt::JwtSettings;

/// Which kind of an issuer's tokens gets in. One kind only: an id token is no access token, nor the other way round
/// (RFC 8725 section 2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// AWS Cognito's access tokens: `token_use` is `access`, and `client_id` is one of the audience.
    CognitoAccess,
    /// AWS Cognito's id tokens: `token_use` is `id`, and `aud`, one text, is one of the audience.
    CognitoId,
    /// Access tokens after RFC 9068: `typ` is `at+jwt`, and `aud`, a text or several, names one of the audience.
    Access,
}

/// An issuer whose users may come in.
#[derive(Debug, Clone)]
pub struct IssuerSettings {
    /// `iss`, exactly as its tokens have it.
    pub issuer: Arc<str>,
    /// Where its keys are.
    pub jwks: JwksUrl,
    /// For whom its tokens must be: app clients for Cognito, `aud` else. Empty, which only Cognito's may be: every app client of the pool.
    pub audience: Vec<Arc<str>>,
    /// Which of its tokens.
    pub kind: TokenKind,
    /// Which of their claims give which role where.
    pub rules: Vec<RoleRule>,
    /// How far clocks may differ; at most [`JwtSettings::MAX_LEEWAY`].
    pub leeway: Duration,
}

impl IssuerSettings {
    /// The most rules of an issuer.
    pub const MAX_RULES: usize = 1000;

    /// An issuer of access tokens after RFC 9068 for this audience, with the usual leeway and without rules.
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
