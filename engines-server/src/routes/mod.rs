//! The table of all routes. The pipeline, OpenAPI and the isolation tests use it. A route without an access rule cannot
//! be in it.

mod route;
mod router;
mod table;

pub use self::{
    route::{BodyKind, ExtraHeaders, Policy, QueryParam, Route, RouteDoc},
    table::all,
};
pub(crate) use self::{
    route::{Endpoint, HandlerFuture, WorkClass},
    router::{Params, RouteMatch, Router},
};
