//! The parts of an app that depend on the table of routes.

use crate::{cors::Cors, routes::Router};

/// The parts of an app that depend on the table of routes. They are not in [`AppState`](crate::state::AppState),
/// because handlers use that, and the table contains the handlers.
pub(crate) struct Routing {
    pub(crate) router: Router,
    pub(crate) cors: Cors,
}
