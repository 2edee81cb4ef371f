//! The routes of all areas.

use super::{accounts, auth, canvas, chat, events, keys, pii, retention, service, streams, tenants};
use crate::routes::Route;

/// Returns every route.
pub fn all() -> impl Iterator<Item = &'static Route> + Clone {
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
