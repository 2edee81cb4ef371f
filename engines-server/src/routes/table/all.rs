//! All areas, one after the other.

use super::{canvas, chat, events, live, service};
use crate::routes::Route;

/// Every route.
pub fn all() -> impl Iterator<Item = &'static Route> + Clone {
    let areas = [service::ROUTES, chat::ROUTES, canvas::ROUTES, live::ROUTES, events::ROUTES];
    areas.into_iter().flatten()
}
