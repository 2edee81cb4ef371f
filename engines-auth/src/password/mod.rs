//! Passwords: the policy for new ones, and their hashes (argon2id, RFC 9106).

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
