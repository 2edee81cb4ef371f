//! Rate limits over HTTP: the headers of responses, and the requests that no service counts.

use engines::{
    RequestContext, Result,
    core::{
        access::RateClass,
        gate::{RateStatus, RateSubject},
    },
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::{
    route_info::{Route, RouteAccess},
    state::AppState,
};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Returns the class in which a route's requests are counted, or `None` for routes whose callers are not known yet.
pub(crate) fn class_of(route: &Route) -> Option<RateClass> {
    match route.access {
        RouteAccess::Public | RouteAccess::Guest => None,
        RouteAccess::Operator => Some(RateClass::Manage),
        RouteAccess::Action(action) if route.method == Method::DELETE => Some(action.spec().removal_rate),
        RouteAccess::Action(action) => Some(action.spec().rate),
        RouteAccess::Token if route.ends_sessions => Some(RateClass::Release),
        RouteAccess::Token if route.method == Method::GET => Some(RateClass::Read),
        RouteAccess::Token => Some(RateClass::Write),
    }
}

/// Counts a request about the caller's own account, which no service with a context counts.
///
/// # Errors
/// Returns `RATE_LIMITED` when the limit is used up.
pub(crate) fn charge(state: &AppState, route: &Route, subject: &RateSubject<'_>) -> Result<()> {
    match class_of(route) {
        Some(class) => state.engine.guard().count_subject(subject, class),
        None => Ok(()),
    }
}

/// Returns what is left of the limit that the request was counted against.
pub(crate) fn status(state: &AppState, route: &Route, context: &RequestContext) -> Option<RateStatus> {
    state.engine.guard().rate_status(&RateSubject::of_context(context)?, class_of(route)?)
}

/// Returns what is left of the limit for a request that [`charge`] counted.
pub(crate) fn status_of(state: &AppState, route: &Route, subject: &RateSubject<'_>) -> Option<RateStatus> {
    state.engine.guard().rate_status(subject, class_of(route)?)
}

/// Adds the headers of the remaining limit (draft-ietf-httpapi-ratelimit-headers, up to its version 7).
pub(crate) fn add_headers(status: Option<RateStatus>, headers: &mut HeaderMap) {
    let Some(RateStatus { limit, remaining, reset }) = status else { return };
    let seconds = reset.as_secs() + u64::from(reset.subsec_nanos() > 0);
    headers.insert(LIMIT, HeaderValue::from(limit));
    headers.insert(REMAINING, HeaderValue::from(remaining));
    headers.insert(RESET, HeaderValue::from(seconds));
}
