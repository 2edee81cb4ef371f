//! Headers that every response has: pages, JSON, problem documents and streams.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::route_info::{Route, RouteAccess};

/// The policy for JSON and streams: they load nothing and may not be framed. Handlers of pages set a policy of their
/// own.
static EMPTY_CSP: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
static NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Adds the headers to a response. Headers that a handler has set stay. `route` is `None` if the request matched none.
pub(crate) fn apply(headers: &mut HeaderMap, route: Option<&Route>) {
    set(headers, &header::X_CONTENT_TYPE_OPTIONS, &HeaderValue::from_static("nosniff"));
    set(headers, &header::REFERRER_POLICY, &HeaderValue::from_static("no-referrer"));
    set(headers, &header::CONTENT_SECURITY_POLICY, &EMPTY_CSP);
    // A response may contain personal data, unless it is the same for everybody.
    let is_public = route.is_some_and(|route| route.access == RouteAccess::Public && !route.path.starts_with("/auth"));
    if !is_public {
        set(headers, &header::CACHE_CONTROL, &NO_STORE);
    }
}

fn set(headers: &mut HeaderMap, name: &HeaderName, value: &HeaderValue) {
    headers.entry(name).or_insert_with(|| value.clone());
}
