//! The values of a request that admission needs.

use engines::{
    Trace,
    auth::{AuthInput, FieldValues},
};
use http::{HeaderMap, HeaderName, Method, request::Parts};

use crate::{query::Query, request_rules, route_info::Route};

pub(super) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Returns the headers that the trace of a request continues.
pub(super) fn trace_input(headers: &HeaderMap) -> AuthInput<'_> {
    AuthInput {
        request_id: headers.get_all(&X_REQUEST_ID).iter().collect(),
        traceparent: headers.get_all(&TRACEPARENT).iter().collect(),
        ..AuthInput::default()
    }
}

/// Collects the values that admission needs. It walks over the headers once, because there are few, and each look-up
/// would hash a name.
pub(super) fn auth_input<'a>(route: &Route, parts: &'a Parts, query: &'a Query, trace: &Trace) -> AuthInput<'a> {
    let mut input = AuthInput {
        ticket: match request_rules::accepts_ticket(route, &parts.method) {
            true => query.values("ticket").collect(),
            false => FieldValues::default(),
        },
        streams: if route.stream { query.values("streams").collect() } else { FieldValues::default() },
        head: parts.method == Method::HEAD,
        path: parts.uri.path(),
        env_queries: query.values("env").collect(),
        trace: Some(trace.clone()),
        ..AuthInput::default()
    };
    for (name, value) in &parts.headers {
        match name.as_str() {
            "authorization" => input.authorization.push(value),
            "x-tenant-id" => input.tenant_headers.push(value),
            "x-env" => input.env_headers.push(value),
            "x-user-id" => input.user_ids.push(value),
            "x-membership-role" => input.roles.push(value),
            _ => {}
        }
    }
    input
}
