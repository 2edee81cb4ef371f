//! The tenants that every deployment has.

use engines_core::{Batch, Code, Error, Result, Role, TenantId, UserId};

use super::{
    addresses::AddressChange,
    control_plane::SYSTEM_TENANT,
    records,
    service::Identity,
    state::IdentityState,
    wire::{BootstrapRequest, BootstrapResponse, Caller, FirstOwner},
};
use crate::jwt::invalid_token;

/// The first tenant for users of the product.
pub const NORTHSTAR_TENANT: &str = "t_northstar";

const BOOTSTRAP: &str = "bootstrap.tenants";

impl Identity {
    /// Creates `t_system` and `t_northstar` if they do not exist. Repeated and concurrent calls are safe.
    ///
    /// # Errors
    /// `TOKEN_MISSING` without a system key; `TOKEN_INVALID` with a wrong one, or if none is configured; `NOT_FOUND`
    /// for an owner without an account; `BODY_INVALID` for an invalid address or password; `RATE_LIMITED`.
    pub async fn bootstrap_tenants(
        &self,
        system_key: Option<&[u8]>,
        request: BootstrapRequest,
        caller: Caller<'_>,
    ) -> Result<BootstrapResponse> {
        let answer = self.try_bootstrap(system_key, request, &caller).await;
        answer.inspect_err(|error| self.state.record_failure(BOOTSTRAP, error, None, &caller))
    }

    async fn try_bootstrap(
        &self,
        system_key: Option<&[u8]>,
        request: BootstrapRequest,
        caller: &Caller<'_>,
    ) -> Result<BootstrapResponse> {
        let state = &*self.state;
        state.charge_address(caller)?;
        let given = system_key.filter(|key| !key.is_empty());
        let given = given.ok_or_else(|| Error::new(Code::TokenMissing, BOOTSTRAP, "send X-System-Key"))?;
        if !state.system_key.as_ref().is_some_and(|key| key.matches(given)) {
            return Err(invalid_token("the system key is wrong, or no system key is configured"));
        }
        let owner = match (request.owner_user_id, request.owner) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid_body(BOOTSTRAP, "/owner", "give either owner_user_id or owner"));
            }
            (Some(owner), None) => {
                let known =
                    state.user(&owner).await?.is_some_and(|user| !user.body.disabled && !user.body.is_block_record());
                let missing = || Error::new(Code::NotFound, BOOTSTRAP, "no user has this id");
                Some(known.then_some(owner).ok_or_else(missing)?)
            }
            (None, Some(owner)) => Some(state.create_first_owner(owner, caller).await?),
            (None, None) => None,
        };
        let mut tenants = Vec::new();
        for (id, name) in [(SYSTEM_TENANT, "System"), (NORTHSTAR_TENANT, "Northstar")] {
            let tenant = TenantId::new(id)?;
            state.create_if_absent(&tenant, name).await?;
            if let Some(owner) = &owner {
                let now = state.now();
                let audit = state.audit(now, BOOTSTRAP, format!("tenants/{tenant}"), owner, caller.trace);
                state
                    .join(state.records.system(), &tenant, owner, Role::Owner, Batch::spanning(now).audit(audit))
                    .await?;
            }
            tenants.push(state.tenant_view(&tenant).await?);
        }
        Ok(BootstrapResponse { tenants })
    }
}

impl Identity {
    /// Creates a tenant with this id and without members. For trusted code in process that sets a deployment up. An
    /// existing tenant is not changed. As long as the store has no memberships, the roles that tokens of accepted
    /// issuers claim in the tenant apply.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn ensure_tenant(&self, tenant: &TenantId, name: &str) -> Result<()> {
        self.state.create_if_absent(tenant, name).await
    }
}

impl IdentityState {
    /// Returns the account that has verified this address. Without such an account it creates one with a verified
    /// address, because the holder of the system key vouches for it. Accounts that only claim the address lose it,
    /// because they may belong to someone else.
    async fn create_first_owner(&self, owner: FirstOwner, caller: &Caller<'_>) -> Result<UserId> {
        let key = self.accounts()?.address_key(owner.email.expose());
        // A concurrent change of the address makes another attempt necessary.
        records::retry_on_conflict(BOOTSTRAP, || async {
            if let Some(holder) = self.address_entry(&key).await?.holder() {
                return Ok(Some(holder.clone()));
            }
            let name = owner.display_name.clone();
            let made = self.new_account(BOOTSTRAP, owner.email.expose(), &owner.password, name, caller).await;
            let made = match made {
                Err(error) if error.code() == Code::AlreadyExists => return Ok(None),
                made => made?,
            };
            let user = made.user.user_id.clone();
            let now = self.now();
            let audit = self.audit(now, BOOTSTRAP, format!("users/{user}"), &user, caller.trace);
            let batch = Batch::spanning(now).audit(audit);
            let AddressChange { batch, changed_users: others } =
                match self.put_account(BOOTSTRAP, batch, &made, true, caller).await {
                    Err(error) if error.code() == Code::AlreadyExists => return Ok(None),
                    claimed => claimed?,
                };
            if !self.records.try_commit(self.records.system(), batch).await? {
                return Ok(None);
            }
            self.publish_address_change(&user, &others);
            Ok(Some(user))
        })
        .await
    }

    /// Creates a tenant without members. If another caller has created it, this succeeds too.
    pub(super) async fn create_if_absent(&self, tenant: &TenantId, name: &str) -> Result<()> {
        if self.tenant(tenant).await?.is_some() {
            return Ok(());
        }
        let batch = self.put_new_tenant(Batch::spanning(self.now()), tenant, name.to_owned(), None)?;
        if self.records.try_commit(self.records.system(), batch).await? {
            self.cache.tenants.invalidate(tenant);
        }
        Ok(())
    }
}
