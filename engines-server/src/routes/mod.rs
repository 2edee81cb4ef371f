//! The table of all routes. The pipeline, OpenAPI and the isolation tests use it. A route without an access rule cannot
//! be in it.

mod entry;
mod router;
mod table;

pub use self::table::all;
pub(crate) use self::{
    entry::{Endpoint, RouteEntry},
    router::{RouteMatch, Router},
    table::entries,
};
pub use crate::route_info::{BodyKind, ExtraHeaders, QueryParam, Route, RouteAccess, RouteDoc};
