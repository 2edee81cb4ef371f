//! Rate limits over HTTP: the headers of responses, and the requests that no service counts.

use engines::{
    Action, RequestContext, Result,
    core::{
        access::RateClass,
        gate::{RateStatus, RateSubject},
    },
};
use http::{HeaderMap, HeaderName, HeaderValue};

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
        RouteAccess::Action(action) => Some(class_of_action(route, action)),
        RouteAccess::Token if is_release(route) => Some(RateClass::Release),
        RouteAccess::Token if route.method == "GET" => Some(RateClass::Read),
        RouteAccess::Token => Some(RateClass::Write),
    }
}

/// Returns the class of an action. Services count removals and revocations in a class of their own, whatever the class
/// of the action.
fn class_of_action(route: &Route, action: Action) -> RateClass {
    let revokes = matches!(action, Action::ApiKeysManage | Action::MembersManage | Action::InvitesManage);
    match revokes && route.method == "DELETE" {
        true => RateClass::Release,
        false => action.spec().rate,
    }
}

/// Returns whether a route ends sessions, such as logout.
fn is_release(route: &Route) -> bool {
    route.path == "/auth/logout" || route.method == "DELETE" && route.path.starts_with("/auth/sessions")
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
