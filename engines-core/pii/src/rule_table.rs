//! The operator and the lowest score of each kind of finding, compiled from a policy.

use std::collections::BTreeMap;

use super::entity::{Entity, EntityKind};
use super::error::PolicyError;
use super::policy::{Operator, Policy};
use super::replacement::OperatorKeys;
use super::scan::findings::FIRST_CUSTOM_KIND;

/// Stands for all entities in place of an entity's name.
pub(crate) const ANY_ENTITY: &str = "*";

/// For every kind: its operator and the lowest score of a finding.
#[derive(Debug, Clone)]
pub(crate) struct RuleTable {
    operators: Vec<Operator>,
    /// The lowest score in percent; above 100 the kind is never reported.
    min_scores: Vec<u8>,
    custom: Vec<(Operator, u8)>,
    /// The lowest score at which every finding counts.
    pub(crate) accepts_all: bool,
    /// The rules that mask every finding.
    pub(crate) all_masked: bool,
}

impl RuleTable {
    pub(super) fn new(policy: &Policy, over: Option<&BTreeMap<String, Operator>>, names: &[Entity]) -> Self {
        let one = |name: &str| {
            let rule = policy.entities.get(name).copied().unwrap_or_default();
            let operator = over.and_then(|o| o.get(name).copied()).or(rule.operator).unwrap_or(policy.default);
            let least = if rule.enabled { (rule.min_score * 100.0).round() as u8 } else { 255 };
            (operator, least)
        };
        let (operators, least): (Vec<_>, Vec<_>) = EntityKind::all().map(|kind| one(kind.name())).unzip();
        let custom: Vec<_> = names.iter().map(|entity| one(entity.name())).collect();
        let everything = least.iter().chain(custom.iter().map(|(_, least)| least)).all(|l| *l == 0);
        let all_masked =
            operators.iter().chain(custom.iter().map(|(operator, _)| operator)).all(|o| *o == Operator::Mask);
        Self { operators, min_scores: least, custom, accepts_all: everything, all_masked }
    }

    /// The same findings with one operator for all kinds.
    pub(super) fn with_operator(&self, operator: Operator) -> Self {
        let mut table = self.clone();
        table.operators.fill(operator);
        for (of_custom, _) in &mut table.custom {
            *of_custom = operator;
        }
        table.all_masked = operator == Operator::Mask;
        table
    }

    pub(super) fn check(&self, keys: &OperatorKeys, names: &[Entity]) -> Result<(), PolicyError> {
        let missing = |operator: Operator| match operator {
            Operator::Hash | Operator::Pseudonym => keys.tenant.is_none(),
            Operator::Seal => keys.vault.is_none(),
            _ => false,
        };
        for (kind, operator) in EntityKind::all().zip(&self.operators) {
            if missing(*operator) {
                return Err(PolicyError::KeyMissing { entity: kind.name().into() });
            }
        }
        for (name, (operator, _)) in names.iter().zip(&self.custom) {
            if missing(*operator) {
                return Err(PolicyError::KeyMissing { entity: name.name().into() });
            }
        }
        Ok(())
    }

    /// The operator of a kind, and the lowest score of a finding in percent.
    pub(crate) fn rule(&self, kind: u16) -> (Operator, u8) {
        let found = if kind >= FIRST_CUSTOM_KIND {
            self.custom.get(usize::from(kind - FIRST_CUSTOM_KIND)).copied()
        } else {
            self.operators.get(usize::from(kind)).copied().zip(self.min_scores.get(usize::from(kind)).copied())
        };
        found.unwrap_or((Operator::Mask, 0))
    }
}
