//! The rules: each looks at a place the scanner stopped at and says whether something begins there.

pub(crate) mod address;
pub(crate) mod card;
mod chain;
pub(crate) mod check;
mod cli;
pub(crate) mod crypto;
pub(crate) mod date;
mod dial;
mod elsewhere;
pub(crate) mod email;
pub(crate) mod forward;
pub(crate) mod hash;
mod hyphen;
pub(crate) mod iban;
pub(crate) mod ids;
mod label;
mod look;
mod mask;
pub(crate) mod net;
pub(crate) mod number;
pub(crate) mod password;
pub(crate) mod pem;
pub(crate) mod phone;
mod postal;
mod prefix;
mod quick;
pub(crate) mod secret;
pub(crate) mod token;
pub(crate) mod url;

pub(crate) use mask::{MAX_TOKEN, carried, mask_at, mask_end};
pub(crate) use net::{address_begins, address_hex};
