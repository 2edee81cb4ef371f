//! What tokens are issued with and checked against.

use std::{sync::Arc, time::Duration};

use engines_core::{Code, Error, Result};

/// Who issues our tokens, for whom, and how far clocks may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtSettings {
    /// `iss`: written, and required. Default `engines`.
    pub issuer: Arc<str>,
    /// `aud`: written, and a token must name one of them; empty (the default): neither.
    pub audience: Vec<Arc<str>>,
    /// How far clocks may differ; at most [`JwtSettings::MAX_LEEWAY`], which is the default.
    pub leeway: Duration,
}

impl Default for JwtSettings {
    fn default() -> Self {
        Self { issuer: "engines".into(), audience: Vec::new(), leeway: Self::MAX_LEEWAY }
    }
}

impl JwtSettings {
    /// The clock skew that is tolerated at the most.
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
