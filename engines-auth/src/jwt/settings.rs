//! Settings of issued and verified tokens.

use std::{sync::Arc, time::Duration};

use engines_core::{Code, Error, Result};

/// The issuer and the audience of our tokens, and the tolerated clock skew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtSettings {
    /// The `iss` of issued tokens, which verified tokens must have. Default: `engines`.
    pub issuer: Arc<str>,
    /// The `aud` of issued tokens. Verified tokens must name one of these. If it is empty (the default), `aud` is
    /// neither written nor checked.
    pub audience: Vec<Arc<str>>,
    /// The tolerated clock skew, at most [`JwtSettings::MAX_LEEWAY`], which is the default.
    pub leeway: Duration,
}

impl Default for JwtSettings {
    fn default() -> Self {
        Self { issuer: "engines".into(), audience: Vec::new(), leeway: Self::MAX_LEEWAY }
    }
}

impl JwtSettings {
    /// The largest tolerated clock skew.
    pub const MAX_LEEWAY: Duration = Duration::from_secs(30);

    pub(super) fn validated(self) -> Result<Self> {
        let refuse = |detail: &'static str| Err(Error::new(Code::Internal, "auth.settings", detail));
        if self.leeway > Self::MAX_LEEWAY {
            return refuse("the leeway of tokens is at most 30 seconds");
        }
        if self.issuer.is_empty() || self.audience.iter().any(|audience| audience.is_empty()) {
            return refuse("issuer and audience of tokens must not be empty text");
        }
        Ok(self)
    }
}
