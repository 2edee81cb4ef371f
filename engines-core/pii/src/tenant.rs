//! Scrubbers for many tenants: the same detectors, limits and lists with another policy, key or operator.

use std::sync::Arc;

use super::builder::ScrubberBuilder;
use super::error::PolicyError;
use super::key::{PiiKey, encode_letters};
use super::policy::{Operator, Policy};
use super::replacement::OperatorKeys;
use super::scrubber::{Scrubber, ScrubberParts};
impl Scrubber {
    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// Whether the scrubber has a key for hashes and pseudonyms.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.inner.keys.tenant.is_some()
    }

    /// The same scrubber with a key for hashes and pseudonyms.
    #[must_use]
    pub fn with_key(&self, key: PiiKey) -> Self {
        let keys = OperatorKeys { tenant: Some(key), vault: self.inner.keys.vault.clone() };
        self.with_keys(keys)
    }

    /// The same scrubber with keys of one tenant, derived from its own, so that a value has different tokens in each
    /// tenant.
    #[must_use]
    pub fn for_tenant(&self, tenant: &str) -> Self {
        let keys = &self.inner.keys;
        self.with_keys(OperatorKeys {
            tenant: keys.tenant.as_ref().map(|key| key.for_tenant(tenant)),
            vault: keys.vault.as_ref().map(|vault| vault.for_tenant(tenant)),
        })
    }

    /// Letters that identify a text and do not reveal it, as a key to look it up by. They are made under the tenant's
    /// key; without a key they are only a hash, and texts that are easy to guess can be found by trying.
    #[must_use]
    pub fn lookup_token(&self, text: &str) -> String {
        let mut out = String::with_capacity(64);
        encode_letters(&mut out, &self.mac(b"engines.pii.opaque.v1", text.as_bytes()), b'a');
        out
    }

    /// The HMAC-SHA-256 of `bytes` under the tenant's key, to recognise data that was sent before without keeping a
    /// copy of it.
    #[must_use]
    pub fn keyed_hash(&self, bytes: &[u8]) -> [u8; 32] {
        self.mac(b"engines.pii.sent.v1", bytes)
    }

    fn mac(&self, purpose: &[u8], bytes: &[u8]) -> [u8; 32] {
        let none = PiiKey::new([]);
        *self.inner.keys.tenant.as_ref().unwrap_or(&none).mac(&[purpose, bytes])
    }

    fn with_keys(&self, keys: OperatorKeys) -> Self {
        let inner = ScrubberParts { keys, ..ScrubberParts::clone(&self.inner) };
        Self { inner: Arc::new(inner), table: Arc::clone(&self.table) }
    }

    /// The same scrubber with one operator for all findings.
    ///
    /// # Errors
    ///
    /// [`PolicyError::KeyMissing`] when the operator needs a key that is not set.
    pub fn with_operator(&self, operator: Operator) -> Result<Self, PolicyError> {
        let table = self.table.with_operator(operator);
        table.check(&self.inner.keys, &self.inner.detector_entities)?;
        Ok(Self { inner: Arc::clone(&self.inner), table: Arc::new(table) })
    }

    /// The same detectors, keys and limits with another policy. The lists of the previous policy stay in force: what it
    /// denies, allows or excludes from training.
    ///
    /// # Errors
    ///
    /// Those of [`ScrubberBuilder::build`].
    pub fn with_policy(&self, mut policy: Policy) -> Result<Self, PolicyError> {
        let add = |list: &mut Vec<String>, more: &[String]| {
            list.extend(more.iter().filter(|entry| !list.contains(entry)).cloned().collect::<Vec<_>>());
        };
        add(&mut policy.allow, &self.inner.policy.allow);
        add(&mut policy.deny, &self.inner.policy.deny);
        add(&mut policy.no_training, &self.inner.policy.no_training);
        ScrubberBuilder::from_inner(&self.inner, policy).build()
    }
}
