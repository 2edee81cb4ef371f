//! Passwords: what is accepted as one, and how one is kept (argon2id, RFC 9106).

mod common_passwords;
mod hash_queue;
mod hasher;
mod policy;
mod settings;

pub use self::{
    hasher::{PasswordHasher, Verification},
    policy::Password,
    settings::HashSettings,
};
