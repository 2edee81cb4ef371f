//! The tenants every deployment has.

use engines_core::{Batch, Code, Error, Result, Role, TenantId, nexus::CommitError};

use super::{
    service::{Identity, Inner},
    wire::{BootstrapRequest, BootstrapResponse, Caller},
};
use crate::jwt::invalid;

/// Tenant 0: the control plane. Its admins manage tenants and users, and are members of no other tenant by that.
pub const SYSTEM: &str = "t_system";

/// Tenant 1.
pub const NORTHSTAR: &str = "t_northstar";

const BOOTSTRAP: &str = "bootstrap.tenants";

impl Identity {
    /// Makes `t_system` and `t_northstar` where they do not exist, as often as one likes and from as many places at once.
    ///
    /// # Errors
    /// `TOKEN_MISSING` without a system key, `TOKEN_INVALID` with a wrong one or while none is set; `NOT_FOUND` for an owner without an
    /// account; `RATE_LIMITED`.
    pub async fn bootstrap_tenants(
        &self,
        system_key: Option<&[u8]>,
        request: BootstrapRequest,
        caller: Caller<'_>,
    ) -> Result<BootstrapResponse> {
        let answer = self.try_bootstrap(system_key, request, &caller).await;
        answer.inspect_err(|error| self.inner.note(BOOTSTRAP, error, None, &caller))
    }

    async fn try_bootstrap(
        &self,
        system_key: Option<&[u8]>,
        request: BootstrapRequest,
        caller: &Caller<'_>,
    ) -> Result<BootstrapResponse> {
        let inner = &*self.inner;
        inner.count_address(caller)?;
        let given = system_key.filter(|key| !key.is_empty());
        let given = given.ok_or_else(|| Error::new(Code::TokenMissing, BOOTSTRAP, "send X-System-Key"))?;
        if !inner.system_key.as_ref().is_some_and(|key| key.fits(given)) {
            return Err(invalid("the system key is wrong, or the bootstrap is closed here"));
        }
        if let Some(owner) = &request.owner_user_id
            && inner.user(owner).await?.is_none()
        {
            return Err(Error::new(Code::NotFound, BOOTSTRAP, "there is no such user"));
        }
        let mut tenants = Vec::new();
        for (id, name) in [(SYSTEM, "System"), (NORTHSTAR, "Northstar")] {
            let tenant = TenantId::new(id)?;
            inner.make_if_absent(&tenant, name).await?;
            if let Some(owner) = &request.owner_user_id {
                let now = inner.now();
                let audit = inner.audit(now, BOOTSTRAP, format!("tenants/{tenant}"), owner, caller.trace);
                inner
                    .join(inner.records.system(), &tenant, owner, Role::Owner, Batch::spanning(now).audit(audit))
                    .await?;
            }
            tenants.push(inner.tenant_view(&tenant).await?);
        }
        Ok(BootstrapResponse { tenants })
    }
}

impl Identity {
    /// Makes a tenant with this id and without members, for trusted work in process that sets a deployment up; one that is there stays as
    /// it is. Whoever claims a role in it by a token of a known issuer is believed, until the store knows better.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn ensure_tenant(&self, tenant: &TenantId, name: &str) -> Result<()> {
        self.inner.make_if_absent(tenant, name).await
    }
}

impl Inner {
    /// Makes a tenant without members. Who comes second finds it made.
    pub(super) async fn make_if_absent(&self, tenant: &TenantId, name: &str) -> Result<()> {
        if self.tenant(tenant).await?.is_some() {
            return Ok(());
        }
        let batch = self.new_tenant(Batch::spanning(self.now()), tenant, name.to_owned(), None)?;
        match self.records.commit(self.records.system(), batch).await {
            Ok(_) => {
                self.known.tenants.forget(tenant);
                Ok(())
            }
            Err(CommitError::Precondition { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
