//! The control plane's list of tenants.

use engines_core::{
    ResourceId, Result, Scope, StoreExt, TenantId,
    nexus::{Batch, CommitError, Expect, Failed, Kind, NewDocument},
};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;

const TENANT: Kind = Kind::known("tenant");

/// A tenant, as the control plane knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub tenant_id: TenantId,
    /// Its name, for people.
    pub name: String,
}

impl Engine {
    /// Puts a tenant on the control plane's list; one that is there stays as it is.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the store does not answer.
    pub async fn ensure_tenant(&self, tenant_id: &TenantId, name: &str) -> Result<()> {
        let tenant = Tenant { tenant_id: tenant_id.clone(), name: name.to_owned() };
        let document = NewDocument::new(TENANT, ResourceId::from(tenant_id), &tenant)?;
        let batch = Batch::new(self.guard().clock().now()).put(document, Expect::Absent);
        match self.store().commit(&Scope::system()?, batch).await {
            Ok(_) | Err(CommitError::Precondition { failed: Failed::Document { version: Some(_), .. }, .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A tenant on the control plane's list.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the store does not answer.
    pub async fn tenant(&self, tenant_id: &TenantId) -> Result<Option<Tenant>> {
        let id = ResourceId::from(tenant_id);
        self.store().load(&Scope::system()?, &TENANT, &(&id).into()).await
    }
}
