//! Policies: how a tenant wants findings to be treated.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::PolicyError;

/// How a finding is replaced. The replacement never contains the value, except for the last characters of a partial
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operator {
    /// The entity: `[EMAIL_ADDRESS]`.
    #[default]
    Mask,
    /// The entity and the last four letters and digits of values that have at least nine: `[CREDIT_CARD:4242]`.
    Partial,
    /// The entity and 64 letters, `[EMAIL_ADDRESS:…]`: HMAC-SHA-256 under the tenant's key.
    Hash,
    /// The entity and 24 letters, `[EMAIL_ADDRESS:…]`: the same value has the same token within one tenant, and another
    /// in every other tenant.
    Pseudonym,
    /// The entity and capital letters, `[EMAIL_ADDRESS:…]`: the encrypted value, which a [`Vault`](super::Vault) with
    /// the vault key opens.
    Seal,
    /// The finding is removed without a replacement (`null` for a JSON number).
    Drop,
}

/// The rule for one entity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EntityRule {
    /// Whether the entity is removed; `false` leaves it in the text.
    pub enabled: bool,
    /// The operator; the policy's default if absent.
    pub operator: Option<Operator>,
    /// The lowest score, from 0 to 1; findings with a lower one are left in the text.
    pub min_score: f32,
}

impl Default for EntityRule {
    fn default() -> Self {
        Self { enabled: true, operator: None, min_score: 0.0 }
    }
}

/// The policy of one tenant.
///
/// ```
/// # use engines_pii::Policy;
/// let policy: Policy = serde_json::from_str(r#"{
///   "version": "2026-11-01",
///   "default": "mask",
///   "entities": {"CREDIT_CARD": {"operator": "partial"}, "IP_ADDRESS": {"enabled": false}},
///   "actions": {"export": {"EMAIL_ADDRESS": "pseudonym"}},
///   "allow": ["support@example.com", "@example.org"],
///   "no_training": ["SECRET_PASSWORD"],
///   "deny": ["Project Nightfall"]
/// }"#)?;
/// # assert_eq!(policy.version, "2026-11-01");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// The version, which is written into every report: 1 to 64 letters, digits, `.`, `_`, `-`.
    pub version: String,
    /// The operator of entities that have none of their own.
    pub default: Operator,
    /// The rules by name of entity.
    pub entities: BTreeMap<String, EntityRule>,
    /// Operators that differ for one action (`store`, `export`, `log`, …), by entity name; see
    /// [`Scrubber::for_action`](super::Scrubber::for_action).
    pub actions: BTreeMap<String, BTreeMap<String, Operator>>,
    /// Values that are left in the text, compared case-insensitively; `@example.org` allows every mailbox of that
    /// domain.
    pub allow: Vec<String>,
    /// Entities of which one finding excludes the event from training although the finding is removed; `*` for any
    /// finding. An entity that is left in the text (`enabled: false`) is not found and excludes nothing.
    pub no_training: Vec<String>,
    /// Terms that are always removed as `DENY_LIST`: whole words, without regard to the case of ASCII letters.
    pub deny: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            version: "default-1".into(),
            default: Operator::Mask,
            entities: BTreeMap::new(),
            actions: BTreeMap::new(),
            allow: Vec::new(),
            no_training: Vec::new(),
            deny: Vec::new(),
        }
    }
}

impl Policy {
    /// The most entries of each list.
    pub const MAX_ENTRIES: usize = 10_000;
    /// The longest term of the deny list, in bytes.
    pub const MAX_TERM_BYTES: usize = 128;

    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if !(1..=64).contains(&self.version.len()) || !self.version.bytes().all(plain) {
            return Err(PolicyError::Version);
        }
        for (what, len) in [
            ("entities", self.entities.len()),
            ("actions", self.actions.len()),
            ("allow", self.allow.len()),
            ("no_training", self.no_training.len()),
            ("deny", self.deny.len()),
        ] {
            if len > Self::MAX_ENTRIES {
                return Err(PolicyError::TooMany { what, limit: Self::MAX_ENTRIES });
            }
        }
        for term in self.deny.iter().chain(&self.allow) {
            if !(1..=Self::MAX_TERM_BYTES).contains(&term.len()) {
                return Err(PolicyError::TooMany { what: "bytes of a term", limit: Self::MAX_TERM_BYTES });
            }
        }
        for (name, rule) in &self.entities {
            if !(0.0..=1.0).contains(&rule.min_score) {
                return Err(PolicyError::Score(name.clone()));
            }
        }
        Ok(())
    }
}
