//! Our own access tokens: JSON Web Tokens (RFC 7519) under HMAC with SHA-256, read as RFC 8725 advises.
//!
//! The `jsonwebtoken` crate computes the signature. This module reads the rest, because a header must not influence the
//! verification. The algorithm is fixed. A name that occurs twice is refused, also if it is written with escapes. So is
//! every parameter that brings its own key or changes what is signed.

pub(crate) mod claim_checks;
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
mod verifying_key;

pub(crate) use self::jws::invalid_token;
pub use self::{
    header::TokenType,
    issuer::{AccessToken, TokenIssuer, TokenRequest},
    keys::{SigningKey, SigningKeys},
    settings::JwtSettings,
    verifier::TokenVerifier,
};
