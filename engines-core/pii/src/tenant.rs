//! One engine for many tenants: the same detectors, limits and lists under another policy, another key or another operator.

use std::sync::Arc;

use super::builder::ScrubberBuilder;
use super::error::PolicyError;
use super::key::{PiiKey, encode_letters};
use super::policy::{Operator, Policy};
use super::replacement::OperatorKeys;
use super::scrubber::{Scrubber, ScrubberParts};
impl Scrubber {
    /// Its policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// Whether hashes and pseudonyms can be made.
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

    /// The same scrubber with keys of one tenant's own, made from its own: the same value has other tokens in each tenant.
    #[must_use]
    pub fn for_tenant(&self, tenant: &str) -> Self {
        let keys = &self.inner.keys;
        self.with_keys(OperatorKeys {
            tenant: keys.tenant.as_ref().map(|key| key.for_tenant(tenant)),
            vault: keys.vault.as_ref().map(|vault| vault.for_tenant(tenant)),
        })
    }

    /// Letters that stand for a text, and for no other: a key to look it up by that gives nothing of it away. Made under the tenant's key; without
    /// one it is no more than a hash, and what is easily guessed can be tried out.
    #[must_use]
    pub fn lookup_token(&self, text: &str) -> String {
        let mut out = String::with_capacity(64);
        encode_letters(&mut out, &self.mac(b"engines.pii.opaque.v1", text.as_bytes()), b'a');
        out
    }

    /// The HMAC-SHA-256 of `bytes` under the tenant's key: it tells whether the same bytes were seen before and keeps no copy of them.
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

    /// The same scrubber with one operator for everything that is found.
    ///
    /// # Errors
    ///
    /// [`PolicyError::KeyMissing`] when the operator needs a key that is not there.
    pub fn with_operator(&self, operator: Operator) -> Result<Self, PolicyError> {
        let table = self.table.with_operator(operator);
        table.check(&self.inner.keys, &self.inner.detector_entities)?;
        Ok(Self { inner: Arc::clone(&self.inner), table: Arc::new(table) })
    }

    /// The same detectors, keys and limits under another policy. The lists of the policy there was stay: what it denies, allows or
    /// keeps from being learned from, it still does.
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
