//! Rules that map claims to roles.

use std::collections::BTreeMap;

use engines_core::{Role, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A rule: a token whose `claim` has `value` gets `role` in `tenant_id`. If several rules match, the highest role
/// applies.
///
/// A claim has a value when it is that text, an array with it, or, for `scope`, a list separated by spaces (RFC 8693
/// section 4.2). Text is compared byte for byte; there are no patterns.
///
/// ```
/// use engines_auth::oidc::RoleRule;
/// let rules: Vec<RoleRule> = serde_json::from_str(
///     r#"[{"claim":"cognito:groups","value":"acme-admins","tenant_id":"t_acme","role":"admin"}]"#,
/// )?;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRule {
    /// The name of a top-level claim, such as `cognito:groups`.
    pub claim: String,
    /// The value that the claim must have.
    pub value: String,
    /// The tenant of the membership.
    pub tenant_id: TenantId,
    /// The role of the membership.
    pub role: Role,
}

/// Returns the memberships that `rules` yield for `claims`.
pub(super) fn memberships(rules: &[RoleRule], claims: &Map<String, Value>) -> BTreeMap<TenantId, Role> {
    let mut found = BTreeMap::new();
    for rule in rules.iter().filter(|rule| rule.matches(claims)) {
        let role = found.entry(rule.tenant_id.clone()).or_insert(rule.role);
        *role = rule.role.max(*role);
    }
    found
}

impl RoleRule {
    fn matches(&self, claims: &Map<String, Value>) -> bool {
        match claims.get(&self.claim) {
            Some(Value::String(text)) if self.claim == "scope" => text.split(' ').any(|part| part == self.value),
            Some(Value::String(text)) => *text == self.value,
            Some(Value::Array(values)) => values.iter().any(|value| value.as_str() == Some(&self.value)),
            _ => false,
        }
    }
}
