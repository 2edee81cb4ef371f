//! Building a scrubber.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::detector::{Detector, DetectorBudget};
use super::entity::{Entity, EntityKind};
use super::error::PolicyError;
use super::key::PiiKey;
use super::policy::{Operator, Policy};
use super::replacement::OperatorKeys;
use super::scan::findings::FIRST_CUSTOM_KIND;
use super::scrubber::{Scrubber, ScrubberParts};
use super::term_lists::{AllowList, DenyList};
use super::vault::Vault;

/// In place of an entity's name: all of them.
pub(crate) const ANY_ENTITY: &str = "*";

/// Builds a [`Scrubber`].
#[must_use = "call build()"]
pub struct ScrubberBuilder {
    policy: Policy,
    keys: OperatorKeys,
    detectors: Vec<Arc<dyn Detector>>,
    budget: Option<DetectorBudget>,
    max_bytes: usize,
    max_depth: usize,
}

impl Default for ScrubberBuilder {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            keys: OperatorKeys::default(),
            detectors: Vec::new(),
            budget: None,
            max_bytes: Self::MAX_BYTES,
            max_depth: Self::MAX_DEPTH,
        }
    }
}

impl ScrubberBuilder {
    /// The longest text that is taken unless [`max_bytes`](Self::max_bytes) says otherwise: 64 MiB.
    pub const MAX_BYTES: usize = 64 * 1024 * 1024;
    /// How deeply JSON may be nested unless [`max_depth`](Self::max_depth) says otherwise.
    pub const MAX_DEPTH: usize = 64;

    /// What there is, under another policy.
    pub(super) fn from_inner(inner: &ScrubberParts, policy: Policy) -> Self {
        Self {
            policy,
            keys: inner.keys.clone(),
            detectors: inner.detectors.clone(),
            budget: inner.budget.clone(),
            max_bytes: inner.max_bytes,
            max_depth: inner.max_depth,
        }
    }

    /// What to do with what is found; [`Policy::default`] masks everything.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The tenant's key for hashes and pseudonyms.
    pub fn key(mut self, key: PiiKey) -> Self {
        self.keys.tenant = Some(key);
        self
    }

    /// The key for sealed values.
    pub fn vault_key(mut self, key: PiiKey) -> Self {
        self.keys.vault = Some(Vault::new(key));
        self
    }

    /// Adds a detector of one's own; they run in the order they were added.
    pub fn detector(mut self, detector: impl Detector + 'static) -> Self {
        self.detectors.push(Arc::new(detector));
        self
    }

    /// How long the detectors may take for one text, by a monotonic clock of the caller's.
    pub fn budget(mut self, limit: Duration, now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.budget = Some(DetectorBudget { limit, now: Arc::new(now), started_at: Duration::ZERO });
        self
    }

    /// The longest text that is taken, in bytes; at most 1 GiB counts.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes.min(1 << 30);
        self
    }

    /// How deeply JSON may be nested; at most 512 counts.
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.max_depth = levels.min(512);
        self
    }

    /// Compiles everything.
    ///
    /// # Errors
    ///
    /// A policy that names what is not there, or needs a key that was not given.
    pub fn build(self) -> Result<Scrubber, PolicyError> {
        self.policy.check()?;
        let mut names: Vec<Entity> = Vec::new();
        for detector in &self.detectors {
            for entity in detector.entities() {
                if matches!(entity, Entity::Custom(_))
                    && !names.contains(&entity)
                    && names.len() < usize::from(FIRST_CUSTOM_KIND)
                {
                    names.push(entity);
                }
            }
        }
        let known = |name: &str| EntityKind::from_name(name).is_some() || names.iter().any(|e| e.name() == name);
        let used = self.policy.entities.keys().chain(self.policy.actions.values().flat_map(BTreeMap::keys));
        let unlearned = self.policy.no_training.iter().filter(|name| *name != ANY_ENTITY);
        for name in used.chain(unlearned) {
            if !known(name) {
                return Err(PolicyError::UnknownEntity(name.clone()));
            }
        }
        let table = RuleTable::new(&self.policy, None, &names);
        let actions: BTreeMap<String, Arc<RuleTable>> = self
            .policy
            .actions
            .iter()
            .map(|(action, over)| (action.clone(), Arc::new(RuleTable::new(&self.policy, Some(over), &names))))
            .collect();
        for table in std::iter::once(&table).chain(actions.values().map(|t| &**t)) {
            table.check(&self.keys, &names)?;
        }
        let inner = ScrubberParts {
            version: self.policy.version.as_str().into(),
            actions,
            deny: DenyList::new(&self.policy.deny)?,
            allowed: AllowList::new(&self.policy.allow),
            keys: self.keys,
            detectors: self.detectors,
            detector_entities: names,
            budget: self.budget,
            max_bytes: self.max_bytes,
            max_depth: self.max_depth,
            policy: Arc::new(self.policy),
        };
        Ok(Scrubber { inner: Arc::new(inner), table: Arc::new(table) })
    }
}

/// For every kind: what is done with it, and how sure a finding has to be.
#[derive(Debug, Clone)]
pub(crate) struct RuleTable {
    operators: Vec<Operator>,
    /// In percent; above 100 the kind is left alone.
    min_scores: Vec<u8>,
    custom: Vec<(Operator, u8)>,
    /// Every finding counts.
    pub(crate) accepts_all: bool,
    /// Every finding is masked.
    pub(crate) all_masked: bool,
}

impl RuleTable {
    fn new(policy: &Policy, over: Option<&BTreeMap<String, Operator>>, names: &[Entity]) -> Self {
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

    /// The same findings, all with one operator.
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

    /// What is done with a kind, and how sure a finding has to be, in percent.
    pub(crate) fn rule(&self, kind: u16) -> (Operator, u8) {
        let found = if kind >= FIRST_CUSTOM_KIND {
            self.custom.get(usize::from(kind - FIRST_CUSTOM_KIND)).copied()
        } else {
            self.operators.get(usize::from(kind)).copied().zip(self.min_scores.get(usize::from(kind)).copied())
        };
        found.unwrap_or((Operator::Mask, 0))
    }
}
