//! Whether a context that was admitted is still valid.

use std::sync::Arc;

use engines_core::{Clock, Code, Error, ErrorKind, IdGenerator, RequestContext, Result};

use crate::directory::Directory;

/// Checks contexts that were admitted before, with what decides that: the clock and the directory.
#[derive(Debug, Clone)]
pub(super) struct ContextValidity {
    pub(super) directory: Option<Arc<dyn Directory>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: IdGenerator,
}

impl ContextValidity {
    pub(super) async fn check_still_valid(&self, context: &RequestContext) -> Result<()> {
        let Some(principal) = context.principal() else { return Ok(()) };
        if context.expires_at().is_some_and(|end| self.clock.now() >= end) {
            return Err(Error::new(
                Code::TokenExpired,
                "admission.monitor",
                "the credential has expired; get a new one",
            ));
        }
        let Some(directory) = &self.directory else { return Ok(()) };
        directory.check(&principal).await?;
        let role = directory.role(&principal, context.scope().tenant(), Some(context.role())).await?;
        if role == Some(context.role()) {
            return Ok(());
        }
        let (code, detail) = match role {
            Some(_) => (Code::RoleMismatch, "your role in this tenant has changed; connect again"),
            None => (Code::TenantForbidden, "you are not a member of this tenant"),
        };
        Err(self.with_decision_id(Error::new(code, "admission.monitor", detail)))
    }

    /// Adds a `decision_id` to a refusal by a rule that has none.
    pub(super) fn with_decision_id(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Forbidden || error.member("decision_id").is_some() {
            return error;
        }
        error.with_member("decision_id", self.ids.ulid(self.clock.now()).to_string())
    }
}
