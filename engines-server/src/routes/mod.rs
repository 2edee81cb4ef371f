//! The one table of routes. The stack, OpenAPI and the isolation tests go by it; a route cannot be in it without a policy.

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
