//! Passwords: what is accepted as one, and how one is kept (argon2id, RFC 9106).

mod common;
mod hasher;
mod policy;
mod settings;

pub use self::{
    hasher::{PasswordHasher, Verdict},
    policy::Password,
    settings::HashSettings,
};
