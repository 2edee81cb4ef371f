//! The token kind of API keys, and the operation that manages them.

use crate::identity::opaque_token::OpaqueTokenKind;

pub(super) const MANAGE: &str = "api_keys.manage";

/// The token kind of API keys.
pub(super) const API_KEY_TOKEN: OpaqueTokenKind = OpaqueTokenKind("ek");
