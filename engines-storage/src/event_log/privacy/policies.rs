//! A cache of the compiled policies of all tenants, at most [`PrivacyPolicies::TTL`] old.

use std::{fmt, sync::Arc, time::Duration};

use engines_core::{
    Clock, DocId, Error, Result, Scope, Store, Timestamp,
    nexus::{Document, DocumentKind},
    pii::{EntityKind as Entity, EntityRule, Policy, PolicyError, Scrubber},
};
use quick_cache::sync::Cache;

use super::PolicyDocument;

/// The document kind of policies; a scope has one.
pub(super) const POLICY_KIND: DocumentKind = DocumentKind::from_static("privacy_policy");
/// The most scopes whose compiled policies are cached.
const MAX_CACHED_SCOPES: usize = 1024;

/// Returns the scrubber of a scope: the deployment's engine with the tenant's policy and the tenant's own key. Cheap to
/// clone.
///
/// It fails closed: a policy that cannot be read, or that this version of the library does not understand, is an error,
/// and the data to be scrubbed is not written.
#[derive(Clone)]
pub struct PrivacyPolicies {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    base: Scrubber,
    cache: Arc<Cache<Scope, CachedPolicy>>,
}

#[derive(Clone)]
struct CachedPolicy {
    loaded_at: Timestamp,
    version: u64,
    scrubber: Scrubber,
}

impl PrivacyPolicies {
    /// How long a policy is still followed after another node changed it. On the node that changed it, the new policy
    /// applies at once.
    pub const TTL: Duration = Duration::from_secs(3);

    /// Makes the policies that are stored in `store`. `base` is the deployment's scrubber: its detectors, limits and
    /// lists apply to all tenants, its policy to tenants without one, and each tenant's keys are derived from its keys.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, base: Scrubber) -> Self {
        Self { store, clock, base, cache: Arc::new(Cache::new(MAX_CACHED_SCOPES)) }
    }

    /// The scrubber of `scope`, under a policy that was in force at most [`PrivacyPolicies::TTL`] ago.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the policy cannot be read, `INTERNAL` when it cannot be followed. Nothing may be
    /// stored then.
    pub async fn scrubber(&self, scope: &Scope) -> Result<Scrubber> {
        let now = self.clock.now();
        let held = self.cache.get(scope);
        // After the clock was set back, a cached policy is not taken for a new one.
        if let Some(held) = &held
            && now >= held.loaded_at
            && now.since(held.loaded_at) < Self::TTL
        {
            return Ok(held.scrubber.clone());
        }
        let document = self.load_document(scope).await?;
        let version = document.as_ref().map_or(0, |document| document.version);
        let scrubber = match (held, document) {
            (Some(held), _) if held.version == version => held.scrubber,
            (_, None) => self.base.for_tenant(scope.tenant().as_str()),
            (_, Some(document)) => {
                let failed = |error: PolicyError| Error::internal("privacy.policy", error);
                self.compile(scope, document.decode()?, version).map_err(failed)?
            }
        };
        self.cache_unless_older(scope, CachedPolicy { loaded_at: now, version, scrubber: scrubber.clone() });
        Ok(scrubber)
    }

    /// Returns whether a document is the policy of its scope.
    #[must_use]
    pub fn is_policy(document: &Document) -> bool {
        document.kind == POLICY_KIND
    }

    /// Returns the scrubber for a scope that is imported, under the policy that comes with it.
    ///
    /// The deployment's policy applies when no policy comes with the scope, when that policy contains what a tenant's
    /// policy must not contain, and when it cannot be followed, for example because it needs a key that is missing.
    #[must_use]
    pub fn imported_scrubber(&self, scope: &Scope, policy: Option<&Document>) -> Scrubber {
        let own = policy.and_then(|document| {
            let policy: Policy = document.decode().ok()?;
            check_tenant_policy(&policy).ok()?;
            self.compile(scope, policy, document.version).ok()
        });
        own.unwrap_or_else(|| self.base.for_tenant(scope.tenant().as_str()))
    }

    /// Reads the policy document of `scope`.
    pub(super) async fn load_document(&self, scope: &Scope) -> Result<Option<Document>> {
        self.store.get(scope, &POLICY_KIND, &document_id()?).await
    }

    /// The document's policy, or the deployment's policy if there is no document.
    pub(super) fn to_policy_document(&self, document: Option<Document>) -> Result<PolicyDocument> {
        let Some(document) = document else {
            return Ok(PolicyDocument { version: 0, updated_at: None, policy: self.base.policy().clone() });
        };
        let policy = with_version_name(document.decode()?, document.version);
        Ok(PolicyDocument { version: document.version, updated_at: Some(document.updated_at), policy })
    }

    /// Compiles the scrubber of `scope` under `policy`.
    pub(super) fn compile(&self, scope: &Scope, policy: Policy, version: u64) -> Result<Scrubber, PolicyError> {
        self.base.for_tenant(scope.tenant().as_str()).with_policy(with_version_name(policy, version))
    }

    /// Puts a changed policy into the cache of this node.
    pub(super) fn cache_changed(&self, scope: &Scope, version: u64, scrubber: Scrubber) {
        self.cache_unless_older(scope, CachedPolicy { loaded_at: self.clock.now(), version, scrubber });
    }

    /// Caches a policy unless the cache has a newer one: the store's answer may have been overtaken.
    fn cache_unless_older(&self, scope: &Scope, held: CachedPolicy) {
        if self.cache.get(scope).is_none_or(|known| known.version <= held.version) {
            self.cache.insert(scope.clone(), held);
        }
    }
}

/// The actions that events are scrubbed for, and for which a policy can have operators.
const EVENT_ACTIONS: [&str; 3] = ["store", "export", "sink"];

/// Checks what a tenant's policy must not contain: keeping secrets, and operators for an unknown action, because such
/// operators would look like a rule and never apply.
pub(super) fn check_tenant_policy(policy: &Policy) -> Result<(), String> {
    if policy.actions.keys().any(|name| !EVENT_ACTIONS.contains(&name.as_str())) {
        return Err(format!("it names an unknown action; the actions are {}", EVENT_ACTIONS.join(", ")));
    }
    let kept = |rule: &EntityRule| !rule.enabled || rule.min_score > 0.0;
    let secret = |name: &str| Entity::from_name(name).is_some_and(Entity::is_secret);
    match policy.entities.iter().find(|(name, rule)| secret(name) && kept(rule)) {
        Some((name, _)) => Err(format!("{name} is a secret, and a policy must not keep secrets")),
        None => Ok(()),
    }
}

/// The policy with the name that receipts give this version of it.
pub(super) fn with_version_name(policy: Policy, version: u64) -> Policy {
    Policy { version: format!("tenant-{version}"), ..policy }
}

/// The id of the policy document.
pub(super) fn document_id() -> Result<DocId> {
    DocId::new("policy")
}

impl fmt::Debug for PrivacyPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").field("base", &self.base).finish_non_exhaustive()
    }
}
