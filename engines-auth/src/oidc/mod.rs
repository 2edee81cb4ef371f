//! Users of other issuers: OpenID Connect, AWS Cognito first.
//!
//! [`Oidc`] is an [`Authenticator`](crate::Authenticator) for the door's chain. It takes RS256 and ES256 tokens of the issuers in its
//! settings ([`IssuerSettings`], [`cognito`]), checks them as strictly as our own, gets the issuers' keys through a [`JwksFetch`],
//! gives roles by declarative rules ([`RoleRule`]), and may keep the users it sees
//! ([`ExternalUsers`], which [`Identity`](crate::Identity) is).

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
