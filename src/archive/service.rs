//! The service for tenant archives.

use std::{fmt, sync::Arc};

use engines_auth::Identity;
use engines_core::{Code, Error, Guard, Result, Store, nexus::archive::Archive, pii::Scrubber};
use engines_storage::{archive::ArchiveLimits, event_log::privacy::PrivacyPolicies};

/// Exports tenants from the store and imports them. Cheap to clone.
///
/// [`TenantArchives::export`] needs the role owner in the tenant; [`TenantArchives::import`] and
/// [`TenantArchives::fork`] are for admins of the control plane. Each call leaves an audit record.
#[derive(Clone)]
pub struct TenantArchives {
    pub(super) store: Arc<dyn Store>,
    pub(super) guard: Guard,
    pub(super) identity: Identity,
    pub(super) policies: PrivacyPolicies,
    pub(super) limits: Arc<ArchiveLimits>,
    pub(super) read_only: bool,
}

impl TenantArchives {
    /// Makes a service for the tenants in `store`. Names and members are read and written through a separate identity
    /// service that issues no tokens.
    ///
    /// # Errors
    /// Never in practice: the settings of that service are the default ones.
    pub fn new(store: Arc<dyn Store>, guard: Guard) -> Result<Self> {
        let identity = Identity::without_accounts(Arc::clone(&store), guard.clone()).build()?;
        let policies = PrivacyPolicies::new(Arc::clone(&store), Arc::clone(guard.clock()), Scrubber::default());
        Ok(Self { store, guard, identity, policies, limits: Arc::default(), read_only: false })
    }

    /// Uses the engine's own identity service, so that its caches are updated when a tenant is restored.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// Sets the policies under which the dataset events of archives are scrubbed. The default detectors without keys
    /// apply otherwise.
    #[must_use]
    pub fn with_policies(mut self, policies: PrivacyPolicies) -> Self {
        self.policies = policies;
        self
    }

    /// Sets other limits than the default ones.
    #[must_use]
    pub fn with_limits(mut self, limits: ArchiveLimits) -> Self {
        self.limits = Arc::new(limits);
        self
    }

    /// For a store that is opened read-only beside the process that writes to it: an export then leaves no audit
    /// record.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    pub(super) fn require_archive(&self, operation: &'static str) -> Result<&dyn Archive> {
        self.store.archive().ok_or_else(|| {
            let name = self.store.capabilities().name;
            Error::new(Code::Internal, operation, format!("the backend {name} cannot be archived"))
        })
    }
}

impl fmt::Debug for TenantArchives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantArchives").field("store", &self.store).finish_non_exhaustive()
    }
}
