//! The service that reads the audit log.

use std::{fmt, sync::Arc};

use engines_core::{
    Action, Guard, Limits, RequestContext, Result, Store,
    audit::{AuditEntry, AuditFilter},
    nexus::{Page, PageRequest},
};

/// A tenant's audit log, for its admins. Cheap to clone.
#[derive(Clone)]
pub struct AuditLog {
    store: Arc<dyn Store>,
    guard: Guard,
    limits: Arc<Limits>,
}

impl AuditLog {
    /// Makes the log of the records in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, guard: Guard, limits: Arc<Limits>) -> Self {
        Self { store, guard, limits }
    }

    /// Lists the matching records in the order in which they were written, in pages of at most [`Limits::page_max`].
    /// The first is the oldest record that is still stored.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT` below admin; `CURSOR_INVALID` for a malformed `after`; denials of the gate;
    /// `BACKEND_UNAVAILABLE`.
    pub async fn entries(
        &self,
        context: &RequestContext,
        filter: &AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditEntry>> {
        let _permit = self.guard.admit(context, Action::AuditRead, "audit").await?;
        let page = PageRequest { limit: page.limit.clamp(1, self.limits.page_max), after: page.after };
        self.store.audit(context.scope(), filter, page).await
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("store", &self.store).finish_non_exhaustive()
    }
}
