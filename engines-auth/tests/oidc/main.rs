//! Users of other issuers, through the real admission and against an issuer that serves its keys over HTTP on loopback.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly, also in its helpers")]

mod claims;
#[cfg(feature = "oidc-http")]
mod cognito;
mod fixture;
mod forgery;
#[cfg(feature = "oidc-http")]
mod http;
mod keys;
mod mapping;
mod settings;
mod stand_in_issuer;
mod users;
