//! The identity service.

use std::{fmt, sync::Arc};

use super::state::IdentityState;

/// The identity service: users, tenants, memberships, sessions and invites on any store. Cheap to clone.
///
/// It is also the [`Directory`](crate::Directory) of admission. Its methods follow the routes in section 2 of the wire
/// contract. `docs/identity.md` describes the concepts.
#[derive(Clone)]
pub struct Identity {
    pub(crate) state: Arc<IdentityState>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("settings", &self.state.settings).finish_non_exhaustive()
    }
}
