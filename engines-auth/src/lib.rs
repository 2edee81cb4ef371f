//! Authentication and admission: who makes a request, and where the request may act.
//!
//! - [`SigningSecret`] and [`jwt`]: our own access tokens (HS256), issued and verified.
//! - [`oidc`]: users of other issuers, AWS Cognito first.
//! - [`key_slot`]: secrets of a tenant from third parties, sealed at rest.
//! - [`RootKey`]: the secret that stays the same for the lifetime of the store.
//! - [`Authenticator`]: the trait of one kind of credential. Several form a chain.
//! - [`api_key`], [`ticket`], [`password`]: the other credentials.
//! - [`mail`]: delivery of mails about accounts.
//! - [`Identity`]: users, tenants, memberships, sessions and invites on any store.
//! - [`control`]: rate limits of callers, and limits on open streams.
//! - [`Admission`]: turns what a request presents into a [`RequestContext`](engines_core::RequestContext), in the order
//!   of section 2 of the wire contract. It does not depend on HTTP: the HTTP layer fills in an [`AuthInput`].
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use engines_auth::{Admission, AuthInput, BodyClaims, FieldValues, JwtSettings, SigningSecret, TokenIssuer,
//! TokenRequest, TokenVerifier}; use engines_core::{Clock, IdGenerator, Role, SystemClock, TenantId, UserId};
//!
//! # futures_util::FutureExt::now_or_never(async {
//! let (clock, ids): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), IdGenerator::from_os()?);
//! let secret = SigningSecret::new("at least thirty-two bytes, kept out of the code")?;
//! let issuer = TokenIssuer::new(&secret, JwtSettings::default(), Arc::clone(&clock), ids.clone())?;
//! let verifier = TokenVerifier::new(&secret, JwtSettings::default(), Arc::clone(&clock))?;
//! let admission = Admission::builder(clock, ids).authenticator(verifier).build();
//!
//! let mut request = TokenRequest::new(UserId::new("ada")?, Duration::from_secs(900));
//! request.memberships.insert(TenantId::new("t_acme")?, Role::Member);
//! let bearer = format!("Bearer {}", issuer.issue(&request)?.expose());
//!
//! let input = AuthInput {
//!     authorization: FieldValues::one(&bearer),
//!     tenant_headers: FieldValues::one("t_acme"),
//!     env_headers: FieldValues::one("dev"),
//!     ..AuthInput::default()
//! };
//! let principal = admission.authenticate(&input).await?; // before the body is read
//! let context = admission.admit(&principal, &input, &BodyClaims::default()).await?;
//! assert_eq!(context.role(), Role::Member);
//! # Ok::<(), engines_core::Error>(()) }).expect("nothing to wait for")?;
//! # Ok::<(), engines_core::Error>(())
//! ```

mod admission;
mod aead;
mod auth_failure;
mod auth_input;
mod authenticator;
mod client_network;
pub mod control;
mod directory;
pub mod identity;
mod invisible_characters;
pub mod jwt;
pub mod key_slot;
pub mod mail;
mod network_queue;
pub mod oidc;
pub mod password;
mod rate_limiter;
mod revocation;
pub mod root_key;
mod sealed_root_key;
mod secret;
#[cfg(feature = "testing")]
pub mod testing;
mod token_buckets;

pub use self::{
    admission::{Admission, AdmissionBuilder, MonitoredSession},
    auth_failure::{AuthFailure, AuthFailureSink},
    auth_input::{AuthInput, BodyClaims, FieldValues},
    authenticator::{Authenticator, Credential},
    client_network::ClientNetwork,
    directory::Directory,
    identity::{Identity, api_key, ticket},
    jwt::{AccessToken, JwtSettings, SigningKey, SigningKeys, TokenIssuer, TokenRequest, TokenVerifier},
    revocation::{Revocation, RevocationFeed, Revocations},
    root_key::{DerivedKey, RootKey},
    sealed_root_key::Passphrase,
    secret::{SecretText, SigningSecret, same_bytes},
};
