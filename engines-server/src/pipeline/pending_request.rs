//! A request between its first and its last step.

use std::sync::Arc;

use engines::auth::Admission;

use crate::{connection_info::ConnectionInfo, limits::RequestBudget, state::AppState};

/// A request between its first and its last step: the shared state, its connection and its budgets.
pub(super) struct PendingRequest<'a> {
    pub(super) state: &'a Arc<AppState>,
    pub(super) connection: Option<&'a ConnectionInfo>,
    pub(super) budget: RequestBudget<'a>,
    /// The client's address, as far as it can be trusted.
    pub(super) address: Option<Arc<str>>,
}

impl PendingRequest<'_> {
    pub(super) fn admission(&self) -> &Admission {
        self.state.engine.admission()
    }
}
