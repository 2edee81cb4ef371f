//! Scopes: a tenant and an environment. All stored data belongs to a scope, and keys are built from it only here.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    code::Code,
    error::{Error, Result},
    id::TenantId,
};

/// A deployment stage of a tenant's product. Data of one environment is invisible in the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Env {
    /// Development.
    Dev,
    /// Staging; `stage` is accepted as the same.
    Staging,
    /// Production.
    Prod,
}

impl Env {
    /// All environments.
    pub const ALL: [Self; 3] = [Self::Dev, Self::Staging, Self::Prod];

    /// The environment's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }
}

impl FromStr for Env {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = [("dev", Self::Dev), ("staging", Self::Staging), ("stage", Self::Staging), ("prod", Self::Prod)];
        known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, env)| env).ok_or_else(|| {
            Error::new(Code::EnvInvalid, "scope.env", "the environment must be dev, staging (or stage) or prod")
        })
    }
}

impl<'de> Deserialize<'de> for Env {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A tenant in an environment. Every store method takes a scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    tenant: TenantId,
    env: Env,
}

impl Scope {
    /// Makes the scope of `tenant` in `env`.
    #[must_use]
    pub const fn new(tenant: TenantId, env: Env) -> Self {
        Self { tenant, env }
    }

    /// The control plane's scope, for data that belongs to no single tenant: tenant 0 (`t_system`), production.
    ///
    /// # Errors
    /// Never in practice: the id is a constant that matches the pattern.
    pub fn system() -> Result<Self> {
        Ok(Self::new(TenantId::new("t_system")?, Env::Prod))
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The environment.
    #[must_use]
    pub fn env(&self) -> Env {
        self.env
    }

    /// The prefix of every key built from this scope, such as `t_acme/dev`.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("{}/{}", self.tenant, self.env)
    }

    /// A key for caches and maps: the scope, then `parts`, separated by `/`. Ids contain no `/`, so keys of two scopes
    /// never collide.
    #[must_use]
    pub fn key(&self, parts: &[&str]) -> String {
        let mut key = self.prefix();
        for part in parts {
            key.push('/');
            key.push_str(part);
        }
        key
    }

    /// A subject for message brokers, such as `engines.t_acme.dev.canvas.c1`. Dots in ids become `%2E`, so each part
    /// stays one token.
    #[must_use]
    pub fn subject(&self, parts: &[&str]) -> String {
        let mut subject = format!("engines.{}.{}", self.tenant, self.env);
        for part in parts {
            subject.push('.');
            subject.push_str(&part.replace('.', "%2E"));
        }
        subject
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.env)
    }
}
