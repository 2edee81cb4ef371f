//! The steps of a request: trace, route, in-flight limit, deadline, admission, body, access rule, throttle, handler.
//! The response then gets its request id, security headers and metrics, and loses its body for `HEAD`.

mod auth_input;
mod authorize;
mod body;
mod limits;
mod pending_request;
mod respond;
mod routing;

pub(crate) use self::{
    respond::{refuse, refuse_with_text, respond},
    routing::Routing,
};
