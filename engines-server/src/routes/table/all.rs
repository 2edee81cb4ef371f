//! The routes of all areas.

use super::{accounts, auth, canvas, chat, events, keys, pii, retention, service, streams, tenants};
use crate::{route_info::Route, routes::RouteEntry};

/// Returns every route.
pub fn all() -> impl Iterator<Item = &'static Route> + Clone {
    entries().map(|entry| &entry.route)
}

/// Returns every route with its handler, in the order of [`all`].
pub(crate) fn entries() -> impl Iterator<Item = &'static RouteEntry> + Clone {
    let areas = [
        service::ROUTES,
        auth::ROUTES,
        accounts::ROUTES,
        tenants::ROUTES,
        keys::ROUTES,
        chat::ROUTES,
        canvas::ROUTES,
        streams::ROUTES,
        events::ROUTES,
        pii::ROUTES,
        retention::ROUTES,
    ];
    areas.into_iter().flatten()
}
