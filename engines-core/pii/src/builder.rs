//! The builder of scrubbers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::allow_list::AllowList;
use super::detector::{Detector, DetectorBudget};
use super::entity::{Entity, EntityKind};
use super::error::PolicyError;
use super::key::PiiKey;
use super::policy::Policy;
use super::replacement::OperatorKeys;
use super::rule_table::{ANY_ENTITY, RuleTable};
use super::scan::deny_list::DenyList;
use super::scan::findings::FIRST_CUSTOM_KIND;
use super::scrubber::{Scrubber, ScrubberParts};
use super::vault::Vault;

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
    /// The default of [`max_bytes`](Self::max_bytes): 64 MiB.
    pub const MAX_BYTES: usize = 64 * 1024 * 1024;
    /// The default of [`max_depth`](Self::max_depth).
    pub const MAX_DEPTH: usize = 64;

    /// Starts from an existing scrubber, with another policy.
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

    /// Sets the policy; [`Policy::default`] masks everything.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the tenant's key for hashes and pseudonyms.
    pub fn key(mut self, key: PiiKey) -> Self {
        self.keys.tenant = Some(key);
        self
    }

    /// Sets the key for sealed values.
    pub fn vault_key(mut self, key: PiiKey) -> Self {
        self.keys.vault = Some(Vault::new(key));
        self
    }

    /// Adds a custom detector. Detectors run in the order in which they were added.
    pub fn detector(mut self, detector: impl Detector + 'static) -> Self {
        self.detectors.push(Arc::new(detector));
        self
    }

    /// Sets how long the detectors may take for one text, measured by a monotonic clock of the caller.
    pub fn budget(mut self, limit: Duration, now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.budget = Some(DetectorBudget { limit, now: Arc::new(now), started_at: Duration::ZERO });
        self
    }

    /// Sets the most bytes of a text; values above 1 GiB count as 1 GiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes.min(1 << 30);
        self
    }

    /// Sets how deeply JSON may be nested; values above 512 count as 512.
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.max_depth = levels.min(512);
        self
    }

    /// Compiles the scrubber.
    ///
    /// # Errors
    ///
    /// [`PolicyError`](super::PolicyError) when the policy names an unknown entity, or needs a key that was not set.
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

impl Scrubber {
    /// Makes a builder with the default policy.
    pub fn builder() -> ScrubberBuilder {
        ScrubberBuilder::default()
    }
}
