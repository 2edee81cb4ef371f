//! The control plane: the tenant whose admins manage tenants and users.

use engines_core::{Action, Code, Error, RequestContext, Result, TenantId, gate::Permit};

use super::state::IdentityState;

/// The tenant of the control plane. Its admins manage tenants and users. This makes them members of no other tenant.
pub const SYSTEM_TENANT: &str = "t_system";

impl IdentityState {
    /// Authorizes a call of the control plane.
    pub(super) async fn authorize_operator(
        &self,
        context: &RequestContext,
        action: Action,
        resource: &str,
    ) -> Result<Permit> {
        self.authorize_operator_for(context, action, resource, false).await
    }

    /// Like [`IdentityState::authorize_operator`]. `ending` marks a call that ends something.
    pub(super) async fn authorize_operator_for(
        &self,
        context: &RequestContext,
        action: Action,
        resource: &str,
        ending: bool,
    ) -> Result<Permit> {
        if context.scope().tenant().as_str() != SYSTEM_TENANT {
            let detail = "only admins of the control plane, t_system, may do this";
            return Err(self.refusal(Code::TenantForbidden, action.spec().name, detail));
        }
        if ending {
            return self.guard.admit_release(context, action);
        }
        self.guard.admit(context, action, resource).await
    }
}

/// Checks that `tenant` is not the control plane, which cannot be closed.
pub(super) fn check_not_control_plane(operation: &'static str, tenant: &TenantId) -> Result<()> {
    if tenant.as_str() == SYSTEM_TENANT {
        return Err(Error::new(Code::OpInvalid, operation, "the control plane cannot be closed"));
    }
    Ok(())
}
