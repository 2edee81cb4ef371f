//! Users of other issuers: OpenID Connect, AWS Cognito first.
//!
//! [`Oidc`] is an [`Authenticator`](crate::Authenticator). It accepts RS256 and ES256 tokens of the configured issuers
//! ([`IssuerSettings`], [`cognito`]) and checks them as strictly as our own. It retrieves the keys of issuers through a
//! [`JwksFetch`], and maps claims to roles by declarative rules ([`RoleRule`]). It can store the users that it sees
//! ([`ExternalUsers`], which [`Identity`](crate::Identity) implements).

mod authenticator;
mod claims;
pub mod cognito;
mod fetch;
#[cfg(feature = "oidc-http")]
mod http;
mod jwks;
mod mapping;
mod settings;
mod url;
mod users;

#[cfg(feature = "oidc-http")]
pub use self::http::HttpFetch;
pub use self::{
    authenticator::{Oidc, OidcBuilder},
    fetch::{FetchLimits, JwksFetch, KeySetResponse},
    jwks::JwksSettings,
    mapping::RoleRule,
    settings::{IssuerSettings, TokenKind},
    url::JwksUrl,
    users::{ExternalIdentity, ExternalUser, ExternalUsers},
};
