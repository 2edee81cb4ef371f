//! Our own access tokens: JSON Web Tokens (RFC 7519) under HMAC with SHA-256, read as RFC 8725 advises.
//!
//! The signature is the `jsonwebtoken` crate's. What stands around it is read here, because nothing may come from a token's
//! header but what is expected: the algorithm is pinned, a name that occurs twice is refused (also one written with escapes),
//! and so is every parameter that would bring its own key or change what is signed.

mod claims;
mod header;
mod issuer;
pub mod jwk;
pub mod jws;
mod keys;
pub(crate) mod numeric_date;
mod roca;
mod settings;
pub(crate) mod strict_json;
mod token_cache;
mod verifier;

pub(crate) use self::jws::invalid_token;
pub use self::{
    header::TokenType,
    issuer::{AccessToken, TokenIssuer, TokenRequest},
    keys::{SigningKey, SigningKeys},
    settings::JwtSettings,
    verifier::TokenVerifier,
};
