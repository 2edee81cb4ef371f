//! The tenants every deployment has.

use engines_core::{Batch, Code, Error, Result, Role, TenantId, UserId, nexus::CommitError};

use super::{
    addresses::AddressChange,
    service::{Identity, Inner},
    tenants::MAX_ATTEMPTS,
    wire::{BootstrapRequest, BootstrapResponse, Caller, FirstOwner},
};
use crate::jwt::invalid_token;

/// Tenant 0: the control plane. Its admins manage tenants and users, and are members of no other tenant by that.
pub const SYSTEM_TENANT: &str = "t_system";

/// Tenant 1.
pub const NORTHSTAR_TENANT: &str = "t_northstar";

const BOOTSTRAP: &str = "bootstrap.tenants";

impl Identity {
    /// Makes `t_system` and `t_northstar` where they do not exist, as often as one likes and from as many places at once.
    ///
    /// # Errors
    /// `TOKEN_MISSING` without a system key, `TOKEN_INVALID` with a wrong one or while none is set; `NOT_FOUND` for an owner without an
    /// account; `BODY_INVALID` for an address or a password that no account could have; `RATE_LIMITED`.
    pub async fn bootstrap_tenants(
        &self,
        system_key: Option<&[u8]>,
        request: BootstrapRequest,
        caller: Caller<'_>,
    ) -> Result<BootstrapResponse> {
        let answer = self.try_bootstrap(system_key, request, &caller).await;
        answer.inspect_err(|error| self.inner.record_failure(BOOTSTRAP, error, None, &caller))
    }

    async fn try_bootstrap(
        &self,
        system_key: Option<&[u8]>,
        request: BootstrapRequest,
        caller: &Caller<'_>,
    ) -> Result<BootstrapResponse> {
        let inner = &*self.inner;
        inner.charge_address(caller)?;
        let given = system_key.filter(|key| !key.is_empty());
        let given = given.ok_or_else(|| Error::new(Code::TokenMissing, BOOTSTRAP, "send X-System-Key"))?;
        if !inner.system_key.as_ref().is_some_and(|key| key.matches(given)) {
            return Err(invalid_token("the system key is wrong, or the bootstrap is closed here"));
        }
        let owner = match (request.owner_user_id, request.owner) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid_body(BOOTSTRAP, "/owner", "give either owner_user_id or owner"));
            }
            (Some(owner), None) => {
                let known =
                    inner.user(&owner).await?.is_some_and(|user| !user.body.disabled && !user.body.is_block_record());
                let missing = || Error::new(Code::NotFound, BOOTSTRAP, "there is no such user");
                Some(known.then_some(owner).ok_or_else(missing)?)
            }
            (None, Some(owner)) => Some(inner.create_first_owner(owner, caller).await?),
            (None, None) => None,
        };
        let mut tenants = Vec::new();
        for (id, name) in [(SYSTEM_TENANT, "System"), (NORTHSTAR_TENANT, "Northstar")] {
            let tenant = TenantId::new(id)?;
            inner.create_if_absent(&tenant, name).await?;
            if let Some(owner) = &owner {
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
        self.inner.create_if_absent(tenant, name).await
    }
}

impl Inner {
    /// The account that has proved this address, made with it proved if there is none: the word of who has the system key counts. One that
    /// only named the address is somebody's who need not own it, and loses it.
    async fn create_first_owner(&self, owner: FirstOwner, caller: &Caller<'_>) -> Result<UserId> {
        let key = self.accounts()?.address_key(owner.email.expose());
        // Others may be quicker.
        for _ in 0..MAX_ATTEMPTS {
            if let Some(holder) = self.address_entry(&key).await?.holder() {
                return Ok(holder.clone());
            }
            let name = owner.display_name.clone();
            let made = self.new_account(BOOTSTRAP, owner.email.expose(), &owner.password, name, caller).await;
            let made = match made {
                Err(error) if error.code() == Code::AlreadyExists => continue,
                made => made?,
            };
            let user = made.user.user_id.clone();
            let now = self.now();
            let audit = self.audit(now, BOOTSTRAP, format!("users/{user}"), &user, caller.trace);
            let batch = Batch::spanning(now).audit(audit);
            let AddressChange { batch, changed_users: others } =
                match self.put_account(BOOTSTRAP, batch, &made, true, caller).await {
                    Err(error) if error.code() == Code::AlreadyExists => continue,
                    claimed => claimed?,
                };
            match self.records.commit(self.records.system(), batch).await {
                Ok(_) => {
                    self.publish_address_change(&user, &others);
                    return Ok(user);
                }
                Err(CommitError::Precondition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::new(Code::VersionMismatch, BOOTSTRAP, "others keep changing this account; retry"))
    }

    /// Makes a tenant without members. Who comes second finds it made.
    pub(super) async fn create_if_absent(&self, tenant: &TenantId, name: &str) -> Result<()> {
        if self.tenant(tenant).await?.is_some() {
            return Ok(());
        }
        let batch = self.put_new_tenant(Batch::spanning(self.now()), tenant, name.to_owned(), None)?;
        match self.records.commit(self.records.system(), batch).await {
            Ok(_) => {
                self.cache.tenants.invalidate(tenant);
                Ok(())
            }
            Err(CommitError::Precondition { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
