//! The one table of routes. The stack, OpenAPI and the isolation tests go by it; a route cannot be in it without a policy.

mod route;
mod router;
mod table;

pub(crate) use self::{
    route::{Answer, Endpoint},
    router::{Found, Params, Router},
};
pub use self::{
    route::{BodyKind, Doc, OwnHeaders, Param, Policy, Route},
    table::all,
};
